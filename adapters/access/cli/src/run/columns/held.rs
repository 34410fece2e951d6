//! What a SPEC holds under its keys: for ever, or as long as rows of a key come.

use std::hint::black_box;
use std::ops::ControlFlow;

use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Backend, Descriptor, List, Loan, Map, Value, Visitor};
use holdwater::ttl::{Expiring, ExpiringList, ExpiringMap, ExpiringValue, Ttl, When};

use super::recent::{Held, Numbers};

/// A value per key.
pub(in crate::run) enum Values<B: Backend, K: Key, V: Data> {
    Expiring(ExpiringValue<B, K, V>),
    Plain {
        state: B::Value<K, V>,
        /// The values that lie beside the state, by the numbers of their keys.
        recent: Vec<V>,
    },
}

/// A set of texts per key.
pub(super) enum Sets<B: Backend, K: Key> {
    Expiring(ExpiringMap<B, K, String, ()>),
    Plain(B::Map<K, String, ()>),
}

/// A list of items per key.
pub(super) enum Lists<B: Backend, K: Key, V: Data> {
    Expiring(ExpiringList<B, K, V>),
    Plain(B::List<K, V>),
}

/// Does the same to either.
macro_rules! either {
    ($held:expr, $state:ident => $done:expr) => {
        match $held {
            Self::Expiring($state) => $done,
            Self::Plain($state) => $done,
        }
    };
}

impl<B: Backend, K: Key, V: Data + Held> Values<B, K, V> {
    pub(in crate::run) fn open(
        backend: &mut B,
        descriptor: Descriptor<'_, K, V>,
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        Ok(match ttl {
            None => Self::Plain { state: backend.value(descriptor)?, recent: Vec::new() },
            Some(ttl) => Self::Expiring(ttl.value(backend, descriptor)?),
        })
    }

    pub(in crate::run) fn visit<S: Visitor<B::Error>>(
        &mut self,
        visitor: &mut S,
    ) -> Result<(), S::Stop> {
        match self {
            Self::Expiring(state) => visitor.state(state),
            Self::Plain { state, .. } => visitor.state(state),
        }
    }

    /// Edits a value at each place; with `numbers` those that lie beside the state.
    pub(in crate::run) fn update_batch<'k>(
        &mut self,
        places: &[At<'k, K>],
        numbers: Option<Numbers<'_>>,
        when: impl Fn(usize) -> When,
        init: impl Fn() -> V,
        mut edit: impl FnMut(usize, &mut V),
    ) -> Result<(), B::Error>
    where
        K: 'k,
    {
        match self {
            Self::Expiring(state) => state.update_batch(places, when, |_| init(), edit),
            Self::Plain { state, recent } => {
                let Some(Numbers { found, fresh, text }) = numbers else {
                    return state.update_batch(places, |_| init(), edit);
                };
                for place in fresh {
                    let held = state.get(places[*place])?;
                    recent.push(held.map_or_else(&init, Loan::into_owned));
                    text.update(|bytes| bytes + recent.last().map_or(0, Held::text_bytes));
                }
                // No load waits for another here, as it would behind an edit.
                let near = found.iter().map(|number| recent[*number as usize].is_empty());
                black_box(near.fold(false, |any, empty| any ^ empty));
                for (place, number) in found.iter().enumerate() {
                    edit(place, &mut recent[*number as usize]);
                }
                Ok(())
            }
        }
    }

    /// Puts the values that lie beside the state into it, at the places of their keys.
    pub(in crate::run) fn write_back(&mut self, places: &[At<'_, K>]) -> Result<(), B::Error> {
        match self {
            Self::Expiring(_) => Ok(()),
            Self::Plain { state, recent } => {
                let recent = std::mem::take(recent);
                let value = |place: usize| recent[place].clone();
                state.update_batch(places, value, |place, held| *held = value(place))
            }
        }
    }

    pub(in crate::run) fn get(
        &self,
        at: At<'_, K>,
        when: When,
    ) -> Result<Option<Loan<'_, V>>, B::Error> {
        match self {
            Self::Expiring(state) => state.peek(at, when),
            Self::Plain { state, .. } => state.get(at),
        }
    }

    /// Merges the value at `from`, if there is one, into that at `into`; returns what `merge` does.
    pub(super) fn merge<R>(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
        when: When,
        merge: impl FnOnce(&mut V, V) -> R,
    ) -> Result<Option<R>, B::Error>
    where
        V: Default,
    {
        match self {
            Self::Expiring(state) => {
                let Some(Expiring { stamp, value }) = state.take(from, when)? else {
                    return Ok(None);
                };
                let when = when.not_before(stamp);
                state.update(into, when, V::default, |held| merge(held, value)).map(Some)
            }
            Self::Plain { state, .. } => {
                let Some(value) = state.get(from)?.map(Loan::into_owned) else { return Ok(None) };
                state.remove(from)?;
                state.update(into, V::default, |held| merge(held, value)).map(Some)
            }
        }
    }

    pub(super) fn remove(&mut self, at: At<'_, K>) -> Result<(), B::Error> {
        match self {
            Self::Expiring(state) => state.remove(at),
            Self::Plain { state, .. } => state.remove(at),
        }
    }

    /// Returns the keys of a group that live.
    pub(in crate::run) fn keys(&self, group: KeyGroup, when: When) -> Result<Vec<K>, B::Error> {
        let mut found = Vec::new();
        let gather = |key: &K, _: &V| {
            found.push(key.clone());
            ControlFlow::Continue(())
        };
        match self {
            Self::Expiring(state) => state.visit(group, when, gather)?,
            Self::Plain { state, .. } => state.visit(group, gather)?,
        }
        Ok(found)
    }
}

impl<B: Backend, K: Key> Values<B, K, ()> {
    /// Takes note that there is a row of each of the keys.
    pub(in crate::run) fn add(&mut self, places: &[At<'_, K>], when: When) -> Result<(), B::Error> {
        for at in places {
            match self {
                Self::Expiring(state) => state.put(*at, (), when)?,
                Self::Plain { state, .. } if state.get(*at)?.is_some() => {}
                Self::Plain { state, .. } => state.put(*at, ())?,
            }
        }
        Ok(())
    }
}

impl<B: Backend, K: Key> Sets<B, K> {
    pub(super) fn open(
        backend: &mut B,
        descriptor: Descriptor<'_, K, (String, ())>,
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        Ok(match ttl {
            None => Self::Plain(backend.map(descriptor)?),
            Some(ttl) => Self::Expiring(ttl.map(backend, descriptor)?),
        })
    }

    pub(super) fn visit<S: Visitor<B::Error>>(&mut self, visitor: &mut S) -> Result<(), S::Stop> {
        either!(self, state => visitor.state(state))
    }

    pub(super) fn add(&mut self, at: At<'_, K>, text: &str, when: When) -> Result<(), B::Error> {
        match self {
            Self::Expiring(state) => _ = state.put(at, text, (), when)?,
            Self::Plain(state) if state.get(at, text)?.is_some() => {}
            Self::Plain(state) => _ = state.put(at, text, ())?,
        }
        Ok(())
    }

    pub(super) fn len(&self, at: At<'_, K>, when: When) -> Result<u64, B::Error> {
        match self {
            Self::Expiring(state) => state.len(at, when),
            Self::Plain(state) => state.len(at),
        }
    }

    pub(super) fn merge(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
        when: When,
    ) -> Result<(), B::Error> {
        match self {
            Self::Expiring(state) => state.merge(into, &[from], when, |(), ()| {}),
            Self::Plain(state) => state.merge(into, &[from], |(), ()| {}),
        }
    }

    pub(super) fn remove(&mut self, at: At<'_, K>) -> Result<(), B::Error> {
        either!(self, state => state.remove_all(at))
    }
}

impl<B: Backend, K: Key, V: Data> Lists<B, K, V> {
    pub(super) fn open(
        backend: &mut B,
        descriptor: Descriptor<'_, K, V>,
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        Ok(match ttl {
            None => Self::Plain(backend.list(descriptor)?),
            Some(ttl) => Self::Expiring(ttl.list(backend, descriptor)?),
        })
    }

    pub(super) fn visit<S: Visitor<B::Error>>(&mut self, visitor: &mut S) -> Result<(), S::Stop> {
        either!(self, state => visitor.state(state))
    }

    pub(super) fn push(&mut self, at: At<'_, K>, item: V, when: When) -> Result<(), B::Error> {
        match self {
            Self::Expiring(state) => state.push(at, item, when),
            Self::Plain(state) => state.push(at, item),
        }
    }

    pub(super) fn items(
        &self,
        at: At<'_, K>,
        when: When,
        mut visit: impl FnMut(&V),
    ) -> Result<(), B::Error> {
        let visit = |item: &V| {
            visit(item);
            ControlFlow::Continue(())
        };
        match self {
            Self::Expiring(state) => state.peek(at, when, visit),
            Self::Plain(state) => state.items(at, visit),
        }
    }

    pub(super) fn has_items(&self, at: At<'_, K>, when: When) -> Result<bool, B::Error> {
        match self {
            Self::Expiring(state) => Ok(!state.is_empty(at, when)?),
            Self::Plain(state) => Ok(!state.is_empty(at)?),
        }
    }

    pub(super) fn merge(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
        when: When,
    ) -> Result<(), B::Error> {
        match self {
            Self::Expiring(state) => state.merge(into, &[from], when),
            Self::Plain(state) => state.merge(into, &[from]),
        }
    }

    pub(super) fn remove(&mut self, at: At<'_, K>) -> Result<(), B::Error> {
        either!(self, state => state.remove(at))
    }
}
