//! A pass over the index: rows leave files that are mostly unused, and what was removed is
//! forgotten. Each step looks at one table of the index.

use crate::entry::Entry;
use crate::error::MmapError;
use crate::group::{Group, append};
use crate::slot::Slot;
use crate::table::Table;
use crate::tail::{HEAD_LEN, PAGE_MAX};

/// How far a pass has come.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The pieces whose rows move to the tail, ascending.
    victims: Vec<u16>,
    /// The group by position, and the table of its index that is next.
    group: usize,
    table: usize,
    /// The number of the row in a file of a checkpoint that is next, before the tables are.
    cold: u64,
}

impl<S: Slot> Table<S> {
    /// Begins a pass if there is enough to do to be worth a look at every row.
    pub(crate) fn consider(&mut self) {
        if self.pass.is_some() {
            return;
        }
        let (mut victims, mut rows, mut all) = (Vec::new(), 0, 0);
        for (number, of) in self.files.uses() {
            all += of.rows;
            if of.named * 2 < of.rows {
                victims.push(number);
                rows += of.rows;
            }
        }
        let few = self.files.pool.segment_bytes / ROW_BYTES;
        let are_removed = self.removed > 2 * self.unsettled + few;
        if rows * 4 > all || are_removed {
            self.pass = Some(Pass { victims, group: 0, table: 0, cold: 0 });
        }
    }

    /// Does a step of a pass with every few writes.
    pub(crate) fn pace(&mut self) -> Result<(), MmapError> {
        self.paced += 1;
        if self.paced < WRITES_PER_STEP {
            return Ok(());
        }
        self.paced = 0;
        self.step()
    }

    /// Looks at the next table of the index.
    pub(crate) fn step(&mut self) -> Result<(), MmapError> {
        let Some(mut pass) = self.pass.take() else { return Ok(()) };
        let is_done = |group: &Group<S>, pass: &Pass| {
            pass.table >= group.index.tables() && pass.cold >= group.cold_len()
        };
        while self.parts.get(pass.group).is_some_and(|group| is_done(group, &pass)) {
            (pass.group, pass.table, pass.cold) = (pass.group + 1, 0, 0);
        }
        if pass.group >= self.parts.len() {
            self.unsettled = self.removed;
            return Ok(());
        }
        let done = match pass.cold < self.parts[pass.group].cold_len() {
            true => self.warm_some(&mut pass),
            false => self.settle(&pass).and_then(|()| self.relocate(&pass)).map(|done| {
                pass.table += usize::from(done);
            }),
        };
        // After an error the same table is next.
        self.pass = Some(pass);
        done
    }

    /// Lets the index take over some rows of a file that is to go, as long as it has room.
    fn warm_some(&mut self, pass: &mut Pass) -> Result<(), MmapError> {
        let group = &self.parts[pass.group];
        let (log, len) = (group.log(&self.layout, &self.files.pieces), group.cold_len());
        let piece = group.cold.as_ref().map(|cold| cold.part.piece);
        let is_victim = piece.is_some_and(|piece| pass.victims.binary_search(&piece).is_ok());
        if !is_victim || self.is_over_budget() {
            pass.cold = len;
            return Ok(());
        }
        let (end, mut keys) = (len.min(pass.cold + COLD_PER_STEP), Vec::new());
        for number in pass.cold..end {
            keys.extend(group.cold_row(log, number)?.map(|(key, _)| key));
        }
        let mut write = self.write(pass.group);
        keys.iter().try_for_each(|key| write.warm(key))?;
        self.count(pass.group);
        pass.cold = end;
        Ok(())
    }

    /// Forgets what was removed before any freeze that a delta may stand on.
    fn settle(&mut self, pass: &Pass) -> Result<(), MmapError> {
        let oldest = self.freezes.oldest();
        let group = &self.parts[pass.group];
        let is_old = |entry: &Entry| entry.is_removed() && entry.changed() < oldest;
        let mut found = false;
        for slot in group.index.table(pass.table) {
            slot.each(&mut |entry| found |= is_old(&entry));
        }
        if !found {
            return Ok(());
        }
        let write = self.write(pass.group);
        let (group, files, removed) = (write.group, write.files, write.removed);
        let (index, tail) = (&mut group.index, &mut group.tail);
        let mut owned = 0isize;
        index.retain(pass.table, |slot| {
            let before = slot.owned();
            let stays = slot.settle(oldest, &mut |entry| {
                *removed -= 1;
                match entry.is_in_tail() {
                    true => tail.drop(entry.place().offset),
                    false => files.release(entry.place().piece),
                }
            });
            let after = if stays { slot.owned() } else { 0 };
            owned += after.cast_signed() - before.cast_signed();
            stays
        });
        group.owned = group.owned.wrapping_add_signed(owned);
        self.count(pass.group);
        Ok(())
    }

    /// Copies rows of a table out of the victims; returns whether all were.
    fn relocate(&mut self, pass: &Pass) -> Result<bool, MmapError> {
        let is_victim = |entry: Entry| pass.victims.binary_search(&entry.piece()).is_ok();
        let mut moving = Vec::new();
        for slot in self.parts[pass.group].index.table(pass.table) {
            let mut moves = false;
            slot.each(&mut |entry| moves |= is_victim(entry));
            if moves {
                moving.push(slot.hash());
            }
        }
        moving.dedup();
        let (mut bytes, mut done) = (0, true);
        for hash in moving {
            if bytes > STEP_BYTES {
                done = false;
                break;
            }
            bytes += self.relocate_hash(pass.group, hash, &is_victim)?;
        }
        Ok(done)
    }

    /// Copies rows of the keys with that hash to the tail; returns how many bytes.
    fn relocate_hash(
        &mut self,
        position: usize,
        hash: u32,
        is_victim: &impl Fn(Entry) -> bool,
    ) -> Result<usize, MmapError> {
        let mut copies = Vec::new();
        let mut bytes = 0;
        {
            let group = &self.parts[position];
            let log = group.log(&self.layout, &self.files.pieces);
            let mut failed = None;
            for slot in group.index.candidates(hash) {
                slot.each(&mut |entry| {
                    if failed.is_none() && is_victim(entry) && bytes <= STEP_BYTES {
                        match log.copy(entry) {
                            Ok((row, at)) => {
                                bytes += row.len();
                                copies.push((entry, row, at));
                            }
                            Err(error) => failed = Some(error),
                        }
                    }
                });
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        let heads = copies.len() * HEAD_LEN;
        self.make_room(bytes + heads + PAGE_MAX)?;
        let mut copies = copies.into_iter().peekable();
        let write = self.write(position);
        let (group, files) = (write.group, write.files);
        group.splice(hash, is_victim, &mut |tail, entry, made| {
            // Those beyond what a step copies stay for the next.
            made.push(match copies.next_if(|(copied, ..)| *copied == entry) {
                None => entry,
                Some((_, row, at)) => {
                    files.release(entry.place().piece);
                    entry.moved(append(tail, hash, &[&row], row.len(), at))
                }
            });
        });
        assert!(copies.next().is_none(), "rows stay in their places while they are copied");
        self.count(position);
        Ok(bytes)
    }
}

/// How many writes there are to a step.
const WRITES_PER_STEP: u8 = 16;

/// How many rows of a file of a checkpoint a step looks at.
const COLD_PER_STEP: u64 = 64;

/// How many bytes a step copies before it stops, but for the row that it is at.
const STEP_BYTES: usize = 64 << 10;

/// What a row is taken to take when it is asked whether there are few.
const ROW_BYTES: usize = 64;
