//! Checkpoints as tables: SQL over their states, and Parquet.
#![cfg_attr(feature = "sql", doc = "")]
#![cfg_attr(feature = "sql", doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(feature = "sql")]
mod catalog;
#[cfg(feature = "sql")]
mod failure;
#[cfg(feature = "sql")]
mod layout;
#[cfg(feature = "sql")]
mod metadata;
#[cfg(feature = "sql")]
mod parquet;
#[cfg(feature = "sql")]
mod pruning;
#[cfg(feature = "sql")]
mod query;
#[cfg(feature = "sql")]
mod rows;
#[cfg(feature = "sql")]
mod scan;
#[cfg(feature = "sql")]
mod source;
#[cfg(feature = "sql")]
mod state;
#[cfg(feature = "sql")]
mod types;
#[cfg(feature = "sql")]
mod values;

/// Some rows of what a query comes to.
#[cfg(feature = "sql")]
pub use arrow::array::RecordBatch as Batch;
#[cfg(feature = "sql")]
pub use catalog::register;
#[cfg(feature = "sql")]
pub use failure::failure;
#[cfg(feature = "sql")]
pub use parquet::{ParquetFile, ParquetRows, read_parquet};
#[cfg(feature = "sql")]
pub use query::{Rows, context, query};
#[cfg(feature = "sql")]
pub use rows::{keys_of, rows_of};
#[cfg(feature = "sql")]
pub use state::StateTable;
#[cfg(feature = "sql")]
pub use values::values;
