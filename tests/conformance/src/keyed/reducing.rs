//! Reducing and aggregating.

use holdwater::key::{At, In};
use holdwater::state::{
    Aggregate, Aggregating, Backend, Descriptor, Reducing, State, States, Value, Visitor,
};

use super::Run;
use super::spread::{SPREAD, Spread};

/// An operator of one reducing state.
struct Reduced<S>(Reducing<S, fn(&mut String, String)>);

/// An operator of one aggregating state.
struct Aggregated<S, A>(Aggregating<S, A>);

impl<S: State> States for Reduced<S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(self.0.state())
    }
}

impl<S: State, A: Aggregate> States for Aggregated<S, A> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(self.0.state())
    }
}

/// The mean of integers: neither input nor output is what is stored.
#[derive(Clone, Copy, Debug)]
struct Mean;

impl Aggregate for Mean {
    type Input = i32;
    type Accumulator = (i64, u64);
    type Output = String;

    fn start(&self) -> (i64, u64) {
        (0, 0)
    }

    fn add(&self, accumulator: &mut (i64, u64), input: i32) {
        // As an immutable accumulator is: another one takes its place.
        *accumulator = (accumulator.0 + i64::from(input), accumulator.1 + 1);
    }

    fn result(&self, (sum, count): &(i64, u64)) -> String {
        format!("{sum}/{count}")
    }

    fn merge(&self, accumulator: &mut (i64, u64), (sum, count): (i64, u64)) {
        accumulator.0 += sum;
        accumulator.1 += count;
    }
}

/// The distinct inputs: an accumulator that is changed in place and grows.
#[derive(Clone, Copy, Debug)]
struct Distinct;

impl Aggregate for Distinct {
    type Input = u8;
    type Accumulator = Vec<u8>;
    type Output = usize;

    fn start(&self) -> Vec<u8> {
        Vec::new()
    }

    fn add(&self, accumulator: &mut Vec<u8>, input: u8) {
        if let Err(place) = accumulator.binary_search(&input) {
            accumulator.insert(place, input);
        }
    }

    fn result(&self, accumulator: &Vec<u8>) -> usize {
        accumulator.len()
    }

    fn merge(&self, accumulator: &mut Vec<u8>, other: Vec<u8>) {
        other.into_iter().for_each(|input| self.add(accumulator, input));
    }
}

fn concatenate(old: &mut String, new: String) {
    old.push_str(&new);
}

/// Opens a reducing state of texts.
macro_rules! reducing {
    ($run:expr, $key:ty) => {
        $run.open(|store| {
            let state = store.value(Descriptor::<$key, String>::new("reducing"))?;
            Ok(Reduced(Reducing::new(state, concatenate as fn(&mut String, String))))
        })
    };
}

/// Opens an aggregating state.
macro_rules! aggregating {
    ($run:expr, $key:ty, $aggregate:ident) => {
        $run.open(|store| {
            type Accumulator = <$aggregate as Aggregate>::Accumulator;
            let state = store.value(Descriptor::<$key, Accumulator>::new("aggregating"))?;
            Ok(Aggregated(Aggregating::new(state, $aggregate)))
        })
    };
}

/// 24, 25: the first addition is stored, each further one is reduced into it, in order; nothing
/// added is none.
pub fn additions_are_reduced_in_order<B: Backend>(run: &Run<B>) {
    let mut state = reducing!(run, u64);
    for text in ["a", "b", "c"] {
        state.0.add(run.at(1), text.into()).unwrap();
        state.turn();
    }
    state.0.add(run.at(2), "x".into()).unwrap();
    state.turn();
    assert_eq!(state.0.get(run.at(1)).unwrap().as_deref(), Some("abc"));
    assert_eq!(state.0.get(run.at(2)).unwrap().as_deref(), Some("x"));
    assert_eq!(state.0.get(run.at(3)).unwrap(), None);
    state.0.remove(run.at(1)).unwrap();
    state.turn();
    assert_eq!(state.0.get(run.at(1)).unwrap(), None);
}

/// 26: windows of a reducing state join in the target, wherever their values lie.
pub fn reducing_windows_join<B: Backend>(run: &Run<B>) {
    let mut state = reducing!(run, In<String, u8>);
    spread(run, |at, number| state.0.add(at, format!("{number} ")).unwrap());
    state.turn();
    for Spread { key, .. } in SPREAD {
        let at = |window| run.at::<String>(key).within(window);
        state.0.merge(at(1), &[at(2), at(3)]).unwrap();
    }
    state.turn();
    for Spread { key, windows } in SPREAD {
        let at = |window| run.at::<String>(key).within(window);
        let joined = state.0.get(at(1)).unwrap();
        let numbers = joined.iter().flat_map(|text| text.split_whitespace());
        let sum: u32 = numbers.map(|number| number.parse::<u32>().unwrap()).sum();
        assert_eq!(joined.is_some(), !windows.is_empty(), "{key}");
        assert_eq!(sum, if windows.is_empty() { 0 } else { 165 }, "{key}");
        assert_eq!(state.0.get(at(2)).unwrap(), None);
        assert_eq!(state.0.get(at(3)).unwrap(), None);
    }
    assert_eq!(state.0.state().rows(), 4);
}

/// 27, 30: an accumulator that is changed in place, of another type than input and output.
pub fn an_accumulator_grows_in_place<B: Backend>(run: &Run<B>) {
    let mut state = aggregating!(run, u64, Distinct);
    for input in [3, 1, 3, 2, 1] {
        state.0.add(run.at(1), input).unwrap();
        state.turn();
    }
    assert_eq!(state.0.get(run.at(1)).unwrap(), Some(3));
    assert_eq!(state.0.get(run.at(2)).unwrap(), None);
    let stored = Value::get(state.0.state(), run.at::<u64>(1)).unwrap();
    assert_eq!(*stored.unwrap(), [1, 2, 3]);
}

/// 28, 30: an accumulator that is replaced at each addition.
pub fn an_accumulator_is_replaced<B: Backend>(run: &Run<B>) {
    let mut state = aggregating!(run, u64, Mean);
    for input in [17, 11, -4] {
        state.0.add(run.at(1), input).unwrap();
        state.turn();
    }
    assert_eq!(state.0.get(run.at(1)).unwrap().as_deref(), Some("24/3"));
    state.0.remove(run.at(1)).unwrap();
    state.turn();
    assert_eq!(state.0.get(run.at(1)).unwrap(), None);
}

/// 27, 28: windows of an aggregating state join in the target.
pub fn aggregating_windows_join<B: Backend>(run: &Run<B>) {
    let mut state = aggregating!(run, In<String, u8>, Mean);
    spread(run, |at, number| state.0.add(at, number).unwrap());
    state.turn();
    for Spread { key, windows } in SPREAD {
        let at = |window| run.at::<String>(key).within(window);
        state.0.merge(at(1), &[at(2), at(3)]).unwrap();
        state.turn();
        let expected = (!windows.is_empty()).then_some("165/5");
        assert_eq!(state.0.get(at(1)).unwrap().as_deref(), expected, "{key}");
        assert_eq!(state.0.get(at(3)).unwrap(), None);
    }
    assert_eq!(state.0.state().rows(), 4);
}

/// 29: reading does not change what is accumulated.
pub fn reading_changes_no_accumulator<B: Backend>(run: &Run<B>) {
    let mut state = aggregating!(run, u64, Mean);
    state.0.add(run.at(1), 5).unwrap();
    for _ in 0..3 {
        assert_eq!(state.0.get(run.at(1)).unwrap().as_deref(), Some("5/1"));
        state.turn();
    }
    state.0.add(run.at(1), 1).unwrap();
    assert_eq!(state.0.get(run.at(1)).unwrap().as_deref(), Some("6/2"));
}

/// Adds the numbers of every key and window.
fn spread<B: Backend>(run: &Run<B>, mut add: impl FnMut(At<'_, In<String, u8>>, i32)) {
    for Spread { key, windows } in SPREAD {
        for (window, numbers) in windows {
            let at = run.at::<String>(key).within(*window);
            numbers.iter().for_each(|number| add(at, *number));
        }
    }
}
