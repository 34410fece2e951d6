//! The fields of one map, found by digest: few in one piece, many in a tree of small tables.

mod expire;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;
use core::ops::ControlFlow;

use hashbrown::HashTable;
use holdwater::codec::{EncodeError, Encoding, encode};
use holdwater::key::Key;
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::expire::Look;
use crate::index::{Field, Index, save_fields};
use crate::row::{Touch, segment_rows_max};

/// Fields that are found by digest. The first write after a freeze copies a small table, and the
/// branches above it.
#[derive(Clone, Debug)]
pub struct Hashed<F, C> {
    root: Arc<Node<F, C>>,
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

impl<F: Key, C: Cell> Index for Hashed<F, C> {
    type Field = F;
    type Cell = C;
    /// The bits of digests that branches go by.
    type Position = u64;

    fn new() -> Self {
        Self { root: Arc::new(Node::Few(Vec::new())) }
    }

    fn bytes_min() -> usize {
        size_of::<[usize; 2]>() + size_of::<Node<F, C>>()
    }

    #[inline]
    fn get(&self, view: F::View<'_>, encoding: Encoding) -> Option<&Field<F, C>> {
        let (mut node, mut digest, mut depth) = (&*self.root, None, 0);
        loop {
            match node {
                Node::Few(fields) => return fields.iter().find(|field| field.field.is(view)),
                Node::Table(fields) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    return fields.find(digest, |field| field.field.is(view));
                }
                Node::Branch(children) => {
                    let digest = *digest.get_or_insert_with(|| slot::<F>(view));
                    node = children[child(digest, depth)].as_deref()?;
                    depth += 1;
                }
                Node::Ordered(fields) => return fields.get(&*encoded::<F>(view, encoding)),
            }
        }
    }

    fn get_mut(&mut self, view: F::View<'_>, touch: &mut Touch) -> Option<&mut Field<F, C>> {
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

    fn insert(&mut self, field: Field<F, C>, touch: &mut Touch) {
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

    fn remove(&mut self, view: F::View<'_>, touch: &mut Touch) -> Option<Field<F, C>> {
        let (digest, mut depth) = (slot::<F>(view), 0);
        let mut node = unshare(&mut self.root, touch);
        loop {
            match node {
                Node::Few(fields) => {
                    let index = fields.iter().position(|field| field.field.is(view))?;
                    return Some(fields.swap_remove(index));
                }
                Node::Table(fields) => {
                    let entry = fields.find_entry(digest, |field| field.field.is(view));
                    return entry.ok().map(|entry| entry.remove().0);
                }
                Node::Branch(children) => {
                    node = unshare(children[child(digest, depth)].as_mut()?, touch);
                    depth += 1;
                }
                Node::Ordered(fields) => {
                    return fields.remove(&*encoded::<F>(view, touch.encoding));
                }
            }
        }
    }

    fn each<B>(&self, mut visit: impl FnMut(&Field<F, C>) -> ControlFlow<B>) -> ControlFlow<B> {
        each(&self.root, &mut visit)
    }

    fn save<K: Key>(
        &self,
        key: &K,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        save(&self.root, key, base, judge, out)
    }

    /// Looks at a leaf.
    fn look(&self, from: u64, look: &mut Look<'_>) -> (Vec<F>, Option<u64>) {
        expire::look(&self.root, from, look)
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
        let bytes = |node: &Node<F, C>| match node {
            Node::Branch(_) => size_of::<[Option<Arc<Node<F, C>>>; 16]>().cast_signed(),
            leaf => leaf.bytes().cast_signed(),
        };
        let held = bytes(node);
        *node = Arc::new(Node::clone(node));
        touch.meter.held += held;
        // A copy has no room to spare.
        touch.meter.owned += bytes(node) - held;
    }
    Arc::get_mut(node).expect("a copy is nobody else's")
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
    judge: Option<&Judge>,
    out: &mut RowWriter<'_>,
) -> Result<(), EncodeError<OutputFailed>> {
    match node {
        Node::Few(fields) => save_fields(fields.iter(), key, base, judge, out),
        Node::Table(fields) => save_fields(fields.iter(), key, base, judge, out),
        Node::Branch(children) => {
            children.iter().flatten().try_for_each(|child| save(child, key, base, judge, out))
        }
        Node::Ordered(fields) => save_fields(fields.values(), key, base, judge, out),
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
