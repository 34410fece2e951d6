//! Windows: which ones a row falls in, which are due, and which sessions join.
//!
//! A window is part of the key that its state is held under, `In<K, Window>`, so that any kind of
//! state can be windowed. The pieces:
//!
//! | piece | what it does |
//! |---|---|
//! | [`Assigner`] | tells the windows of a time: tumbling, sliding, session |
//! | [`Windows`] | is the state that knows which windows are open, with a timer for each |
//! | [`AlignedWindows`], [`SessionWindows`] | are its two kinds alone; they need no allocator |
//! | [`WindowedAggregate`] | does the rest for one aggregate: adds, joins, gives the results |
//!
//! Times are milliseconds since 1970 UTC. `W` is a watermark: no more rows before it are expected.
//!
//! - A window is `[start, end)`. Tumbling and sliding windows start at multiples of their slide
//!   since 1970 UTC, also before it.
//! - A row goes to each of its windows whose end is above its input's `W` before it. A row that has
//!   no such window is late.
//! - Two rows of a key belong to one session when they are less than the gap apart. A session
//!   starts at its earliest row and ends the gap after its last. A row at `t` is late for any
//!   session once `t + gap <= W`.
//! - A window is due once, when the lowest `W` of all inputs has reached its end: in the order of
//!   the ends, then of the encoded keys.
//!
//! Everything keyed is in states, so that a job is restored at any parallelism. Watermarks are not:
//! the sources send theirs again.
//!
//! ```
//! use holdwater::key::KeyGroups;
//! use holdwater::state::Aggregate;
//! use holdwater::timer::{Sweep, Watermark};
//! use holdwater::window::{Assigner, WindowedAggregate};
//! use holdwater_heap::Heap;
//!
//! /// How many pages a visitor has read.
//! struct Pages;
//!
//! impl Aggregate for Pages {
//!     type Input = ();
//!     type Accumulator = u64;
//!     type Output = u64;
//!
//!     fn start(&self) -> u64 {
//!         0
//!     }
//!     fn add(&self, pages: &mut u64, (): ()) {
//!         *pages += 1;
//!     }
//!     fn result(&self, pages: &u64) -> u64 {
//!         *pages
//!     }
//!     fn merge(&self, pages: &mut u64, other: u64) {
//!         *pages += other;
//!     }
//! }
//!
//! let groups = KeyGroups::all(128);
//! let half_an_hour = Assigner::session(1_800_000)?;
//! let mut visits = WindowedAggregate::open(&mut Heap::new(groups), half_an_hour, Pages)?;
//!
//! // Pages come up to a minute out of order. Times are in minutes here.
//! let mut watermark = Watermark::new(60_000);
//! for (visitor, minute) in [("ann", 0), ("ann", 10), ("bob", 9), ("ann", 100), ("ann", 20)] {
//!     let (at, time) = (groups.locate::<String>(visitor), minute * 60_000);
//!     visits.add(at, time, watermark.time(), ())?;
//!     watermark.observe(time);
//! }
//! // At 20 a session could have lasted until 50, and that was over.
//! assert_eq!(visits.late(), 1);
//!
//! // At most 100 timers at once: whether there are more, `visits.is_cut(&sweep)` tells.
//! let (mut sweep, mut ended) = (Sweep::new(watermark.time(), 100), Vec::new());
//! while let Some(visit) = visits.due(&mut sweep)? {
//!     ended.push((visit.key, visit.window.end / 60_000, visit.output));
//! }
//! assert_eq!(ended, [("bob".to_string(), 39, 1), ("ann".to_string(), 40, 2)]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod aggregate;
mod aligned;
mod assigner;
mod sessions;
mod windows;

pub use aggregate::{WindowResult, WindowedAggregate};
pub use aligned::AlignedWindows;
pub use assigner::{Aligned, AlignedIter, Assigner, Session, Sizes, Window};
pub use sessions::SessionWindows;
pub use windows::{Closed, Step, Windows};

#[cfg(test)]
mod tests;
