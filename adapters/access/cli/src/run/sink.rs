//! Takes the results that are shown at the end of a job.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{CutBack, Sink};

use super::operator::ResultRow;

/// Gathers result rows until the job has ended. Nothing is shown before, so there is nothing to
/// commit and nothing to take back: a job that is resumed gives all of its results again.
#[derive(Clone, Debug, Default)]
pub(super) struct Results(Arc<Mutex<Vec<ResultRow>>>);

impl Results {
    /// Takes the rows, ordered by key.
    pub(super) fn into_rows(self) -> Vec<ResultRow> {
        let mut rows = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        rows.sort_unstable_by(|a, b| a.key.view().iter().cmp(b.key.view().iter()));
        rows
    }
}

impl Sink for Results {
    type Batch = Vec<ResultRow>;
    type Error = Infallible;

    fn write(&mut self, batch: &Vec<ResultRow>) -> Result<(), Infallible> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.extend_from_slice(batch);
        Ok(())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Vec<u8>, Infallible> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn abort(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Infallible> {
        Ok(Vec::new())
    }

    fn committed(&self) -> Vec<u8> {
        Vec::new()
    }

    fn cut_back(&mut self, _: &SinkEntry) -> Result<CutBack, Infallible> {
        Ok(CutBack::Done)
    }
}
