//! Fields that expire: looked at leaf by leaf, in the order of digests.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::key::Key;

use super::{DEPTH_MAX, Node, each};
use crate::cell::Cell;
use crate::expire::Look;
use crate::index::Field;

/// Looks at the leaf of that position; returns its expired fields and the position of the next.
pub(super) fn look<F: Key, C: Cell>(
    root: &Node<F, C>,
    position: u64,
    look: &mut Look<'_>,
) -> (Vec<F>, Option<u64>) {
    let (mut node, mut depth, mut expired) = (root, 0, Vec::new());
    while let Node::Branch(children) = node {
        depth += 1;
        match children[(position >> shift(depth)) as usize & 15].as_deref() {
            Some(child) => node = child,
            None => return (expired, behind(position, depth)),
        }
    }
    let _ = each(node, &mut |field: &Field<F, C>| {
        if !look.finds_live(field.cell.get()) {
            expired.push(field.field.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    (expired, behind(position, depth))
}

/// Returns the position behind all that are in a leaf of that depth with `position`, if any is.
const fn behind(position: u64, depth: u32) -> Option<u64> {
    let next = ((position >> shift(depth)) + 1) << shift(depth);
    if next >> shift(0) == 0 { Some(next) } else { None }
}

/// Returns how many bits of a position are left below that depth.
const fn shift(depth: u32) -> u32 {
    4 * (DEPTH_MAX - depth)
}
