//! An operator that keeps what rows its windows have in a state of each kind.

use std::collections::BTreeMap;

use holdwater::key::{At, In};
use holdwater::state::{Backend, Descriptor, List, Map, State, States, Value, Visitor};
use holdwater::timer::Sweep;
use holdwater::window::{Assigner, Step, Window, Windows};

use super::super::read::{entries, items, value};

/// A row of the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) time: i64,
    pub(super) number: u32,
}

/// What a window has come to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Emitted {
    pub(super) key: String,
    pub(super) window: Window,
    pub(super) numbers: Vec<u32>,
}

/// The states, in boxes: some stores hold them in arrays, too many for a stack.
pub(super) struct Kept<B: Backend> {
    pub(super) windows: Box<Windows<String, B>>,
    count: Box<B::Value<In<String, Window>, u64>>,
    numbers: Box<B::List<In<String, Window>, u32>>,
    kinds: Box<B::Map<In<String, Window>, u32, u64>>,
}

impl<B: Backend> Kept<B> {
    pub(super) fn open(store: &mut B, assigner: Assigner) -> Result<Self, B::Error> {
        Ok(Self {
            windows: Box::new(Windows::open(store, assigner)?),
            count: Box::new(store.value(Descriptor::new("count"))?),
            numbers: Box::new(store.list(Descriptor::new("numbers"))?),
            kinds: Box::new(store.map(Descriptor::new("kinds"))?),
        })
    }

    pub(super) fn add(
        &mut self,
        at: At<'_, String>,
        row: Row,
        watermark: i64,
    ) -> Result<bool, B::Error> {
        let Self { windows, count, numbers, kinds } = self;
        windows.add(at, row.time, watermark, |step| match step {
            Step::Add(window) => {
                let at = at.within(window);
                count.update(at, || 0, |count| *count += 1)?;
                numbers.push(at, row.number)?;
                kinds.update(at, kind(row.number), || 0, |count| *count += 1)
            }
            Step::Merge { from, into } => {
                let (from, into) = (at.within(from), at.within(into));
                if let Some(more) = count.get(from)?.map(|count| *count) {
                    count.update(into, || 0, |count| *count += more)?;
                    count.remove(from)?;
                }
                numbers.merge(into, &[from])?;
                kinds.merge(into, &[from], |old, new| *old += new)
            }
        })
    }

    /// Takes out the next window that is due; its states agree with each other.
    pub(super) fn due(&mut self, sweep: &mut Sweep) -> Option<Emitted> {
        let closed = self.windows.due(sweep).unwrap()?;
        let at = closed.at(self.windows.groups());
        let numbers = items(&*self.numbers, at);
        assert_eq!(value(&*self.count, at), Some(numbers.len() as u64));
        let mut kinds = BTreeMap::new();
        numbers.iter().for_each(|number| *kinds.entry(kind(*number)).or_insert(0) += 1);
        assert_eq!(entries(&*self.kinds, at), kinds);
        self.count.remove(at).unwrap();
        self.numbers.remove(at).unwrap();
        self.kinds.remove_all(at).unwrap();
        Some(Emitted { key: closed.key, window: closed.window, numbers })
    }

    /// Returns how many rows all states have together.
    pub(super) fn rows(&mut self) -> u64 {
        struct Rows(u64);
        impl<E: holdwater::error::StateError> Visitor<E> for Rows {
            type Stop = std::convert::Infallible;

            fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
                self.0 += state.rows();
                Ok(())
            }
        }
        let mut rows = Rows(0);
        let Ok(()) = self.each(&mut rows);
        rows.0
    }
}

impl<B: Backend> States for Kept<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.windows.each(visitor)?;
        visitor.state(&mut *self.count)?;
        visitor.state(&mut *self.numbers)?;
        visitor.state(&mut *self.kinds)
    }
}

const fn kind(number: u32) -> u32 {
    number % 3
}
