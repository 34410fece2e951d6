//! Reads the rows of a state, group by group.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use holdwater_processor::StateReader;
use holdwater_processor::failure::Failure;
use tokio::sync::mpsc::Sender;

use crate::layout::Layout;
use crate::source::Source;

/// The plan that reads a state: each partition reads its key groups in turn, and holds one of them
/// in memory.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    source: Source,
    layout: Arc<Layout>,
    /// Which columns are read.
    places: Vec<usize>,
    /// The key groups that each partition reads.
    partitions: Vec<Vec<u16>>,
    /// Whether the groups are those of keys that the query names.
    is_of_keys: bool,
    rows_max: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl Scan {
    /// Plans to read `groups` of a state in so many partitions.
    pub(crate) fn new(
        source: Source,
        layout: Arc<Layout>,
        places: Vec<usize>,
        groups: Groups,
        rows_max: Option<usize>,
    ) -> Result<Self> {
        let (partitions, is_of_keys) = match groups {
            Groups::OfKeys(groups) => (vec![groups], true),
            Groups::All { groups, partitions } => {
                let count = partitions.clamp(1, groups.len().max(1));
                let mut divided = vec![Vec::new(); count];
                for (place, group) in groups.into_iter().enumerate() {
                    divided[place % count].push(group);
                }
                (divided, false)
            }
        };
        let columns: SchemaRef = Arc::new(layout.columns().project(&places)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(columns),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            source,
            layout,
            places,
            partitions,
            is_of_keys,
            rows_max: rows_max.unwrap_or(usize::MAX),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn groups(&self) -> impl Iterator<Item = u16> {
        self.partitions.iter().flatten().copied()
    }
}

/// Which key groups are read.
#[derive(Clone, Debug)]
pub(crate) enum Groups {
    /// All that have rows.
    All { groups: Vec<u16>, partitions: usize },
    /// Those of the keys that are asked for.
    OfKeys(Vec<u16>),
}

impl DisplayAs for Scan {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.source.name();
        let (read, of) = (self.groups().count(), self.source.entry().chains.len());
        let bytes: u64 = self.groups().map(|group| self.source.bytes(group)).sum();
        match form {
            DisplayFormatType::TreeRender => {
                writeln!(f, "state={name}")?;
                writeln!(f, "key_groups={read} of {of}")
            }
            _ => {
                write!(f, "StateScan: state={name}, key_groups={read} of {of}, bytes={bytes}")?;
                if self.is_of_keys {
                    write!(f, ", groups={:?}", self.groups().collect::<Vec<_>>())?;
                }
                Ok(())
            }
        }
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "StateScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), BATCHES_AHEAD);
        let count = |name| MetricBuilder::new(&self.metrics).counter(name, partition);
        let mut reading = Reading {
            scan: self.clone(),
            batch_rows: context.session_config().batch_size(),
            left: self.rows_max,
            to: stream.tx(),
            groups_read: count("key_groups_read"),
            bytes_read: count("bytes_read"),
        };
        stream.spawn_blocking(move || match reading.partition(partition) {
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        });
        Ok(stream.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let groups = match partition {
            Some(partition) => self.partitions[partition].clone(),
            None => self.groups().collect(),
        };
        let entry = self.source.entry();
        let parts = groups.iter().flat_map(|group| entry.parts(*group));
        let rows: u64 = parts.map(|part| part.rows).sum();
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = Precision::Inexact(usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(Arc::new(statistics))
    }
}

/// A partition that is being read.
struct Reading {
    scan: Scan,
    batch_rows: usize,
    /// How many rows are wanted yet.
    left: usize,
    to: Sender<Result<RecordBatch>>,
    groups_read: datafusion::physical_plan::metrics::Count,
    bytes_read: datafusion::physical_plan::metrics::Count,
}

/// Why a partition is read no further.
enum Stop {
    Failed(DataFusionError),
    /// Nobody takes more.
    Unwanted,
}

impl Reading {
    fn partition(&mut self, partition: usize) -> std::result::Result<(), Stop> {
        let source = self.scan.source.clone();
        let state = source.reader()?;
        let groups = self.scan.partitions[partition].clone();
        let mut are_routed = true;
        for group in &groups {
            are_routed &= self.group(&state, *group)?;
        }
        if self.scan.is_of_keys && !are_routed {
            // Keys lie where their own type says: they may be in any group.
            for group in state.groups().filter(|group| !groups.contains(group)) {
                self.group(&state, group)?;
            }
        }
        Ok(())
    }

    /// Reads a group; returns whether its keys lie where their schema says, if that matters.
    fn group(&mut self, state: &StateReader<'_>, group: u16) -> std::result::Result<bool, Stop> {
        if self.left == 0 {
            return Err(Stop::Unwanted);
        }
        self.groups_read.add(1);
        self.bytes_read.add(usize::try_from(self.scan.source.bytes(group)).unwrap_or(usize::MAX));
        let rows = state.encoded(group)?;
        let are_routed = !self.scan.is_of_keys || state.are_routed(group, &rows)?;
        let mut batch = Vec::with_capacity(rows.len().min(self.batch_rows));
        for (key, row) in rows.into_iter().take(self.left) {
            batch.push(state.row(&key, &row)?);
            if batch.len() == self.batch_rows {
                self.send(&mut batch)?;
            }
        }
        self.send(&mut batch)?;
        Ok(are_routed)
    }

    fn send(
        &mut self,
        batch: &mut Vec<holdwater_processor::row::Row>,
    ) -> std::result::Result<(), Stop> {
        if batch.is_empty() {
            return Ok(());
        }
        self.left -= batch.len();
        let made = self.scan.layout.batch(std::mem::take(batch), &self.scan.places);
        let made = made.map_err(|error| Stop::Failed(error.into()))?;
        self.to.blocking_send(Ok(made)).map_err(|_| Stop::Unwanted)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(DataFusionError::External(Box::new(failure)))
    }
}

/// How many batches wait to be taken.
const BATCHES_AHEAD: usize = 2;
