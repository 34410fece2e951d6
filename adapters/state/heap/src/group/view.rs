//! A group as it was at one moment.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::Encoding;
use holdwater::key::{At, Key};

use super::{encoded, number};
use crate::layer::{Layer, each_row, overflow_in, segment_in};
use crate::row::{Payload, Row};

/// The rows of one key group at one moment.
#[derive(Debug)]
pub(crate) struct View<K, P> {
    pub(super) directory: Arc<[u32]>,
    pub(super) shift: u32,
    pub(super) count: usize,
    pub(super) layers: Vec<Arc<Layer<K, P>>>,
}

impl<K: Key, P: Payload<K>> View<K, P> {
    pub(crate) fn find(&self, at: At<'_, K>, encoding: Encoding) -> Option<&Row<K, P>> {
        let number = number(&self.directory, self.shift, at.slot());
        segment_in(self.layers(), number)
            .and_then(|rows| rows.find(at.slot(), |row| row.key.is(at.view())))
            .or_else(|| overflow_in(self.layers(), &encoded::<K>(at, encoding)))
    }

    /// Visits every row.
    pub(crate) fn each<B>(
        &self,
        visit: impl FnMut(&Row<K, P>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        each_row(self.count, self.layers(), visit)
    }

    fn layers(&self) -> impl Iterator<Item = &Layer<K, P>> + Clone {
        self.layers.iter().rev().map(|layer| &**layer)
    }
}
