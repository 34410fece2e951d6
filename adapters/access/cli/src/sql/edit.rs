//! Rows put and removed as queries say.

use std::sync::Arc;

use holdwater_processor::edit::Edits;

use crate::checkpoint::Checkpoint;
use crate::failure::Failure;

/// Puts the rows that a query over the checkpoint comes to.
#[cfg(feature = "sql")]
pub(crate) fn put(
    edits: &mut Edits<'_>,
    checkpoint: &Arc<Checkpoint>,
    query: &str,
) -> Result<(), Failure> {
    for batch in begin(checkpoint, query)? {
        for row in holdwater_table::rows_of(edits.state(), &batch?)? {
            edits.put(&row)?;
        }
    }
    Ok(())
}

/// Removes the keys that a query over the checkpoint comes to.
#[cfg(feature = "sql")]
pub(crate) fn remove(
    edits: &mut Edits<'_>,
    checkpoint: &Arc<Checkpoint>,
    query: &str,
) -> Result<(), Failure> {
    for batch in begin(checkpoint, query)? {
        for (key, window) in holdwater_table::keys_of(edits.state(), &batch?)? {
            edits.remove(&key, window.as_ref())?;
        }
    }
    Ok(())
}

#[cfg(feature = "sql")]
fn begin(checkpoint: &Arc<Checkpoint>, query: &str) -> Result<holdwater_table::Rows, Failure> {
    let named = [("a".to_owned(), Arc::clone(checkpoint))];
    holdwater_table::query(&holdwater_table::context(named, MEMORY_BYTES)?, query)
}

/// Says that this build asks nothing in SQL.
#[cfg(not(feature = "sql"))]
pub(crate) fn put(_: &mut Edits<'_>, _: &Arc<Checkpoint>, _: &str) -> Result<(), Failure> {
    Err(super::unbuilt("SQL"))
}

/// Says that this build asks nothing in SQL.
#[cfg(not(feature = "sql"))]
pub(crate) fn remove(_: &mut Edits<'_>, _: &Arc<Checkpoint>, _: &str) -> Result<(), Failure> {
    Err(super::unbuilt("SQL"))
}

/// What sorting, joining and grouping may take.
#[cfg(feature = "sql")]
const MEMORY_BYTES: usize = 512 << 20;
