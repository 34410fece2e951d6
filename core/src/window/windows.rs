//! The state that knows which windows are open.

use core::fmt;

use super::{AlignedWindows, Assigner, SessionWindows, Window};
use crate::key::{At, In, Key, KeyGroups};
use crate::state::{Backend, Descriptor, States, Visitor};
use crate::timer::Sweep;

/// What is to be done to the states that hold the windows of a key, at `at.within(window)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The row is to be added to this window.
    Add(Window),
    /// What is held under `from` is to be moved behind what is held under `into`, if anything.
    Merge {
        /// The window that is no more.
        from: Window,
        /// The window that goes on.
        into: Window,
    },
}

/// A window that is due: its state is to be read and removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closed<K> {
    /// The key.
    pub key: K,
    /// The window that the state is held under. Of a session: the one of its earliest row alone.
    pub namespace: Window,
    /// The window itself.
    pub window: Window,
}

impl<K: Key> Closed<K> {
    /// Returns where the state of the window lives.
    pub fn at(&self, groups: KeyGroups) -> At<'_, In<K, Window>> {
        groups.locate::<K>(self.key.view()).within(self.namespace)
    }
}

/// Which windows of each key are open, of a kind that is chosen at run time.
///
/// The states that are windowed are the caller's: this one tells what to do to them.
///
/// ```
/// use holdwater::key::{At, In, KeyGroups};
/// use holdwater::state::{Backend, Descriptor, List};
/// use holdwater::timer::Sweep;
/// use holdwater::window::{Assigner, Step, Window, Windows};
/// use holdwater_heap::Heap;
///
/// /// What was said in each room, talk by talk.
/// struct Talks<B: Backend> {
///     windows: Windows<u32, B>,
///     words: B::List<In<u32, Window>, String>,
/// }
///
/// impl<B: Backend> Talks<B> {
///     /// Adds a word; returns whether it came in time.
///     fn say(&mut self, at: At<'_, u32>, word: &str, time: i64) -> Result<bool, B::Error> {
///         let words = &mut self.words;
///         self.windows.add(at, time, i64::MIN, |step| match step {
///             Step::Add(window) => words.push(at.within(window), word.to_owned()),
///             Step::Merge { from, into } => words.merge(at.within(into), &[at.within(from)]),
///         })
///     }
/// }
///
/// let (groups, minute) = (KeyGroups::all(128), 60_000);
/// let mut heap = Heap::new(groups);
/// let windows = Windows::open(&mut heap, Assigner::session(30 * minute)?)?;
/// let mut talks = Talks { windows, words: heap.list(Descriptor::new("words"))? };
/// // The last word said joins what were two talks.
/// for (word, time) in [("hello", 0), ("bye", 50 * minute), ("so", 25 * minute)] {
///     talks.say(groups.locate::<u32>(1), word, time)?;
/// }
/// let talk = talks.windows.due(&mut Sweep::new(80 * minute, 100))?.expect("it is over");
/// assert_eq!((talk.window.start, talk.window.end), (0, 80 * minute));
/// let at = talk.at(groups);
/// assert_eq!(talks.words.len(at)?, 3);
/// talks.words.remove(at)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub enum Windows<K: Key, B: Backend> {
    /// Tumbling or sliding windows.
    Aligned(AlignedWindows<K, B>),
    /// Sessions.
    Sessions(SessionWindows<K, B>),
}

impl<K: Key, B: Backend> Windows<K, B> {
    /// Opens the states `windows` and, for sessions, `sessions`.
    pub fn open(backend: &mut B, assigner: Assigner) -> Result<Self, B::Error> {
        Self::open_as(backend, assigner, Descriptor::new("windows"), Descriptor::new("sessions"))
    }

    /// Opens the states with names, and where needed schemas of keys, of their own. `sessions` is
    /// not opened for other windows.
    pub fn open_as(
        backend: &mut B,
        assigner: Assigner,
        windows: Descriptor<'_, In<K, Window>, ()>,
        sessions: Descriptor<'_, K, (i64, i64)>,
    ) -> Result<Self, B::Error> {
        Ok(match assigner {
            Assigner::Aligned(aligned) => {
                Self::Aligned(AlignedWindows::open(backend, aligned, windows)?)
            }
            Assigner::Session(session) => {
                Self::Sessions(SessionWindows::open(backend, session, windows, sessions)?)
            }
        })
    }

    /// Returns how times fall into windows.
    pub const fn assigner(&self) -> Assigner {
        match self {
            Self::Aligned(windows) => Assigner::Aligned(*windows.aligned()),
            Self::Sessions(windows) => Assigner::Session(*windows.session()),
        }
    }

    /// Returns the groups whose windows are held.
    pub const fn groups(&self) -> KeyGroups {
        match self {
            Self::Aligned(windows) => windows.groups(),
            Self::Sessions(windows) => windows.groups(),
        }
    }

    /// Finds the windows of a row at `time`, and tells what to do to their states, step by step;
    /// returns whether the row came in time.
    ///
    /// `watermark` is that of the row's own input before the row. A late row changes nothing. The
    /// steps come in order: sessions join from the earliest to the latest before the row is added.
    pub fn add<E: From<B::Error>>(
        &mut self,
        at: At<'_, K>,
        time: i64,
        watermark: i64,
        step: impl FnMut(Step) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self {
            Self::Aligned(windows) => windows.add(at, time, watermark, step),
            Self::Sessions(windows) => windows.add(at, time, watermark, step),
        }
    }

    /// Takes out the earliest window that is due; none if there is none, or no step of `sweep` is
    /// left. Its time is the lowest watermark of all inputs.
    pub fn due(&mut self, sweep: &mut Sweep) -> Result<Option<Closed<K>>, B::Error> {
        match self {
            Self::Aligned(windows) => windows.due(sweep),
            Self::Sessions(windows) => windows.due(sweep),
        }
    }

    /// Returns whether windows may be due that `sweep` had no step left for.
    pub fn is_cut(&self, sweep: &Sweep) -> Result<bool, B::Error> {
        match self {
            Self::Aligned(windows) => windows.is_cut(sweep),
            Self::Sessions(windows) => windows.is_cut(sweep),
        }
    }
}

impl<K: Key, B: Backend> States for Windows<K, B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        match self {
            Self::Aligned(windows) => windows.each(visitor),
            Self::Sessions(windows) => windows.each(visitor),
        }
    }
}

impl<K: Key, B: Backend> fmt::Debug for Windows<K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("assigner", &self.assigner()).finish_non_exhaustive()
    }
}
