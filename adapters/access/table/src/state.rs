//! A state as a table.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use holdwater_processor::failure::Failure;

use crate::layout::Layout;
use crate::pruning::{groups, is_about_keys};
use crate::scan::{Groups, Scan};
use crate::source::Source;

/// A state of a checkpoint as a table: a row for each key, and for each of its windows.
#[derive(Debug)]
pub struct StateTable {
    source: Source,
    layout: Arc<Layout>,
}

impl StateTable {
    /// Opens a state as a table.
    pub(crate) fn new(source: Source) -> std::result::Result<Self, Failure> {
        let layout = Arc::new(Layout::new(&source.reader()?, false)?);
        Ok(Self { source, layout })
    }
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.layout.columns())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        conditions: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Rows of other keys of a group come too.
        let helps = |condition: &&Expr| match is_about_keys(&self.layout, condition) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(conditions.iter().map(helps).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        conditions: &[Expr],
        rows_max: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let failed = |failure| DataFusionError::External(Box::new(failure));
        let state = self.source.reader().map_err(failed)?;
        let all = || (0..self.layout.columns().fields().len()).collect();
        let places = projection.cloned().unwrap_or_else(all);
        let groups = match groups(&state, &self.layout, conditions) {
            Some(groups) => Groups::OfKeys(groups.into_iter().collect()),
            None => Groups::All {
                groups: state.groups().collect(),
                partitions: session.config().target_partitions(),
            },
        };
        let source = self.source.clone();
        Ok(Arc::new(Scan::new(source, Arc::clone(&self.layout), places, groups, rows_max)?))
    }
}
