//! The search for what has expired: table by table of the index, some values at a time.

use holdwater::key::KeyGroup;
use holdwater::state::{Cut, Cutoff, Expiry, Kind, Passes, Raw};

use crate::entry::Entry;
use crate::error::MmapError;
use crate::fields::remove_field;
use crate::log::Log;
use crate::node::Node;
use crate::slot::Slot;
use crate::table::Table;
use crate::value;

/// How far the search has got.
#[derive(Debug, Default)]
pub(crate) struct Search {
    passes: Passes,
    /// The latest time at which the state was frozen: what had expired once stays expired.
    frozen: Option<i64>,
    /// The group by position, and the table of its index that is next.
    group: usize,
    table: usize,
    /// The number of the row in a file of a checkpoint that is next.
    cold: u64,
    /// Keys of that group that are still to be looked at, and at which of its entries to go on.
    keys: Vec<Vec<u8>>,
    from: usize,
}

/// A look at some values.
#[derive(Debug)]
pub(crate) struct Look<'l> {
    expiry: Expiry,
    cutoff: Cutoff,
    passes: &'l mut Passes,
    /// How many values were looked at.
    seen: usize,
}

impl Look<'_> {
    /// Looks at a value, as encoded; returns whether it lives.
    pub(crate) fn finds_live(&mut self, log: Log<'_>, value: &[u8]) -> Result<bool, MmapError> {
        self.seen += 1;
        let stamp = log.layout.stamp(value)?;
        let live = !self.cutoff.includes(stamp);
        if live {
            self.passes.meet(self.expiry.deadline(stamp));
        }
        Ok(live)
    }
}

impl<S: Slot> Table<S> {
    /// Returns what has expired in what is frozen, if rows expire.
    pub(crate) fn cutoff(&mut self, cut: &Cut) -> Option<Cutoff> {
        let expiry = self.layout.description.expiry()?;
        let now = cut.moment().by(expiry.domain);
        let now = self.search.frozen.map_or(now, |frozen| frozen.max(now));
        self.search.frozen = Some(now);
        Some(expiry.cutoff(now))
    }

    /// Drops what has expired by `now`, in at most `steps` steps; returns how many it took.
    pub(crate) fn expire(&mut self, now: i64, steps: usize) -> Result<usize, MmapError> {
        let Some(expiry) = self.layout.description.expiry() else { return Ok(0) };
        let mut done = 0;
        while done < steps && self.search.passes.is_under_way(now) {
            // Taken out, so that rows can be changed.
            let mut search = std::mem::take(&mut self.search);
            let searched = self.search_on(&mut search, expiry, now);
            self.search = search;
            searched?;
            done += 1;
        }
        Ok(done)
    }

    /// Goes on with the search for one step.
    fn search_on(
        &mut self,
        search: &mut Search,
        expiry: Expiry,
        now: i64,
    ) -> Result<(), MmapError> {
        let Search { passes, group, table, cold, keys, from, .. } = search;
        let mut look = Look { expiry, cutoff: expiry.cutoff(now), passes, seen: 0 };
        while look.seen < VALUES_PER_STEP {
            let Some(part) = self.parts.get(*group) else {
                (*group, *table, *cold) = (0, 0, 0);
                look.passes.end(expiry);
                return Ok(());
            };
            let id = KeyGroup::new(self.groups.first() + *group as u16);
            if let Some(key) = keys.last() {
                self.remove(id, |write| write.warm(key))?;
                let next = S::expire(self, id, key, *from, &mut look)?;
                *from = next.unwrap_or(0);
                if next.is_none() {
                    keys.pop();
                }
            } else if *table < part.index.tables() {
                let log = part.log(&self.layout, &self.files.pieces);
                for slot in part.index.table(*table) {
                    if slot.may_expire(log, &mut look)? {
                        keys.push(log.key(&log.row(slot.lead())?)?.to_vec());
                    }
                }
                *table += 1;
                look.seen += 1;
            } else if *cold < part.cold_len() {
                let log = part.log(&self.layout, &self.files.pieces);
                if let Some((key, slot)) = part.cold_row(log, *cold)?
                    && slot.has_expired(log, &mut look)?
                {
                    keys.push(key);
                }
                *cold += 1;
                look.seen += 1;
            } else {
                (*group, *table, *cold) = (*group + 1, 0, 0);
            }
        }
        Ok(())
    }
}

/// Drops the value of a key, which has expired.
pub(crate) fn value(
    table: &mut Table<Entry>,
    group: KeyGroup,
    key: &[u8],
    look: &mut Look<'_>,
) -> Result<(), MmapError> {
    let (part, log) = table.part(group);
    let mut expired = false;
    for entry in part.index.candidates(log.layout.hash(key)).filter(|entry| !entry.is_removed()) {
        let row = log.row(*entry)?;
        if row.is_of(key) {
            expired = !look.finds_live(log, row.body())?;
        }
    }
    if expired { table.remove(group, |write| value::remove(write, key)) } else { Ok(()) }
}

/// Looks at rows of a node from that of number `from` on, and drops what has expired; returns where
/// to go on.
pub(crate) fn node(
    table: &mut Table<Node>,
    group: KeyGroup,
    key: &[u8],
    from: usize,
    look: &mut Look<'_>,
) -> Result<Option<usize>, MmapError> {
    match table.layout.kind() {
        Kind::List => chunks(table, group, key, from, look),
        _ => fields(table, group, key, from, look),
    }
}

fn fields(
    table: &mut Table<Node>,
    group: KeyGroup,
    key: &[u8],
    from: usize,
    look: &mut Look<'_>,
) -> Result<Option<usize>, MmapError> {
    let (part, log) = table.part(group);
    let Some(node) = log.node(&part.index, log.layout.hash(key), key)? else { return Ok(None) };
    let (mut expired, mut next, begun) = (Vec::new(), from, look.seen);
    let mut is_end = true;
    for entry in node.iter().skip(from) {
        if look.seen - begun == VALUES_PER_STEP {
            is_end = false;
            break;
        }
        next += 1;
        if !entry.is_removed() {
            let row = log.row(entry)?;
            if !look.finds_live(log, log.value(&row)?)? {
                expired.push(log.field(&row)?.to_vec());
            }
        }
    }
    if !table.freezes.are_open() {
        // They leave no gap.
        next -= expired.len();
    }
    for field in expired {
        table.remove(group, |write| remove_field(write, key, &field))?;
    }
    Ok((!is_end).then_some(next))
}

/// Writes a chunk of a list anew, without the items that have expired.
fn chunks(
    table: &mut Table<Node>,
    group: KeyGroup,
    key: &[u8],
    from: usize,
    look: &mut Look<'_>,
) -> Result<Option<usize>, MmapError> {
    let (part, log) = table.part(group);
    let hash = log.layout.hash(key);
    let Some(node) = log.node(&part.index, hash, key)? else { return Ok(None) };
    let Some(old) = node.chunks().get(from).copied() else { return Ok(None) };
    if old.is_removed() {
        return Ok(Some(from + 1));
    }
    let row = log.row(old)?;
    let mut items: Vec<Raw<'_>> = Vec::new();
    for item in log.items(&row, old.count())? {
        if look.finds_live(log, item.0)? {
            items.push(item);
        }
    }
    let (live, gone) = (items.len() as u32, old.count() - items.len() as u32);
    if gone == 0 {
        return Ok(Some(from + 1));
    }
    if node.live == u64::from(gone) {
        table.remove(group, |write| write.drop_key(key))?;
        return Ok(None);
    }
    let bytes: Vec<u8> = items.iter().flat_map(|item| item.0).copied().collect();
    let lead = node.lead();
    if table.room_for(group, key.len() + bytes.len())? {
        // What was found lies elsewhere.
        return Ok(Some(from));
    }
    table.remove(group, |write| {
        write.touch();
        let now = write.now;
        let place = (live > 0)
            .then(|| write.group.append(hash, &[key, &bytes], key.len() + bytes.len(), key.len()));
        write.with_node(hash, lead, |node| {
            let chunks = node.chunks_mut();
            match place {
                Some(place) => chunks[from] = Entry::new(0, now, place).with_count(live),
                None => drop(chunks.remove(from)),
            }
            // What is left is written anew: nothing is kept by its rank.
            node.live -= u64::from(gone);
            node.reset = now;
        });
        write.release(old);
        Ok(())
    })?;
    Ok(Some(from + usize::from(live > 0)))
}

/// How many values a step looks at.
const VALUES_PER_STEP: usize = 256;
