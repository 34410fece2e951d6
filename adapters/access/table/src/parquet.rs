//! Parquet files: rows of states, and of queries.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use holdwater_processor::StateReader;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::layout::Layout;

/// A Parquet file that is being made: bytes come out as they are ready.
#[derive(Debug)]
pub struct ParquetFile {
    writer: ArrowWriter<Ready>,
    ready: Ready,
}

/// Rows of a state on their way into a Parquet file.
#[derive(Debug)]
pub struct ParquetRows {
    file: ParquetFile,
    layout: Layout,
    rows: Vec<Row>,
}

impl ParquetFile {
    /// Begins a file of these columns.
    pub fn new(columns: SchemaRef) -> Result<Self, Failure> {
        let ready = Ready::default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(ready.clone(), columns, Some(properties));
        Ok(Self { writer: writer.map_err(unwritten)?, ready })
    }

    /// Adds rows; returns the bytes that come next in the file.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<Vec<u8>, Failure> {
        self.writer.write(rows).map_err(unwritten)?;
        Ok(self.ready.take())
    }

    /// Returns the last bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>, Failure> {
        self.writer.close().map_err(unwritten)?;
        Ok(self.ready.take())
    }
}

impl ParquetRows {
    /// Begins a file of rows of a state, in the columns of its table; with their stamps where they
    /// are to be as stored.
    pub fn new(state: &StateReader<'_>, stored: bool) -> Result<Self, Failure> {
        let layout = Layout::new(state, stored)?;
        let file = ParquetFile::new(Arc::clone(layout.columns()))?;
        Ok(Self { file, layout, rows: Vec::new() })
    }

    /// Adds a row; returns the bytes that come next in the file.
    pub fn write(&mut self, row: Row) -> Result<Vec<u8>, Failure> {
        self.rows.push(row);
        if self.rows.len() < BATCH_ROWS { Ok(Vec::new()) } else { self.flush() }
    }

    /// Returns the last bytes of the file.
    pub fn finish(mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = self.flush()?;
        bytes.extend(self.file.finish()?);
        Ok(bytes)
    }

    fn flush(&mut self) -> Result<Vec<u8>, Failure> {
        let places: Vec<usize> = (0..self.layout.columns().fields().len()).collect();
        let batch = self.layout.batch(std::mem::take(&mut self.rows), &places);
        self.file.write(&batch.map_err(|error| Failure::Data(error.to_string()))?)
    }
}

/// Takes the rows of a state out of a Parquet file, in whose columns they lie as
/// [`ParquetRows`] puts them, whatever their order; numbers may be of another width.
pub fn read_parquet(
    state: &StateReader<'_>,
    path: &Path,
    mut take: impl FnMut(&Row) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let unread = |source| Failure::io(format!("cannot read {}", path.display()), source);
    let refused = |said: String| Failure::Data(format!("{}: {said}", path.display()));
    let file = File::open(path).map_err(unread)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file);
    let builder = builder.map_err(|error| refused(error.to_string()))?;
    let layout = Layout::of_columns(state, builder.schema())?;
    let batches = builder.with_batch_size(BATCH_ROWS).build();
    let mut first = 1;
    for batch in batches.map_err(|error| refused(error.to_string()))? {
        let batch = batch.map_err(|error| refused(error.to_string()))?;
        let last = first + batch.num_rows() - 1;
        let among = |said: String| refused(format!("rows {first} to {last}: {said}"));
        let rows = layout.rows(state, &batch).map_err(|unfit| among(unfit.to_string()))?;
        for row in rows {
            take(&row).map_err(|failure| match failure {
                Failure::Data(text) | Failure::Usage(text) => among(text),
                failure => failure,
            })?;
        }
        first = last + 1;
    }
    Ok(())
}

/// Bytes that are ready to be taken.
#[derive(Clone, Debug, Default)]
struct Ready(Arc<Mutex<Vec<u8>>>);

impl Ready {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritten(error: ParquetError) -> Failure {
    Failure::Data(format!("no Parquet can be made of these rows: {error}"))
}

/// How many rows are put into columns at a time.
const BATCH_ROWS: usize = 4_096;

/// How many rows stand together in a file, and are held in memory as they are encoded.
const GROUP_ROWS: usize = 65_536;
