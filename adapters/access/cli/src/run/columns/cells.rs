//! The cells that are added to the states of the SPECs.

use holdwater::key::{At, Key};
use holdwater::ttl::When;

use super::recent::Numbers;
use crate::accumulators::Overflow;
use crate::cell::{Cell, Number};
use crate::run::batch::RowBatch;

/// Rows of a batch, and the places that they are added at: `row` says which row stands at a place.
#[derive(Clone, Copy)]
pub(in crate::run) struct Added<'a, 'k, K: Key, R> {
    pub(in crate::run) places: &'a [At<'k, K>],
    /// Where the values at them lie, unless they lie in the states.
    pub(in crate::run) numbers: Option<Numbers<'a>>,
    pub(in crate::run) row: R,
    pub(in crate::run) batch: &'a RowBatch,
    /// The number of the input that the rows are of.
    pub(in crate::run) input: usize,
    pub(in crate::run) timing: Timing,
}

/// When rows are added, for what expires.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) enum Timing {
    /// Each at its own time, and judged by the watermark of its input before it.
    ByRow,
    /// All of them now, in milliseconds since 1970 UTC.
    Now(i64),
}

impl<'a, K: Key, R: Fn(usize) -> usize + Copy> Added<'a, '_, K, R> {
    /// Returns the cells with that number in each row.
    pub(super) fn cells(&self, cell: usize) -> Cells<'a, R> {
        let Self { batch, row, input, timing, .. } = *self;
        Cells { batch, row, input, timing, cell }
    }
}

/// The cells for one SPEC, by place.
#[derive(Clone, Copy)]
pub(in crate::run) struct Cells<'b, R> {
    batch: &'b RowBatch,
    row: R,
    input: usize,
    timing: Timing,
    cell: usize,
}

impl<'b, R: Fn(usize) -> usize + Copy> Cells<'b, R> {
    pub(super) fn get(self, place: usize) -> Option<Cell<'b>> {
        self.batch.cell((self.row)(place), self.cell)
    }

    pub(super) fn text(self, place: usize) -> Option<&'b str> {
        match self.get(place) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns when the row at a place is added.
    pub(super) fn when(self, place: usize) -> When {
        match self.timing {
            Timing::ByRow => self.batch.moment((self.row)(place)).when(),
            Timing::Now(now) => When::from(now),
        }
    }

    /// Returns the input and the number of the row that stands at a place.
    pub(super) fn place(self, place: usize) -> (u16, u64) {
        let input = u16::try_from(self.input).expect("a job has at most 65535 inputs");
        (input, self.batch.moment((self.row)(place)).row)
    }

    /// Adds the number at a place; returns the overflow and the row if that fails.
    pub(super) fn add_number(
        self,
        place: usize,
        add: impl FnOnce(Number) -> Result<(), Overflow>,
    ) -> Option<(Overflow, usize)> {
        match self.get(place) {
            Some(Cell::Number(number)) => {
                add(number).err().map(|overflow| (overflow, (self.row)(place)))
            }
            _ => None,
        }
    }
}
