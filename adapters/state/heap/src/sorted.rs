//! The fields of one ordered map: a tree of small sorted pieces.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;
use core::ops::{Bound, ControlFlow};

use holdwater::codec::{EncodeError, Encoding};
use holdwater::key::{Bounds, Key, OrderedKey};
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::expire::Look;
use crate::index::{Field, Index, save_fields};
use crate::row::{Touch, owned_bytes};

/// Fields in order, in a tree whose nodes take about 2 KiB. The first write after a freeze copies
/// one node a level.
#[derive(Clone, Debug)]
pub struct Sorted<F, C> {
    root: Arc<Node<F, C>>,
}

/// None but the root is empty, and all leaves are at one depth.
#[derive(Clone, Debug)]
enum Node<F, C> {
    Leaf(Vec<Field<F, C>>),
    /// For each child but the first, what its fields do not lie before, and those of the child in
    /// front of it do.
    Branch {
        starts: Vec<F>,
        children: Vec<Arc<Self>>,
    },
}

impl<F: OrderedKey, C: Cell> Index for Sorted<F, C> {
    type Field = F;
    type Cell = C;
    /// The last field that was looked at.
    type Position = Option<F>;

    fn new() -> Self {
        Self { root: Arc::new(Node::Leaf(Vec::new())) }
    }

    fn bytes_min() -> usize {
        Node::<F, C>::HEAD_BYTES
    }

    #[inline]
    fn get(&self, view: F::View<'_>, _: Encoding) -> Option<&Field<F, C>> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(fields) => return fields.get(place(fields, view).ok()?),
                Node::Branch { starts, children } => node = &children[child(starts, view)],
            }
        }
    }

    fn get_mut(&mut self, view: F::View<'_>, touch: &mut Touch) -> Option<&mut Field<F, C>> {
        let mut node = unshare(&mut self.root, touch);
        loop {
            match node {
                Node::Leaf(fields) => return place(fields, view).ok().map(|at| &mut fields[at]),
                Node::Branch { starts, children } => {
                    node = unshare(&mut children[child(starts, view)], touch);
                }
            }
        }
    }

    fn insert(&mut self, field: Field<F, C>, touch: &mut Touch) {
        if let Some((start, behind)) = insert(&mut self.root, field, true, touch) {
            let children = [self.root.clone(), behind].into();
            let root = Node::Branch { starts: [start].into(), children };
            touch.meter.owned += root.bytes(touch.encoding).cast_signed();
            self.root = Arc::new(root);
        }
    }

    fn remove(&mut self, view: F::View<'_>, touch: &mut Touch) -> Option<Field<F, C>> {
        let gone = remove(&mut self.root, view, touch)?;
        while let Node::Branch { children, .. } = &*self.root
            && children.len() <= 1
        {
            touch.meter.owned -= self.root.bytes(touch.encoding).cast_signed();
            self.root = children.first().cloned().unwrap_or_else(|| {
                touch.meter.owned += Self::bytes_min().cast_signed();
                Self::new().root
            });
        }
        Some(gone)
    }

    fn each<B>(&self, mut visit: impl FnMut(&Field<F, C>) -> ControlFlow<B>) -> ControlFlow<B> {
        range(&self.root, &Bounds::of(..), Direction::Forward, &mut visit)
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

    fn look(&self, from: Option<F>, look: &mut Look<'_>) -> (Vec<F>, Option<Option<F>>) {
        let start = from.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.view()));
        let bounds = Bounds::of((start, Bound::Unbounded));
        let (mut expired, mut seen) = (Vec::new(), 0);
        let last = range(&self.root, &bounds, Direction::Forward, &mut |field: &Field<F, C>| {
            if !look.finds_live(field.cell.get()) {
                expired.push(field.field.clone());
            }
            seen += 1;
            if seen < FIELDS_PER_LOOK {
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(field.field.clone())
        });
        (expired, last.break_value().map(Some))
    }
}

/// Which way fields are visited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    /// From the first to the last.
    Forward,
    /// From the last to the first.
    Back,
}

impl<F: OrderedKey, C: Cell> Sorted<F, C> {
    pub(crate) fn range<B>(
        &self,
        bounds: &Bounds<'_, F>,
        direction: Direction,
        mut visit: impl FnMut(&Field<F, C>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        range(&self.root, bounds, direction, &mut visit)
    }
}

impl<F: OrderedKey, C: Cell> Node<F, C> {
    const HEAD_BYTES: usize = size_of::<[usize; 2]>() + size_of::<Self>();
    const FIELDS_MAX: usize = count_max(size_of::<Field<F, C>>());
    const CHILDREN_MAX: usize = count_max(size_of::<F>() + size_of::<usize>());

    /// Returns how many fields or children there are, and how many there may be.
    const fn fill(&self) -> (usize, usize) {
        match self {
            Self::Leaf(fields) => (fields.len(), Self::FIELDS_MAX),
            Self::Branch { children, .. } => (children.len(), Self::CHILDREN_MAX),
        }
    }

    /// Returns how many bytes the node takes, without its children and what fields own.
    fn bytes(&self, encoding: Encoding) -> usize {
        let content = match self {
            Self::Leaf(fields) => fields.capacity() * size_of::<Field<F, C>>(),
            Self::Branch { starts, children } => {
                let owned: usize = starts.iter().map(|start| owned_bytes(start, encoding)).sum();
                let (starts, children) = (starts.capacity(), children.capacity());
                owned + starts * size_of::<F>() + children * size_of::<Arc<Self>>()
            }
        };
        Self::HEAD_BYTES + content
    }

    /// Puts what is beyond `count` in a node of its own; returns that, and where it starts.
    fn divide(&mut self, count: usize) -> (F, Self) {
        match self {
            Self::Leaf(fields) => {
                let behind = fields.split_off(count);
                (behind[0].field.clone(), Self::Leaf(behind))
            }
            Self::Branch { starts, children } => {
                let behind = starts.split_off(count);
                let start = starts.pop().expect("a branch is divided behind its first child");
                (start, Self::Branch { starts: behind, children: children.split_off(count) })
            }
        }
    }

    /// Takes in what `behind` has, which starts at `start`.
    fn join(&mut self, start: F, behind: Self) {
        match (self, behind) {
            (Self::Leaf(fields), Self::Leaf(more)) => fields.extend(more),
            (
                Self::Branch { starts, children },
                Self::Branch { starts: more_starts, children: more },
            ) => {
                starts.push(start);
                starts.extend(more_starts);
                children.extend(more);
            }
            _ => unreachable!("nodes side by side are of one depth"),
        }
    }
}

/// Inserts a field that is not there. If the node was divided, returns the part behind and where
/// that starts.
fn insert<F: OrderedKey, C: Cell>(
    node: &mut Arc<Node<F, C>>,
    field: Field<F, C>,
    is_last: bool,
    touch: &mut Touch,
) -> Option<(F, Arc<Node<F, C>>)> {
    let node = unshare(node, touch);
    let (before, at) = match node {
        Node::Leaf(fields) => {
            let at = place(fields, field.field.view()).unwrap_or_else(|place| place);
            let before = Node::<F, C>::HEAD_BYTES + fields.capacity() * size_of::<Field<F, C>>();
            put_in(fields, at, field, Node::<F, C>::FIELDS_MAX);
            (before, at)
        }
        Node::Branch { starts, children } => {
            let at = child(starts, field.field.view());
            let is_last = is_last && at + 1 == children.len();
            let (start, behind) = insert(&mut children[at], field, is_last, touch)?;
            let before = node.bytes(touch.encoding);
            if let Node::Branch { starts, children } = node {
                put_in(starts, at, start, Node::<F, C>::CHILDREN_MAX - 1);
                put_in(children, at + 1, behind, Node::<F, C>::CHILDREN_MAX);
            }
            (before, at + 1)
        }
    };
    let (count, max) = node.fill();
    let behind = (count > max).then(|| {
        // What comes in its order fills each node before the next.
        let (start, behind) = node.divide(if is_last && at + 1 == count { at } else { count / 2 });
        touch.meter.owned += behind.bytes(touch.encoding).cast_signed();
        (start, Arc::new(behind))
    });
    touch.meter.owned += node.bytes(touch.encoding).cast_signed() - before.cast_signed();
    behind
}

fn remove<F: OrderedKey, C: Cell>(
    node: &mut Arc<Node<F, C>>,
    view: F::View<'_>,
    touch: &mut Touch,
) -> Option<Field<F, C>> {
    let node = unshare(node, touch);
    match node {
        Node::Leaf(fields) => place(fields, view).ok().map(|place| fields.remove(place)),
        Node::Branch { starts, children } => {
            let at = child(starts, view);
            let gone = remove(&mut children[at], view, touch)?;
            let (count, max) = children[at].fill();
            if count < max / 4 {
                mend(node, at, touch);
            }
            Some(gone)
        }
    }
}

/// Drops the child at `at` if it is empty, or joins it with one beside it if they fit well in one
/// node.
fn mend<F: OrderedKey, C: Cell>(node: &mut Node<F, C>, at: usize, touch: &mut Touch) {
    let before = node.bytes(touch.encoding);
    let Node::Branch { starts, children } = node else { return };
    let (count, max) = children[at].fill();
    if count == 0 {
        let gone = children.remove(at);
        touch.meter.owned -= gone.bytes(touch.encoding).cast_signed();
        // The child behind it now begins where it did, or has none in front of it.
        if !starts.is_empty() {
            starts.remove(at.saturating_sub(1));
        }
    } else {
        let fit = |front: &usize| {
            let pair = children.get(*front..front + 2);
            let count = |pair: &[Arc<Node<F, C>>]| pair.iter().map(|child| child.fill().0).sum();
            pair.map(count).is_some_and(|count: usize| count <= max / 4 * 3)
        };
        let Some(front) = [at.checked_sub(1), Some(at)].into_iter().flatten().find(fit) else {
            return;
        };
        let (start, mut behind) = (starts.remove(front), children.remove(front + 1));
        let behind = core::mem::replace(unshare(&mut behind, touch), Node::Leaf(Vec::new()));
        let joined = unshare(&mut children[front], touch);
        let bytes = joined.bytes(touch.encoding) + behind.bytes(touch.encoding);
        joined.join(start, behind);
        touch.meter.owned += joined.bytes(touch.encoding).cast_signed() - bytes.cast_signed();
    }
    touch.meter.owned += node.bytes(touch.encoding).cast_signed() - before.cast_signed();
}

/// Returns a node that can be written, copied if a snapshot holds it.
fn unshare<'n, F: OrderedKey, C: Cell>(
    node: &'n mut Arc<Node<F, C>>,
    touch: &mut Touch,
) -> &'n mut Node<F, C> {
    if Arc::get_mut(node).is_none() {
        let bytes = node.bytes(touch.encoding);
        let owned: usize = match &**node {
            Node::Leaf(fields) => {
                fields.iter().map(|field| owned_bytes(&field.field, touch.encoding)).sum()
            }
            Node::Branch { .. } => 0,
        };
        touch.meter.held += (bytes + owned).cast_signed();
        *node = Arc::new(Node::clone(node));
        touch.meter.owned += node.bytes(touch.encoding).cast_signed() - bytes.cast_signed();
    }
    Arc::get_mut(node).expect("a copy is nobody else's")
}

fn range<F: OrderedKey, C: Cell, B>(
    node: &Node<F, C>,
    bounds: &Bounds<'_, F>,
    direction: Direction,
    visit: &mut impl FnMut(&Field<F, C>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match node {
        Node::Leaf(fields) => {
            let first = fields.partition_point(|field| bounds.is_before(field.field.view()));
            let end = fields.partition_point(|field| !bounds.is_behind(field.field.view()));
            each(fields.get(first..end).unwrap_or_default(), direction, visit)
        }
        Node::Branch { starts, children } => {
            // Where a bound falls in a child, that has fields on both sides of it.
            let first = starts.partition_point(|start| bounds.is_before(start.view()));
            let last = starts.partition_point(|start| !bounds.is_behind(start.view()));
            let within = children.get(first..=last).unwrap_or_default();
            each(within, direction, |child| range(child, bounds, direction, visit))
        }
    }
}

fn each<T, B>(
    items: &[T],
    direction: Direction,
    visit: impl FnMut(&T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match direction {
        Direction::Forward => items.iter().try_for_each(visit),
        Direction::Back => items.iter().rev().try_for_each(visit),
    }
}

fn save<K: Key, F: OrderedKey, C: Cell>(
    node: &Node<F, C>,
    key: &K,
    base: Option<u32>,
    judge: Option<&Judge>,
    out: &mut RowWriter<'_>,
) -> Result<(), EncodeError<OutputFailed>> {
    match node {
        Node::Leaf(fields) => save_fields(fields.iter(), key, base, judge, out),
        Node::Branch { children, .. } => {
            children.iter().try_for_each(|child| save(child, key, base, judge, out))
        }
    }
}

/// Returns where a field is in a leaf, or where it would be.
fn place<F: OrderedKey, C>(fields: &[Field<F, C>], view: F::View<'_>) -> Result<usize, usize> {
    fields.binary_search_by(|field| F::compare(field.field.view(), view))
}

/// Returns which child of a branch a field falls in.
fn child<F: OrderedKey>(starts: &[F], view: F::View<'_>) -> usize {
    starts.partition_point(|start| F::compare(start.view(), view).is_le())
}

/// Inserts an item; makes no room beyond the one more than `max` that divides a node.
fn put_in<T>(items: &mut Vec<T>, at: usize, item: T, max: usize) {
    if items.len() == items.capacity() {
        items.reserve_exact(items.len().max(4).min(max + 1 - items.len()));
    }
    items.insert(at, item);
}

/// How many fields a search for expired ones looks at in one piece.
const FIELDS_PER_LOOK: usize = 128;

/// Returns how many of that size a node has: about 2 KiB of them, but 8 at least and 64 at most.
const fn count_max(size: usize) -> usize {
    let count = 2048 / if size == 0 { 1 } else { size };
    if count < 8 {
        8
    } else if count > 64 {
        64
    } else {
        count
    }
}

#[cfg(test)]
mod tests;
