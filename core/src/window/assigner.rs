//! Which windows a time falls in.

use core::fmt;

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use crate::key::{Key, digest_encoded, digest_integer};

/// The times from `start` on and before `end`, in milliseconds since 1970 UTC.
///
/// What would reach beyond the times there are is cut there.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Schema, Serialize,
)]
pub struct Window {
    /// The first time inside.
    pub start: i64,
    /// The first time behind.
    pub end: i64,
}

impl Key for Window {
    type View<'k> = Self;

    #[inline]
    fn view(&self) -> Self {
        *self
    }

    #[inline]
    fn own(view: Self) -> Self {
        view
    }

    #[inline]
    fn is(&self, view: Self) -> bool {
        *self == view
    }

    fn digest(view: Self) -> u64 {
        digest_encoded(&view)
    }

    #[inline]
    fn spread(view: Self) -> u64 {
        digest_integer(view.start.cast_unsigned() ^ view.end.cast_unsigned().rotate_left(32))
    }
}

/// How times fall into windows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Assigner {
    /// Windows of one size at multiples of a slide: tumbling or sliding.
    Aligned(Aligned),
    /// Windows that grow with the rows of a key.
    Session(Session),
}

impl Assigner {
    /// Cuts time into windows of `size` milliseconds, one behind the other.
    pub const fn tumbling(size: i64) -> Result<Self, Sizes> {
        match Aligned::tumbling(size) {
            Ok(aligned) => Ok(Self::Aligned(aligned)),
            Err(error) => Err(error),
        }
    }

    /// Begins a window of `size` milliseconds every `slide` milliseconds, `size` at most.
    pub const fn sliding(size: i64, slide: i64) -> Result<Self, Sizes> {
        match Aligned::sliding(size, slide) {
            Ok(aligned) => Ok(Self::Aligned(aligned)),
            Err(error) => Err(error),
        }
    }

    /// Puts rows of a key together that are less than `gap` milliseconds apart.
    pub const fn session(gap: i64) -> Result<Self, Sizes> {
        match Session::new(gap) {
            Ok(session) => Ok(Self::Session(session)),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a row at `time` is late at the watermark of its input before it: each window
    /// it could be in has ended.
    pub const fn is_late(&self, time: i64, watermark: i64) -> bool {
        match self {
            Self::Aligned(aligned) => aligned.is_late(time, watermark),
            Self::Session(session) => session.is_late(time, watermark),
        }
    }
}

/// Windows of one size that start at multiples of a slide since 1970 UTC.
///
/// ```
/// use holdwater::window::{Aligned, Window};
///
/// let windows = Aligned::sliding(10, 5)?;
/// let of_12: Vec<_> = windows.of(12, i64::MIN).collect();
/// assert_eq!(of_12, [Window { start: 5, end: 15 }, Window { start: 10, end: 20 }]);
/// // At watermark 15 the first of them has ended.
/// assert_eq!(windows.of(12, 15).collect::<Vec<_>>(), [Window { start: 10, end: 20 }]);
/// # Ok::<(), holdwater::window::Sizes>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Aligned {
    size: i64,
    slide: i64,
}

impl Aligned {
    /// Cuts time into windows of `size` milliseconds, one behind the other.
    pub const fn tumbling(size: i64) -> Result<Self, Sizes> {
        Self::sliding(size, size)
    }

    /// Begins a window of `size` milliseconds every `slide` milliseconds, `size` at most.
    pub const fn sliding(size: i64, slide: i64) -> Result<Self, Sizes> {
        if size <= 0 {
            return Err(Sizes::Size(size));
        }
        if slide <= 0 || slide > size {
            return Err(Sizes::Slide { size, slide });
        }
        Ok(Self { size, slide })
    }

    /// Returns how long a window is, in milliseconds.
    pub const fn size(&self) -> i64 {
        self.size
    }

    /// Returns how far the starts of two windows are apart, in milliseconds.
    pub const fn slide(&self) -> i64 {
        self.slide
    }

    /// Returns the windows that hold `time` and end after `watermark`, earliest first: size / slide
    /// of them, rounded up, at most.
    #[inline]
    pub const fn of(&self, time: i64, watermark: i64) -> AlignedIter {
        let least = time.rem_euclid(self.slide);
        // A window that starts `age` before `time` ends after the watermark if `age < limit`.
        let passed = watermark.saturating_sub(time);
        let limit = self.size.saturating_sub(if passed < 0 { 0 } else { passed });
        let none = limit <= least || watermark == i64::MAX;
        let age = if none { -1 } else { least + (limit - 1 - least) / self.slide * self.slide };
        AlignedIter { time, size: self.size, slide: self.slide, age }
    }

    /// Returns whether each window that holds `time` ends at `watermark` or before.
    #[inline]
    pub const fn is_late(&self, time: i64, watermark: i64) -> bool {
        self.of(time, watermark).age < 0
    }
}

/// The windows of a time, earliest first.
#[derive(Clone, Debug)]
pub struct AlignedIter {
    time: i64,
    size: i64,
    slide: i64,
    /// How long before the time the next window starts; below zero: there is none.
    age: i64,
}

impl Iterator for AlignedIter {
    type Item = Window;

    #[inline]
    fn next(&mut self) -> Option<Window> {
        if self.age < 0 {
            return None;
        }
        let start = self.time.saturating_sub(self.age);
        let end = self.time.saturating_add(self.size - self.age);
        self.age -= self.slide;
        Some(Window { start, end })
    }
}

/// Windows that hold the rows of a key as long as they are less than a gap apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    gap: i64,
}

impl Session {
    /// Ends a session `gap` milliseconds after its last row.
    pub const fn new(gap: i64) -> Result<Self, Sizes> {
        if gap <= 0 { Err(Sizes::Gap(gap)) } else { Ok(Self { gap }) }
    }

    /// Returns the gap, in milliseconds.
    pub const fn gap(&self) -> i64 {
        self.gap
    }

    /// Returns the session of rows from `first` to `last`: it ends the gap after the last one.
    #[inline]
    pub const fn spanning(&self, first: i64, last: i64) -> Window {
        Window { start: first, end: last.saturating_add(self.gap) }
    }

    /// Returns whether a session of a row at `time` alone ends at `watermark` or before.
    #[inline]
    pub const fn is_late(&self, time: i64, watermark: i64) -> bool {
        time.saturating_add(self.gap) <= watermark
    }

    /// Returns whether a row at `time` is less than the gap away from rows `first` to `last`.
    #[inline]
    pub(super) const fn touches(&self, time: i64, first: i64, last: i64) -> bool {
        let gap = self.gap.cast_unsigned();
        (time >= first || time.abs_diff(first) < gap) && (time <= last || time.abs_diff(last) < gap)
    }
}

/// Sizes that no windows can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sizes {
    /// A gap between sessions of no time or less.
    Gap(i64),
    /// A window of no time or less.
    Size(i64),
    /// Windows that do not go on, or leave times between them.
    Slide {
        /// How long a window is.
        size: i64,
        /// How far the starts of two windows are apart.
        slide: i64,
    },
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => write!(f, "a gap of {gap} ms: give one above zero"),
            Self::Size(size) => write!(f, "windows of {size} ms: give a size above zero"),
            Self::Slide { size, slide } => {
                write!(f, "a slide of {slide} ms: give one above zero, up to the size, {size} ms")
            }
        }
    }
}

impl core::error::Error for Sizes {}
