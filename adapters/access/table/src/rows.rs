//! What a query comes to, as rows of a state.

use arrow::array::RecordBatch;
use holdwater_processor::StateReader;
use holdwater_processor::datum::{Datum, Unfit};
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;

use crate::layout::Layout;

/// Takes the rows of a state out of what a query comes to, in columns that are called as its own.
pub fn rows_of(state: &StateReader<'_>, batch: &RecordBatch) -> Result<Vec<Row>, Failure> {
    Layout::of_columns(state, &batch.schema())?.rows(state, batch).map_err(refused)
}

/// Takes keys of a state, each with its window, out of what a query comes to.
pub fn keys_of(
    state: &StateReader<'_>,
    batch: &RecordBatch,
) -> Result<Vec<(Datum, Option<Datum>)>, Failure> {
    Layout::new(state, false)?.keys(batch).map_err(refused)
}

fn refused(unfit: Unfit) -> Failure {
    Failure::Usage(format!("the query: {unfit}"))
}
