use holdwater::key::In;
use holdwater::state::{
    Backend, Descriptor, List, Map, States, TimeDomain, Timers, Value, Visitor,
};

use super::{Run, Stage};

/// An operator with a state of every kind.
#[derive(Debug)]
pub struct All<B: Backend> {
    /// Texts by number.
    pub texts: B::Value<u64, String>,
    /// Numbers by number and window.
    pub numbers: B::List<In<u64, u8>, u32>,
    /// Amounts by number and name.
    pub amounts: B::Map<u64, String, i64>,
    /// Timers by number.
    pub timers: B::Timers<u64>,
    /// Bids by number and price.
    pub bids: B::OrderedMap<u64, i16, String>,
}

impl<B: Backend> All<B> {
    /// Opens the states.
    pub fn open(store: &mut B) -> Result<Self, B::Error> {
        Ok(Self {
            texts: store.value(Descriptor::new("texts"))?,
            numbers: store.list(Descriptor::new("numbers"))?,
            amounts: store.map(Descriptor::new("amounts"))?,
            timers: store.timers(Descriptor::new("timers"), TimeDomain::Event)?,
            bids: store.ordered_map(Descriptor::new("bids"))?,
        })
    }
}

impl<B: Backend> States for All<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.texts)?;
        visitor.state(&mut self.numbers)?;
        visitor.state(&mut self.amounts)?;
        visitor.state(&mut self.timers)?;
        visitor.state(&mut self.bids)
    }
}

/// Opens a state of every kind, with some rows.
pub(super) fn filled<B: Backend>(run: &Run<B>) -> Stage<B, All<B>> {
    let mut states = run.open(All::open);
    fill(run, &mut states);
    states
}

/// Stores rows of every kind, in several groups.
pub(super) fn fill<B: Backend>(run: &Run<B>, states: &mut All<B>) {
    for (key, text) in [(1, "one"), (2, "two"), (3, "")] {
        states.texts.put(run.at(key), text.into()).unwrap();
        states.amounts.put(run.at(key), "b", key as i64 * 2).unwrap();
        states.amounts.put(run.at(key), "a", -1).unwrap();
        states.bids.put(run.at(key), 300, text.into()).unwrap();
        states.bids.put(run.at(key), -7, "low".into()).unwrap();
    }
    for window in 1..4 {
        let at = run.at::<In<u64, u8>>((1, window));
        states.numbers.set(at, 1..u32::from(window) + 2).unwrap();
    }
    assert!(states.timers.register(run.at(1), 10).unwrap());
    assert!(states.timers.register(run.at(2), 20).unwrap());
}

/// Changes rows of every kind, in place and not; can be called again and again.
pub(super) fn change<B: Backend>(run: &Run<B>, states: &mut All<B>) {
    states.texts.update(run.at(1), || "new".into(), |text| text.push('!')).unwrap();
    states.texts.put(run.at(2), "TWO".into()).unwrap();
    states.texts.put(run.at(30), "thirty".into()).unwrap();
    states.texts.remove(run.at(3)).unwrap();
    let at = run.at::<u64>(1);
    states.numbers.push(at.within(1), 99).unwrap();
    states.numbers.set(at.within(2), [8, 9]).unwrap();
    states.numbers.merge(at.within(2), &[at.within(3)]).unwrap();
    states.amounts.update(at, "a", || 0, |amount| *amount *= 3).unwrap();
    states.amounts.put(at, "c", 3).unwrap();
    states.amounts.remove(at, "b").unwrap();
    states.amounts.remove_all(run.at(2)).unwrap();
    states.bids.update(at, 300, String::new, |text| text.push('?')).unwrap();
    states.bids.put(at, 255, "new".into()).unwrap();
    states.bids.remove(at, -7).unwrap();
    states.bids.remove_all(run.at(3)).unwrap();
    states.timers.delete(run.at(1), 10).unwrap();
    states.timers.register(run.at(3), 5).unwrap();
}
