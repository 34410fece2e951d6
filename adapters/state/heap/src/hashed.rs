//! The fields of one map: few in one piece, many in a tree of small tables that snapshots share.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;
use core::ops::ControlFlow;

use hashbrown::HashTable;
use holdwater::codec::{EncodeError, Encoding, encode};
use holdwater::key::Key;
use holdwater::state::{OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::row::{Touch, owned_bytes, segment_rows_max};
use crate::version::Removed;

/// The fields of one map. Cloning takes a handle; the first write after it copies a small table.
#[derive(Clone, Debug)]
pub(crate) struct Fields<F, C> {
    root: Arc<Node<F, C>>,
    length: u64,
    /// Bytes of the nodes, and of what fields and values own beside them.
    bytes: usize,
    removed: Removed<F>,
}

#[derive(Clone, Debug)]
enum Node<F, C> {
    /// Up to sixteen, one behind the other.
    Few(Vec<Field<F, C>>),
    Table(HashTable<Field<F, C>>),
    /// By four bits of the digest.
    Branch(Box<[Option<Arc<Self>>; 16]>),
    /// By encoded field: those whose digests are equal as far as branches go.
    Ordered(BTreeMap<Box<[u8]>, Field<F, C>>),
}

#[derive(Clone, Debug)]
struct Field<F, C> {
    field: F,
    /// The version of its last change.
    changed: u32,
    cell: C,
}

impl<F: Key, C: Cell> Fields<F, C> {
    pub(crate) fn new(touch: &mut Touch) -> Self {
        let bytes = size_of::<[usize; 2]>() + size_of::<Node<F, C>>();
        touch.meter.owned += bytes.cast_signed();
        let root = Arc::new(Node::Few(Vec::new()));
        Self { root, length: 0, bytes, removed: Removed::new() }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.removed.bytes()
    }

    #[inline]
    pub(crate) fn get(&self, view: F::View<'_>, encoding: Encoding) -> Option<&C::Value> {
        let (mut node, mut digest, mut depth) = (&*self.root, None, 0);
        let found = loop {
            match node {
                Node::Few(fields) => break fields.iter().find(|field| field.field.is(view)),
                Node::Table(fields) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    break fields.find(digest, |field| field.field.is(view));
                }
                Node::Branch(children) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    node = children[child(digest, depth)].as_deref()?;
                    depth += 1;
                }
                Node::Ordered(fields) => break fields.get(&*encoded::<F>(view, encoding)),
            }
        };
        found.map(|field| field.cell.get())
    }

    /// Edits the value of a field, or makes it; returns whether it is new beside the result.
    pub(crate) fn write<A, R>(
        &mut self,
        view: F::View<'_>,
        touch: &mut Touch,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (C, R),
        edit: impl FnOnce(A, &mut C, &mut Touch) -> R,
    ) -> (R, bool) {
        self.forget(touch);
        let owned_before = touch.meter.owned;
        let now = touch.now;
        let written = if let Some(field) = self.find_mut(view, touch) {
            field.changed = now;
            (edit(input, &mut field.cell, touch), false)
        } else {
            let (cell, result) = insert(input, touch);
            let field = Field { field: F::own(view), changed: now, cell };
            touch.meter.owned += owned_bytes(&field.field, touch.encoding).cast_signed();
            self.insert(field, touch);
            (result, true)
        };
        self.bytes = self.bytes.wrapping_add_signed(touch.meter.owned - owned_before);
        written
    }

    /// Removes a field; returns whether it was there.
    pub(crate) fn remove(&mut self, view: F::View<'_>, touch: &mut Touch) -> bool {
        let (digest, mut depth) = (slot::<F>(view), 0);
        let mut node = unshare(&mut self.root, touch);
        let gone = loop {
            match node {
                Node::Few(fields) => {
                    let index = fields.iter().position(|field| field.field.is(view));
                    break index.map(|index| fields.swap_remove(index));
                }
                Node::Table(fields) => {
                    let entry = fields.find_entry(digest, |field| field.field.is(view));
                    break entry.ok().map(|entry| entry.remove().0);
                }
                Node::Branch(children) => {
                    let Some(child) = &mut children[child(digest, depth)] else { break None };
                    node = unshare(child, touch);
                    depth += 1;
                }
                Node::Ordered(fields) => break fields.remove(&*encoded::<F>(view, touch.encoding)),
            }
        };
        let Some(gone) = gone else { return false };
        let bytes = owned_bytes(&gone.field, touch.encoding) + gone.cell.bytes();
        self.bytes -= bytes;
        self.length -= 1;
        touch.meter.owned -= bytes.cast_signed();
        self.forget(touch);
        if touch.base.is_some() {
            let grown = self.removed.push(touch.now, gone.field);
            touch.meter.owned += grown.cast_signed();
        }
        true
    }

    /// Writes the fields of `other` too; of those that are here already, `combine` makes one value.
    pub(crate) fn absorb(
        &mut self,
        other: &Self,
        touch: &mut Touch,
        mut combine: impl FnMut(&mut C::Value, C::Value),
    ) {
        let _ = other.each(|field, value| {
            let insert = |value: C::Value, touch: &mut Touch| (C::new(value, touch), ());
            let edit = |value: C::Value, cell: &mut C, touch: &mut Touch| {
                cell.edit(touch, |old| combine(old, value));
            };
            self.write(field.view(), touch, value.clone(), insert, edit);
            ControlFlow::Continue(())
        });
    }

    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(&F, &C::Value) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        each(&self.root, &mut |field: &Field<F, C>| visit(&field.field, field.cell.get()))
    }

    /// Writes the fields of `key` that changed after `base`, and before them those removed.
    pub(crate) fn save<K: Key>(
        &self,
        key: &K,
        base: Option<u32>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        if let Some(base) = base {
            out.removed_fields(key, self.removed.since(base))?;
        }
        save(&self.root, key, base, out)
    }

    /// Drops what no base needs of the log of removed fields.
    fn forget(&mut self, touch: &mut Touch) {
        while let Some(bytes) = self.removed.drop_through(touch.base.unwrap_or(u32::MAX)) {
            touch.meter.owned -= bytes.cast_signed();
        }
    }

    fn find_mut(&mut self, view: F::View<'_>, touch: &mut Touch) -> Option<&mut Field<F, C>> {
        let (mut digest, mut depth) = (None, 0);
        let mut node = unshare(&mut self.root, touch);
        loop {
            match node {
                Node::Few(fields) => return fields.iter_mut().find(|field| field.field.is(view)),
                Node::Table(fields) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    return fields.find_mut(digest, |field| field.field.is(view));
                }
                Node::Branch(children) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    node = unshare(children[child(digest, depth)].as_mut()?, touch);
                    depth += 1;
                }
                Node::Ordered(fields) => {
                    return fields.get_mut(&*encoded::<F>(view, touch.encoding));
                }
            }
        }
    }

    /// Inserts a field that is not there.
    fn insert(&mut self, field: Field<F, C>, touch: &mut Touch) {
        self.length += 1;
        let (digest, mut depth) = (field.slot(), 0);
        let mut node = unshare(&mut self.root, touch);
        loop {
            if node.is_full(depth) {
                let before = node.bytes();
                node.divide(depth, touch.encoding);
                touch.meter.owned += node.bytes().cast_signed() - before.cast_signed();
            }
            if let Node::Branch(children) = node {
                let child = &mut children[child(digest, depth)];
                node = unshare(child.get_or_insert_with(|| Arc::new(Node::Few(Vec::new()))), touch);
                depth += 1;
                continue;
            }
            let before = node.bytes();
            match node {
                Node::Few(fields) => fields.push(field),
                Node::Table(fields) => {
                    fields.insert_unique(digest, field, Field::slot);
                }
                Node::Ordered(fields) => {
                    fields.insert(encoded::<F>(field.field.view(), touch.encoding), field);
                }
                Node::Branch(_) => unreachable!("descended above"),
            }
            touch.meter.owned += node.bytes().cast_signed() - before.cast_signed();
            return;
        }
    }
}

impl<F: Key, C: Cell> Node<F, C> {
    const TABLE_FIELDS_MAX: usize = segment_rows_max::<Field<F, C>>();

    /// Returns whether no field more goes into a leaf of that depth.
    fn is_full(&self, depth: u32) -> bool {
        match self {
            Self::Few(fields) => fields.len() >= FEW_MAX,
            Self::Table(fields) => fields.len() >= Self::TABLE_FIELDS_MAX && depth <= DEPTH_MAX,
            Self::Branch(_) | Self::Ordered(_) => false,
        }
    }

    /// Makes room: a table of few fields, and of a table a branch or, at the end, an order.
    fn divide(&mut self, depth: u32, encoding: Encoding) {
        match core::mem::replace(self, Self::Few(Vec::new())) {
            Self::Few(fields) => {
                let mut table = HashTable::with_capacity(2 * FEW_MAX);
                for field in fields {
                    table.insert_unique(field.slot(), field, Field::slot);
                }
                *self = Self::Table(table);
            }
            Self::Table(fields) if depth < DEPTH_MAX => {
                let mut children: [Vec<Field<F, C>>; 16] = Default::default();
                for field in fields {
                    children[child(field.slot(), depth)].push(field);
                }
                *self = Self::Branch(Box::new(children.map(Self::leaf)));
            }
            Self::Table(fields) => {
                let keyed =
                    |field: Field<F, C>| (encoded::<F>(field.field.view(), encoding), field);
                *self = Self::Ordered(fields.into_iter().map(keyed).collect());
            }
            other => *self = other,
        }
    }

    fn leaf(fields: Vec<Field<F, C>>) -> Option<Arc<Self>> {
        if fields.is_empty() {
            return None;
        }
        if fields.len() <= FEW_MAX {
            return Some(Arc::new(Self::Few(fields)));
        }
        let mut table = HashTable::with_capacity(fields.len());
        for field in fields {
            table.insert_unique(field.slot(), field, Field::slot);
        }
        Some(Arc::new(Self::Table(table)))
    }

    /// Returns how many bytes the node takes, those of its children included where it was just
    /// divided into them.
    fn bytes(&self) -> usize {
        match self {
            Self::Few(fields) => fields.capacity() * size_of::<Field<F, C>>(),
            Self::Table(fields) => fields.allocation_size(),
            Self::Branch(children) => {
                let node = size_of::<[usize; 2]>() + size_of::<Self>();
                let children = children.iter().flatten().map(|child| node + child.bytes());
                size_of::<[Option<Arc<Self>>; 16]>() + children.sum::<usize>()
            }
            Self::Ordered(fields) => {
                fields.len() * (size_of::<Field<F, C>>() + 2 * size_of::<Box<[u8]>>())
            }
        }
    }
}

impl<F: Key, C> Field<F, C> {
    fn slot(&self) -> u64 {
        slot::<F>(self.field.view())
    }
}

/// Returns a node that can be written, copied if a snapshot holds it.
fn unshare<'n, F: Key, C: Cell>(
    node: &'n mut Arc<Node<F, C>>,
    touch: &mut Touch,
) -> &'n mut Node<F, C> {
    if Arc::get_mut(node).is_none() {
        let bytes = match &**node {
            Node::Branch(_) => size_of::<[Option<Arc<Node<F, C>>>; 16]>(),
            leaf => leaf.bytes(),
        };
        touch.meter.held += bytes.cast_signed();
    }
    Arc::make_mut(node)
}

fn each<F, C, B>(
    node: &Node<F, C>,
    visit: &mut impl FnMut(&Field<F, C>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match node {
        Node::Few(fields) => fields.iter().try_for_each(visit),
        Node::Table(fields) => fields.iter().try_for_each(visit),
        Node::Branch(children) => {
            children.iter().flatten().try_for_each(|child| each(child, visit))
        }
        Node::Ordered(fields) => fields.values().try_for_each(visit),
    }
}

/// Writes the fields of a node that changed after `base`.
fn save<K: Key, F: Key, C: Cell>(
    node: &Node<F, C>,
    key: &K,
    base: Option<u32>,
    out: &mut RowWriter<'_>,
) -> Result<(), EncodeError<OutputFailed>> {
    fn pair<F, C: Cell>(field: &Field<F, C>) -> (&F, &C::Value) {
        (&field.field, field.cell.get())
    }
    let changed = |field: &&Field<F, C>| base.is_none_or(|base| field.changed > base);
    match node {
        Node::Few(fields) => out.entries(key, fields.iter().filter(changed).map(pair)),
        Node::Table(fields) => out.entries(key, fields.iter().filter(changed).map(pair)),
        Node::Branch(children) => {
            children.iter().flatten().try_for_each(|child| save(child, key, base, out))
        }
        Node::Ordered(fields) => out.entries(key, fields.values().filter(changed).map(pair)),
    }
}

#[inline]
fn slot<F: Key>(view: F::View<'_>) -> u64 {
    F::slot(view, F::digest(view))
}

/// Returns which child of a branch a digest falls in: by bits that no table uses.
#[inline]
const fn child(digest: u64, depth: u32) -> usize {
    (digest >> (52 - 4 * depth)) as usize & 15
}

fn encoded<F: Key>(view: F::View<'_>, encoding: Encoding) -> Box<[u8]> {
    let mut bytes = Vec::new();
    // A field that refuses to serialize is a bug of its type, and is reported when it is saved.
    let _ = encode(&view, encoding, &mut bytes);
    bytes.into()
}

const FEW_MAX: usize = 16;
/// Bits 55 to 16: the top seven are a table's tags, the low ones its buckets.
const DEPTH_MAX: u32 = 10;
