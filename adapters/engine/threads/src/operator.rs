//! Operators: what is done with the records, keyed, with state.

use std::error::Error;
use std::fmt;

use holdwater::key::KeyGroups;
use holdwater::operator::{InFlightCodec, Task};
use holdwater::state::States;

/// What a subtask does with its records. Each subtask has its own, in its own thread.
pub trait Operator: 'static {
    /// Some records: what the sources send.
    type Batch: Send + 'static;
    /// Some results: what the sink takes.
    type Output: Send + 'static;
    /// What it keeps.
    type States: States;
    /// Why a batch cannot be processed.
    type Error: Error + Send + Sync + 'static;

    /// Is told the time of processing, in milliseconds since 1970 UTC, before each batch and before
    /// the end. It never goes back.
    fn tick(&mut self, now: i64) {
        let _ = now;
    }

    /// Processes records of the input with number `source`.
    fn process(
        &mut self,
        source: usize,
        batch: Self::Batch,
        outputs: &mut Outputs<Self::Output>,
    ) -> Result<(), Self::Error>;

    /// Does a bounded piece of what [`process`](Self::process) has left to be done; returns whether
    /// there is more.
    ///
    /// It is called behind each batch, and again while there is more and nothing else is at hand.
    /// A barrier may come between two pieces: what is left then has to be in the states, unless
    /// [`settle`](Self::settle) does it.
    fn work(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<bool, Self::Error> {
        let _ = outputs;
        Ok(false)
    }

    /// Settles what a checkpoint must not cut through: brings into its states what it keeps beside
    /// them, and gives the outputs that belong before the barrier. It is called before the states
    /// are frozen, and before they are shown to who asks; however long it takes, so much later is
    /// the checkpoint or the answer.
    fn settle(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Self::Error> {
        let _ = outputs;
        Ok(())
    }

    /// Gives what is left, once every input has ended.
    fn finish(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Self::Error>;

    /// Returns how records and results are stored that are on their way when barriers overtake
    /// them; `None` where they are not: then barriers have to be aligned, and no checkpoint is
    /// restored that holds some.
    fn in_flight() -> Option<InFlightCodecs<Self::Batch, Self::Output>>
    where
        Self: Sized,
    {
        None
    }

    /// Shows its states, to be frozen and loaded.
    fn states(&mut self) -> &mut Self::States;

    /// Does a bounded piece of clean-up between two batches. `now` is the time of processing.
    fn sweep(&mut self, now: i64) -> Result<(), Self::Error> {
        let _ = now;
        Ok(())
    }

    /// Returns its watermark, in milliseconds since 1970 UTC.
    fn watermark(&self) -> i64 {
        i64::MIN
    }

    /// Returns what it has counted since it was made, by name. The job sums it over its subtasks
    /// and across restarts.
    fn counters(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

/// How what is in flight is stored: records on their way to a subtask, and results to the sink.
#[derive(Clone, Debug)]
pub struct InFlightCodecs<R, T> {
    /// Of records.
    pub records: InFlightCodec<R>,
    /// Of results.
    pub results: InFlightCodec<T>,
}

/// Which subtask an operator is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subtask {
    /// Its number.
    pub index: u16,
    /// How many there are.
    pub subtasks: u16,
    /// The groups whose keys it gets.
    pub groups: KeyGroups,
}

impl Subtask {
    /// Returns it as the task that operator state is opened for
    /// ([`Split`](holdwater::operator::Split) and others).
    pub const fn task(&self) -> Task {
        Task::new(self.index, self.subtasks)
    }
}

/// Takes the results of one subtask to the sink.
pub struct Outputs<O> {
    give: Box<dyn FnMut(O) + Send>,
}

impl<O> Outputs<O> {
    /// Has results taken by `give`, as an engine, or a test of an operator, does.
    pub fn new(give: impl FnMut(O) + Send + 'static) -> Self {
        Self { give: Box::new(give) }
    }

    /// Sends some results; some 1,000 at once, so that they do not wait for each other.
    ///
    /// It blocks while the sink is behind. Results of a job that has failed are dropped.
    pub fn emit(&mut self, results: O) {
        (self.give)(results);
    }
}

impl<O> fmt::Debug for Outputs<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").finish_non_exhaustive()
    }
}
