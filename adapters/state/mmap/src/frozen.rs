//! Frozen states: what a snapshot saves while the owner writes on.

use std::fmt;
use std::sync::Arc;

use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::state::{Cutoff, Frozen, Kind, RowWriter, SaveError, Shape};

use crate::budget::Hold;
use crate::entry::Entry;
use crate::error::MmapError;
use crate::group::Group;
use crate::layout::Layout;
use crate::log::{Log, Saved, failed};
use crate::piece::Pieces;
use crate::slot::{Slot, What};

/// A state as it was at one moment.
///
/// It shares index, tail and files with the state, which copies a table of the index before it
/// first writes to it, appends to new pages, and keeps no file that it does not need.
pub struct MmapFrozen(Box<dyn Frozen<Error = MmapError>>);

impl MmapFrozen {
    pub(crate) fn new<S: Slot>(view: View<S>) -> Self {
        Self(Box::new(view))
    }
}

impl fmt::Debug for MmapFrozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapFrozen").finish_non_exhaustive()
    }
}

impl Frozen for MmapFrozen {
    type Error = MmapError;

    fn shape(&self, group: KeyGroup) -> Shape {
        self.0.shape(group)
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved {
        self.0.save(group, out)
    }

    fn get(&self, group: KeyGroup, key: &[u8], out: &mut RowWriter<'_>) -> Saved {
        self.0.get(group, key, out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved {
        self.0.scan(group, out)
    }

    fn verify(&self) -> Result<(), MmapError> {
        self.0.verify()
    }

    fn locator_seed(&self) -> Option<u64> {
        self.0.locator_seed()
    }
}

/// The rows of a state at one moment.
#[derive(Debug)]
pub(crate) struct View<S> {
    pub(crate) layout: Arc<Layout>,
    pub(crate) groups: KeyGroups,
    pub(crate) parts: Vec<Group<S>>,
    pub(crate) pieces: Pieces,
    /// The freeze that a delta stands on; without one, everything is written.
    pub(crate) base: Option<u32>,
    /// What to write whatever the base.
    pub(crate) what: Option<What>,
    /// What had expired, if rows expire.
    pub(crate) cutoff: Option<Cutoff>,
    /// Counts what is kept for it alone.
    #[expect(dead_code, reason = "it gives back what it counts when it is dropped")]
    pub(crate) hold: Arc<Hold>,
}

impl<S: Slot> View<S> {
    fn part(&self, group: KeyGroup) -> Option<(&Group<S>, Log<'_>)> {
        let part = self.groups.contains(group).then(|| &self.parts[self.groups.position(group)])?;
        Some((part, Log { cutoff: self.cutoff, ..part.log(&self.layout, &self.pieces) }))
    }

    fn write(&self, group: KeyGroup, what: What, out: &mut RowWriter<'_>) -> Saved {
        self.part(group).map_or(Ok(()), |(part, log)| write(part, log, what, out))
    }
}

/// Writes rows of a group.
pub(crate) fn write<S: Slot>(
    part: &Group<S>,
    log: Log<'_>,
    what: What,
    out: &mut RowWriter<'_>,
) -> Saved {
    if what == What::All {
        for slot in part.cold_slots(log).map_err(failed)? {
            slot.map_err(failed)?.write(what, log, out)?;
        }
    }
    match what {
        What::Tail => {
            let hashes = part.tail.hashes();
            let slots = hashes.iter().flat_map(|hash| part.index.candidates(*hash));
            slots.into_iter().try_for_each(|slot| slot.write(what, log, out))
        }
        _ if S::LIES_ALONE => {
            let mut rows: Vec<Entry> = Vec::new();
            for slot in part.index.iter() {
                slot.each(&mut |entry| rows.extend(Some(entry).filter(|e| what.takes(*e))));
                if rows.len() >= SORTED_MAX {
                    write_sorted(&mut rows, what, log, out)?;
                }
            }
            write_sorted(&mut rows, what, log, out)
        }
        _ => part.index.iter().try_for_each(|slot| slot.write(what, log, out)),
    }
}

/// Writes the rows of the key with that encoding.
pub(crate) fn write_key<S: Slot>(
    part: &Group<S>,
    log: Log<'_>,
    key: &[u8],
    out: &mut RowWriter<'_>,
) -> Saved {
    for slot in part.index.candidates(log.layout.hash(key)) {
        let mut lead = None;
        slot.each(&mut |entry| lead = Some(entry));
        let Some(lead) = lead else { continue };
        let row = log.row(lead).map_err(failed)?;
        if log.key(&row).map_err(failed)? == key {
            return slot.write(What::All, log, out);
        }
    }
    match part.cold_slot(log, key).map_err(failed)? {
        Some(slot) => slot.write(What::All, log, out),
        None => Ok(()),
    }
}

/// Returns whether a group has a row that lives. One that cannot be read counts: saving will fail
/// as well, and can say why.
fn has_live<S: Slot>(part: &Group<S>, log: Log<'_>) -> bool {
    let lives = |slot: &S| slot.has_live(log).unwrap_or(true);
    let any_cold = || match part.cold_slots(log) {
        Ok(mut slots) => slots.any(|slot| slot.is_ok_and(|slot| lives(&slot))),
        Err(_) => true,
    };
    part.has_rows() && (log.cutoff.is_none() || part.index.iter().any(lives) || any_cold())
}

/// Writes rows in the order in which they lie: files are read from front to back.
fn write_sorted(rows: &mut Vec<Entry>, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved {
    rows.sort_unstable_by_key(|entry| entry.order());
    let mut ahead = 0;
    for (at, row) in rows.iter().enumerate() {
        if at >= ahead {
            ahead = log.prefetch(&rows[at..]) + at;
        }
        row.write(what, log, out)?;
    }
    rows.clear();
    Ok(())
}

impl<S: Slot> Frozen for View<S> {
    type Error = MmapError;

    fn shape(&self, group: KeyGroup) -> Shape {
        let part = self.part(group);
        if self.what == Some(What::Tail) {
            return match part {
                Some((part, _)) if part.tail.live() > 0 => Shape::Delta,
                _ => Shape::Unchanged,
            };
        }
        let part = part.filter(|(part, log)| has_live(part, *log)).map(|(part, _)| part);
        match (part, self.base) {
            (None, _) => Shape::Empty,
            (Some(part), Some(base)) if part.changed <= base => Shape::Unchanged,
            // What began after the base has nothing of it.
            (Some(part), Some(base)) if part.born <= base => Shape::Delta,
            (Some(_), _) => Shape::Full,
        }
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved {
        match (self.shape(group), self.base) {
            (Shape::Empty | Shape::Unchanged, _) => Ok(()),
            (Shape::Delta, _) if self.what.is_some() => self.write(group, What::Tail, out),
            (Shape::Delta, Some(base)) => self.write(group, What::Since(base), out),
            _ => self.scan(group, out),
        }
    }

    fn get(&self, group: KeyGroup, key: &[u8], out: &mut RowWriter<'_>) -> Saved {
        self.part(group).map_or(Ok(()), |(part, log)| write_key(part, log, key, out))
    }

    fn verify(&self) -> Result<(), MmapError> {
        let adopted = self.parts.iter().filter_map(|part| part.adopted.as_ref());
        adopted.into_iter().try_for_each(|part| part.verify(&self.layout))
    }

    fn locator_seed(&self) -> Option<u64> {
        let is_located = self.layout.kind() != Kind::Timers;
        is_located.then(|| self.layout.locator_seed())
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<MmapError>> {
        self.write(group, What::All, out)
    }
}

/// How many rows are sorted at once: 1 MiB of them.
const SORTED_MAX: usize = 1 << 16;
