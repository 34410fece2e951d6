//! Queries over checkpoints, run to their end on threads of their own.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use holdwater_processor::Checkpoint;
use holdwater_processor::failure::Failure;
use tokio::runtime::{Builder, Runtime};

use crate::catalog::register;
use crate::failure::failure;

/// Returns a context in which checkpoints are the schemas of these names, the first of them the one
/// that is meant where a table is named alone.
///
/// What queries sort, join and group takes at most `memory_max` bytes, and waits in files of the
/// system's directory for those beyond it; each partition holds a key group of a state besides.
pub fn context(
    checkpoints: impl IntoIterator<Item = (String, Arc<Checkpoint>)>,
    memory_max: usize,
) -> Result<SessionContext, Failure> {
    let checkpoints: Vec<_> = checkpoints.into_iter().collect();
    let first = checkpoints.first().map_or("a", |(name, _)| name);
    let config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, first)
        .with_information_schema(true);

    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_max)))
        .build_arc()
        .map_err(failure)?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    register(&context, checkpoints)?;
    Ok(context)
}

/// Begins a query: one statement that reads. What it comes to is computed as it is taken.
pub fn query(context: &SessionContext, text: &str) -> Result<Rows, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Failure::io("cannot start threads", source))?;
    let reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let begun = runtime.block_on(async {
        let frame = context.sql_with_options(text, reads).await?;
        frame.execute_stream().await
    });
    Ok(Rows { stream: begun.map_err(failure)?, runtime })
}

/// What a query comes to, some rows at a time.
pub struct Rows {
    // Let go before the threads are that compute it.
    stream: SendableRecordBatchStream,
    runtime: Runtime,
}

impl Rows {
    /// Returns the names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let columns = self.stream.schema();
        columns.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Returns the columns.
    pub fn schema(&self) -> arrow::datatypes::SchemaRef {
        self.stream.schema()
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.runtime.block_on(self.stream.next())?;
        Some(next.map_err(failure))
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns()).finish_non_exhaustive()
    }
}

const CATALOG: &str = "holdwater";
