//! Results on their way from a subtask to the sink.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::message::Message;
use crate::operator::Outputs;

/// What a subtask has given, and the sink has no room for yet.
///
/// With aligned barriers nothing waits here: whoever gives results waits for the room. A subtask
/// whose barriers overtake must be able to freeze while the sink is behind, so there the results of
/// a batch wait here, and the next batch waits for them.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    results: Sender<Message<T>>,
    given: Option<Receiver<T>>,
    waiting: VecDeque<Message<T>>,
}

impl<T: Send + 'static> Outbox<T> {
    /// Makes one with what puts results into it. Results wait in it if they are `held`.
    pub(crate) fn new(results: Sender<Message<T>>, held: bool) -> (Self, Outputs<T>) {
        let (given, outputs) = match held {
            true => {
                let (give, given) = unbounded();
                // The receiver lives as long as the operator is run.
                (Some(given), Outputs::new(move |batch| drop(give.send(batch))))
            }
            false => (None, direct(results.clone())),
        };
        (Self { results, given, waiting: VecDeque::new() }, outputs)
    }

    /// Sends a message behind all results that were given.
    pub(crate) fn send(&mut self, message: Message<T>) {
        if self.given.is_none() {
            // Without a sink the job has failed: this subtask is about to be told.
            let _ = self.results.send(message);
            return;
        }
        self.gather();
        self.waiting.push_back(message);
    }

    /// Returns whether something waits for the sink.
    pub(crate) fn is_behind(&mut self) -> bool {
        self.gather();
        !self.waiting.is_empty()
    }

    /// Returns the way to the sink.
    pub(crate) const fn channel(&self) -> &Sender<Message<T>> {
        &self.results
    }

    /// Takes what has waited longest, to be sent.
    pub(crate) fn take(&mut self) -> Option<Message<T>> {
        self.waiting.pop_front()
    }

    /// Sends all that waits, and returns what sends results from here on.
    pub(crate) fn open(&mut self) -> Outputs<T> {
        self.gather();
        self.given = None;
        std::mem::take(&mut self.waiting).into_iter().for_each(|message| self.send(message));
        direct(self.results.clone())
    }

    fn gather(&mut self) {
        let given = self.given.iter().flat_map(Receiver::try_iter);
        self.waiting.extend(given.map(Message::Batch));
    }
}

/// Sends results at once. Without a sink the job has failed: the subtask is about to be told.
fn direct<T: Send + 'static>(results: Sender<Message<T>>) -> Outputs<T> {
    Outputs::new(move |batch| drop(results.send(Message::Batch(batch))))
}
