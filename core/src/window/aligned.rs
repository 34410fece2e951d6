//! Tumbling and sliding windows: a timer for each that has a row.

use core::fmt;

use super::{Aligned, Closed, Step, Window};
use crate::key::{At, In, Key, KeyGroups};
use crate::state::{Backend, Descriptor, States, TimeDomain, Timers, Visitor};
use crate::timer::Sweep;

/// Which tumbling or sliding windows of each key are open: needs no allocator.
pub struct AlignedWindows<K: Key, B: Backend> {
    aligned: Aligned,
    groups: KeyGroups,
    timers: B::Timers<In<K, Window>>,
}

impl<K: Key, B: Backend> AlignedWindows<K, B> {
    /// Opens the timers of the windows.
    pub fn open(
        backend: &mut B,
        aligned: Aligned,
        windows: Descriptor<'_, In<K, Window>, ()>,
    ) -> Result<Self, B::Error> {
        let timers = backend.timers(windows, TimeDomain::Event)?;
        Ok(Self { aligned, groups: backend.groups(), timers })
    }

    /// Returns how times fall into windows.
    pub const fn aligned(&self) -> &Aligned {
        &self.aligned
    }

    /// Returns the groups whose windows are held.
    pub const fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// As [`Windows::add`](super::Windows::add): adds the row to each of its windows that end after
    /// `watermark`.
    #[inline]
    pub fn add<E: From<B::Error>>(
        &mut self,
        at: At<'_, K>,
        time: i64,
        watermark: i64,
        mut step: impl FnMut(Step) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut in_time = false;
        for window in self.aligned.of(time, watermark) {
            in_time = true;
            // First, so that no state is ever without a timer that removes it.
            self.timers.register(at.within(window), window.end)?;
            step(Step::Add(window))?;
        }
        Ok(in_time)
    }

    /// As [`Windows::due`](super::Windows::due).
    pub fn due(&mut self, sweep: &mut Sweep) -> Result<Option<Closed<K>>, B::Error> {
        let timer = sweep.fire(&mut self.timers)?;
        Ok(timer.map(|timer| {
            let In { key, window } = timer.key;
            Closed { key, namespace: window, window }
        }))
    }

    /// As [`Windows::is_cut`](super::Windows::is_cut).
    pub fn is_cut(&self, sweep: &Sweep) -> Result<bool, B::Error> {
        sweep.is_cut(&self.timers)
    }
}

impl<K: Key, B: Backend> States for AlignedWindows<K, B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.timers)
    }
}

impl<K: Key, B: Backend> fmt::Debug for AlignedWindows<K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedWindows").field("aligned", &self.aligned).finish_non_exhaustive()
    }
}
