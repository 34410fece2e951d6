//! What all kinds of state share, whatever their rows hold.

use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{Cut, Judge, RowWriter};

use crate::frozen::{HeapFrozen, Saved, done, written};
use crate::row::Payload;
use crate::table::Table;

/// A table whose payload does not matter.
pub(crate) trait Held {
    fn groups(&self) -> KeyGroups;
    fn freeze(&mut self, cut: &Cut) -> HeapFrozen;
    fn completed(&mut self, checkpoint: u64);
    fn aborted(&mut self, checkpoint: u64);
    fn loaded(&mut self, checkpoint: u64);
    fn clear(&mut self);
    fn sweep(&mut self, now: i64, steps: usize) -> usize;
    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Saved;
    fn bytes(&self) -> u64;
    fn rows(&self) -> u64;
}

impl<K: Key, P: Payload<K>> Held for Table<K, P> {
    fn groups(&self) -> KeyGroups {
        self.groups()
    }

    fn freeze(&mut self, cut: &Cut) -> HeapFrozen {
        HeapFrozen::new(self.freeze(cut))
    }

    fn completed(&mut self, checkpoint: u64) {
        self.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.aborted(checkpoint);
    }

    fn loaded(&mut self, checkpoint: u64) {
        self.loaded(checkpoint);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn sweep(&mut self, now: i64, steps: usize) -> usize {
        self.sweep(now, steps)
    }

    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Saved {
        let Some(key) = key else {
            return done(self.each(group, |row| written(P::save(row, None, judge, out))));
        };
        let found = self.keys().decode::<K>(key);
        match found.as_ref().and_then(|key| self.find(self.locate(group, key)?)) {
            Some(row) => Ok(P::save(row, None, judge, out)?),
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }

    fn rows(&self) -> u64 {
        self.rows()
    }
}

/// Returns where `key` lives, and refuses one that does not belong to `group`.
pub(crate) fn located<'k, K: Key, P: Payload<K>>(
    table: &Table<K, P>,
    group: KeyGroup,
    key: &'k K,
) -> Result<At<'k, K>, Malformed> {
    table.locate(group, key).ok_or(Malformed::new(Fault::Identity, 0))
}

/// Implements `State` for a type with a description, `held`, `held_mut` and `load_row`, and perhaps
/// with something beside its rows that is cleared with them.
macro_rules! state {
    ($state:ident<$($type:ident: $bound:path),+> $(, clears $beside:ident)?) => {
        impl<$($type: $bound),+> holdwater::state::State for $state<$($type),+> {
            type Error = HeapError;
            type Frozen = HeapFrozen;

            fn description(&self) -> &Description {
                &self.description
            }

            fn groups(&self) -> KeyGroups {
                self.held().groups()
            }

            fn freeze(&mut self, cut: &holdwater::state::Cut) -> Result<HeapFrozen, HeapError> {
                Ok(self.held_mut().freeze(cut))
            }

            fn completed(&mut self, checkpoint: u64) {
                self.held_mut().completed(checkpoint);
            }

            fn aborted(&mut self, checkpoint: u64) {
                self.held_mut().aborted(checkpoint);
            }

            fn load(
                &mut self,
                group: KeyGroup,
                change: Change<'_>,
                form: &Form<'_>,
            ) -> Result<(), LoadError<HeapError>> {
                self.load_row(group, change, form)
            }

            fn loaded(&mut self, checkpoint: u64) {
                self.held_mut().loaded(checkpoint);
            }

            fn clear(&mut self) -> Result<(), HeapError> {
                self.held_mut().clear();
                $(self.$beside.clear();)?
                Ok(())
            }

            fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, HeapError> {
                Ok(self.held_mut().sweep(now, steps))
            }

            fn show(
                &self,
                group: KeyGroup,
                key: Option<&[u8]>,
                moment: holdwater::state::Moment,
                out: &mut holdwater::state::RowWriter<'_>,
            ) -> Result<(), holdwater::state::SaveError<HeapError>> {
                let stamped = self.description.stamped;
                let judge = stamped.map(|stamped| stamped.at(moment.by(stamped.expiry.domain)));
                self.held().show(group, key, judge.as_ref(), out)
            }

            fn bytes(&self) -> u64 {
                self.held().bytes()
            }

            fn rows(&self) -> u64 {
                self.held().rows()
            }
        }
    };
}

pub(crate) use state;
