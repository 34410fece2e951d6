//! The same rows in another shape: in other key groups, under other names.

use std::collections::BTreeSet;
use std::path::Path;

use holdwater::key::GROUPS_MAX;

use crate::checkpoint::Checkpoint;
use crate::failure::{Failure, quoted};
use crate::regroup::Regrouped;
use crate::savepoint::{Copy, Savepoint, Shape, save};

/// A name and the one that it gives way to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renaming {
    /// The name; of a state behind its operator, `OPERATOR/NAME`, where two are alike.
    pub from: String,
    /// The new name.
    pub to: String,
}

impl Checkpoint {
    /// Writes the checkpoint as a savepoint with another number of key groups, to a place where
    /// nothing is yet.
    ///
    /// Groups are ranges of the digests of keys, so rows are grouped anew as a stream: those of a
    /// few groups are in memory at a time.
    pub fn reshard(&self, key_groups: u16, out: &Path) -> Result<Savepoint, Failure> {
        if !(1..=GROUPS_MAX).contains(&key_groups) {
            return Err(Failure::Usage(format!("a job has 1 to {GROUPS_MAX} key groups")));
        }
        let shape = Shape { key_groups, ..Shape::of(self) };
        save(self, out, &shape, &mut Regrouped::new(key_groups))
    }

    /// Writes the checkpoint as a savepoint whose states and operators are called otherwise, to a
    /// place where nothing is yet. Names may be swapped: all are replaced at once.
    pub fn rename(
        &self,
        states: &[Renaming],
        operators: &[Renaming],
        out: &Path,
    ) -> Result<Savepoint, Failure> {
        let (old, mut shape) = (Shape::of(self), Shape::of(self));
        for Renaming { from, to } in states {
            let (operator, state) = self.find_state(from)?;
            let mut places = old.operators.iter().zip(&mut shape.operators);
            let found = places.find(|((name, _), _)| name == operator);
            let names = found.map(|((_, old), (_, new))| old.iter().zip(new));
            for (_, name) in names.into_iter().flatten().filter(|(old, _)| **old == state.name) {
                name.clone_from(to);
            }
        }
        for Renaming { from, to } in operators {
            let Some(place) = old.operators.iter().position(|(name, _)| name == from) else {
                let names: Vec<_> = old.operators.iter().map(|(name, _)| name.as_str()).collect();
                let (id, from) = (self.manifest.id, quoted(from));
                let names = names.join(", ");
                let text = format!("checkpoint {id} has no operator {from}; it has {names}");
                return Err(Failure::Data(text));
            };
            shape.operators[place].0.clone_from(to);
        }
        differ("operators", shape.operators.iter().map(|(name, _)| name))?;
        for (_, states) in &shape.operators {
            differ("states of an operator", states.iter())?;
        }
        save(self, out, &shape, &mut Copy::default())
    }
}

/// States that names differ.
fn differ<'n>(what: &str, names: impl Iterator<Item = &'n String>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            let name = quoted(name);
            return Err(Failure::Usage(format!("two {what} would be called {name}; give others")));
        }
    }
    Ok(())
}
