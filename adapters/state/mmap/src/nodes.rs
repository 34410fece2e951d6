//! Changes of nodes: what lists, maps and timers share.

use std::borrow::Cow;
use std::ops::ControlFlow;

use holdwater::key::{Key, KeyGroup};

use crate::entry::Entry;
use crate::error::MmapError;
use crate::index::Index;
use crate::log::Log;
use crate::node::Node;
use crate::slot::Slot;
use crate::table::{Table, Write};

impl<'a> Log<'a> {
    /// Returns the node of a key, which may hold no row.
    pub(crate) fn node<'n>(
        self,
        index: &'n Index<Node>,
        hash: u32,
        key: &[u8],
    ) -> Result<Option<&'n Node>, MmapError> {
        for node in index.candidates(hash) {
            if self.row(node.lead())?.is_of(key) {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }
}

impl Table<Node> {
    /// Returns the node of a key, which may hold no row.
    pub(crate) fn node(
        &self,
        group: KeyGroup,
        key: &[u8],
    ) -> Result<Option<Cow<'_, Node>>, MmapError> {
        let (part, log) = self.part(group);
        match log.node(&part.index, self.layout.hash(key), key)? {
            Some(node) => Ok(Some(Cow::Borrowed(node))),
            None => Ok(part.cold_slot(log, key)?.map(Cow::Owned)),
        }
    }

    /// Shows each key of `group` that has a row.
    pub(crate) fn each_key<K: Key>(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let Some((part, log)) = self.visited(group) else { return Ok(()) };
        for node in part.index.iter().filter(|node| !node.is_gone()) {
            let key = self.layout.key(&log.row(node.lead())?.bytes)?;
            if visit(&key).is_break() {
                return Ok(());
            }
        }
        for node in part.cold_slots(log)? {
            let key = self.layout.key(&log.row(node?.lead())?.bytes)?;
            if visit(&key).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Write<'_, Node> {
    /// Adds the node of a key that had none.
    pub(crate) fn add_node(&mut self, node: Node) {
        self.touch();
        self.group.owned += node.owned();
        self.group.rows += 1;
        self.group.index.insert(node);
    }

    /// Changes the node that begins with `lead`, and counts what it takes and whether it has rows.
    pub(crate) fn with_node<R>(
        &mut self,
        hash: u32,
        lead: Entry,
        change: impl FnOnce(&mut Node) -> R,
    ) -> R {
        let group = &mut *self.group;
        let node = group.index.find_mut(hash, |node| node.lead() == lead);
        let node = node.expect("a node that was found is there");
        let (owned, had) = (node.owned(), !node.is_gone());
        let result = change(node);
        let (now, has, copied) = (node.owned(), !node.is_gone(), node.take_copied());
        group.owned = group.owned + now - owned;
        group.let_go += copied;
        group.rows = group.rows + u64::from(has) - u64::from(had);
        result
    }

    /// Drops all rows of a key.
    pub(crate) fn drop_key(&mut self, key: &[u8]) -> Result<(), MmapError> {
        self.warm(key)?;
        let (hash, now) = (self.layout.hash(key), self.now);
        let found = self.log().node(&self.group.index, hash, key)?;
        let Some(lead) = found.filter(|node| !node.is_gone()).map(Slot::lead) else {
            return Ok(());
        };
        self.touch();
        if self.lose() {
            return Ok(());
        }
        // `lose` has counted it.
        self.group.rows += 1;
        let mut gone = Vec::new();
        self.with_node(hash, lead, |node| node.reset(now, |entry| gone.push(entry)));
        gone.into_iter().for_each(|entry| self.release(entry));
        if self.remembers {
            *self.removed += usize::from(!lead.is_removed());
        } else {
            self.drop_node(hash, lead.removed(now), lead);
        }
        Ok(())
    }

    /// Takes out a node of which only `last` is left, which was `was` before it was dropped.
    pub(crate) fn drop_node(&mut self, hash: u32, last: Entry, was: Entry) {
        let node = self.group.index.remove(hash, |node| node.lead() == last);
        let node = node.expect("a node that was found is there");
        self.group.owned -= node.owned();
        self.release(was);
    }
}
