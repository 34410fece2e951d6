//! Joining the windows of a key, on stores that have no faster way.

use core::cell::Cell;
use core::ops::ControlFlow;

use super::Map;
use crate::key::{At, Key};
use crate::schema::Data;

/// Moves fields one by one: into the target first, so that none is lost when it cannot take more.
pub(super) fn maps<K: Key, F: Key, V: Data, M: Map<K, F, V> + ?Sized>(
    map: &mut M,
    target: At<'_, K>,
    sources: &[At<'_, K>],
    mut combine: impl FnMut(&mut V, V),
) -> Result<(), M::Error> {
    let joined = K::own(target.view());
    for source in sources.iter().filter(|source| !joined.is(source.view())) {
        while let Some((field, value)) = first_entry(map, *source)? {
            let is_there = map.get(target, field.view())?.is_some();
            // The value goes to one of the two closures; the cell lets both name it.
            let value = Cell::new(Some(value));
            let init = || value.take().expect("a new field takes the value that moves");
            map.update(target, field.view(), init, |old| {
                if is_there && let Some(value) = value.take() {
                    combine(old, value);
                }
            })?;
            map.remove(*source, field.view())?;
        }
    }
    Ok(())
}

fn first_entry<K: Key, F: Key, V: Data, M: Map<K, F, V> + ?Sized>(
    map: &M,
    at: At<'_, K>,
) -> Result<Option<(F, V)>, M::Error> {
    let mut first = None;
    map.entries(at, |field, value| {
        first = Some((field.clone(), value.clone()));
        ControlFlow::Break(())
    })?;
    Ok(first)
}
