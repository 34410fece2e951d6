//! What a task has taken from its inputs and not processed yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;

use super::Step;
use crate::codec::EncodeError;
use crate::operator::InFlightCodec;
use crate::planted::planted;

/// What a task has taken from its inputs and not processed yet, oldest first, and the log of what
/// is in flight.
///
/// A task takes nothing else while something waits here, but what is
/// [`is_logged`](super::Aligner::is_logged): so what waits comes before all in the channels.
#[derive(Debug)]
pub struct Backlog<V> {
    waiting: VecDeque<(u16, V)>,
    codec: Option<InFlightCodec<V>>,
    log: Option<Log>,
}

/// The records in flight, encoded, or why they cannot be.
pub type Log = Result<Vec<Vec<u8>>, EncodeError<Infallible>>;

impl<V> Backlog<V> {
    /// Begins with what was in flight in the checkpoint that the task is restored from. Only with a
    /// codec can a checkpoint overtake what waits.
    pub fn new(codec: Option<InFlightCodec<V>>, waiting: Vec<(u16, V)>) -> Self {
        Self { waiting: waiting.into(), codec, log: None }
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts records behind those that wait: they were taken from an input that
    /// [`is_logged`](super::Aligner::is_logged).
    pub fn put(&mut self, input: u16, records: V) {
        self.log(input, &records);
        self.waiting.push_back((input, records));
    }

    /// Returns what waits longest, to be processed.
    pub fn take(&mut self) -> Option<(u16, V)> {
        self.waiting.pop_front()
    }

    /// Follows a step of the aligner; returns the log when it is complete.
    ///
    /// # Panics
    ///
    /// If barriers are aligned though something waits, which they come behind.
    pub fn follow(&mut self, step: Step) -> Option<Log> {
        match step {
            Step::Abort(_) => self.log = None,
            Step::Checkpoint(_) => assert!(self.is_empty(), "barriers come behind what waits"),
            Step::Logged(_) => return self.log.take(),
            Step::Overtake(_) => {
                self.log = Some(Ok(Vec::new()));
                let waiting = core::mem::take(&mut self.waiting);
                for (input, records) in waiting.iter().filter(|_| !planted(66)) {
                    self.log(*input, records);
                }
                self.waiting = waiting;
            }
            Step::Block(_) | Step::Unblock => {}
        }
        None
    }

    fn log(&mut self, input: u16, records: &V) {
        if let (Some(Ok(log)), Some(codec)) = (&mut self.log, &self.codec) {
            match codec.encode(input, records) {
                Ok(item) => log.push(item),
                Err(error) => self.log = Some(Err(error)),
            }
        }
    }
}
