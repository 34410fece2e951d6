//! Typed state larger than memory, in RocksDB.
#![cfg_attr(feature = "rocksdb", doc = "")]
#![cfg_attr(feature = "rocksdb", doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(feature = "rocksdb")]
mod database;
#[cfg(feature = "rocksdb")]
mod error;
#[cfg(feature = "rocksdb")]
mod expired;
#[cfg(feature = "rocksdb")]
mod family;
#[cfg(feature = "rocksdb")]
mod frozen;
#[cfg(feature = "rocksdb")]
mod links;
#[cfg(feature = "rocksdb")]
mod memory;
#[cfg(feature = "rocksdb")]
mod merge;
#[cfg(feature = "rocksdb")]
mod options;
#[cfg(feature = "rocksdb")]
mod route;
#[cfg(feature = "rocksdb")]
mod rows;
#[cfg(feature = "rocksdb")]
mod store;
#[cfg(feature = "rocksdb")]
mod table;
#[cfg(feature = "rocksdb")]
mod workplace;

#[cfg(feature = "rocksdb")]
pub use error::RocksDbError;
#[cfg(feature = "rocksdb")]
pub use frozen::FrozenTable;
#[cfg(feature = "rocksdb")]
pub use memory::Memory;
#[cfg(feature = "rocksdb")]
pub use options::RocksDbOptions;
#[cfg(feature = "rocksdb")]
pub use store::{Metrics, RocksDb};
#[cfg(feature = "rocksdb")]
pub use table::Table;
