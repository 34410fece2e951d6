//! What every store must do, as a library that its tests call.
//!
//! A store of your own is tested by a line for each part: [`keyed!`](crate::keyed!) makes a test of
//! each behaviour in each [`Mode`](keyed::Mode), [`row_deltas!`](crate::row_deltas!),
//! [`operator!`](crate::operator!) and [`evolution!`](crate::evolution!) add theirs, and
//! [`storage::check`] tests what keeps checkpoints.
//!
//! Here is a store of rows of bytes, on `holdwater-bytes`, that deletes nothing. A behaviour is
//! called by hand, to see that it finds that.
//!
//! ```
//! use std::convert::Infallible;
//! use std::ops::{Bound, ControlFlow};
//! use std::panic::catch_unwind;
//!
//! use holdwater::key::KeyGroups;
//! use holdwater::state::Cut;
//! use holdwater_bytes::{ByteRows, ByteStore, ByteTable, Bytes, Layout, Ordered, OrderedTable};
//! use holdwater_conformance::keyed::{Mode, Run, value};
//!
//! struct Forgetful;
//! struct Rows(OrderedTable);
//!
//! impl ByteStore for Forgetful {
//!     type Error = Infallible;
//!     type Table = Rows;
//!
//!     fn open(&mut self, layout: &Layout) -> Result<Rows, Infallible> {
//!         Ordered.open(layout).map(Rows)
//!     }
//! }
//!
//! impl ByteTable for Rows {
//!     type Frozen = <OrderedTable as ByteTable>::Frozen;
//!
//!     fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
//!         self.0.put(key, value)
//!     }
//!
//!     fn delete(&mut self, _: &[u8]) -> Result<(), Infallible> {
//!         Ok(())
//!     }
//!
//!     fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, Infallible> {
//!         self.0.freeze(cut)
//!     }
//!
//!     fn bytes(&self) -> u64 {
//!         self.0.bytes()
//!     }
//! }
//!
//! impl ByteRows for Rows {
//!     // get, range and range_back, as the table has them.
//! #   type Error = Infallible;
//! #   fn get<R>(
//! #       &self,
//! #       key: &[u8],
//! #       read: impl FnOnce(&[u8]) -> R,
//! #   ) -> Result<Option<R>, Infallible> {
//! #       self.0.get(key, read)
//! #   }
//! #   fn range(
//! #       &self,
//! #       start: Bound<&[u8]>,
//! #       end: Bound<&[u8]>,
//! #       visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
//! #   ) -> Result<(), Infallible> {
//! #       self.0.range(start, end, visit)
//! #   }
//! #   fn range_back(
//! #       &self,
//! #       start: Bound<&[u8]>,
//! #       end: Bound<&[u8]>,
//! #       visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
//! #   ) -> Result<(), Infallible> {
//! #       self.0.range_back(start, end, visit)
//! #   }
//! }
//!
//! fn store(groups: KeyGroups) -> Bytes<Forgetful> {
//!     Bytes::new(Forgetful, groups)
//! }
//!
//! // In a test: holdwater_conformance::keyed!(store);
//! let run = || Run::new(store, Mode::Full);
//! value::keys_do_not_see_each_other(&run());
//! let caught = catch_unwind(|| value::a_removed_value_is_absent_and_takes_no_row(&run()));
//! assert!(caught.is_err(), "the row is there still");
//! ```

#![forbid(unsafe_code)]

pub mod evolution;
pub mod golden;
pub mod keyed;
pub mod operator;
pub mod storage;

#[doc(hidden)]
pub use holdwater;
