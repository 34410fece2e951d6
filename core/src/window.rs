//! Windows: which ones a row falls in, which are due, and which sessions join.
//!
//! A window is part of the key that its state is held under, `In<K, Window>`, so that any kind of
//! state can be windowed. The pieces:
//!
//! | piece | what it does |
//! |---|---|
//! | [`Assigner`] | tells the windows of a time: tumbling, sliding, session |
//! | [`Windows`] | is the state that knows which windows are open, with a timer for each |
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
