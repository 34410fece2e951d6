//! Messages between the coordinator and the tasks: they are lost, doubled, late and out of order.

use std::collections::VecDeque;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, TaskId};
use holdwater::manifest::CheckpointId;

use crate::config::NetworkFaults;
use crate::random::{Random, Stream};

/// A message.
#[derive(Clone, Debug)]
pub enum Letter {
    /// From a task: it took its part of a checkpoint.
    Ack(TaskId, CheckpointId, Box<Report>),
    /// From a task: it cannot take its part.
    Decline(TaskId, CheckpointId, String),
    /// To a task: a checkpoint was begun, whose barriers come.
    Announced(TaskId, Barrier),
    /// To a source: put the barrier behind the last record.
    Trigger(usize, Barrier),
    /// To a task: the checkpoint is complete.
    Completed(TaskId, CheckpointId),
    /// To a task: the checkpoint was given up.
    Aborted(TaskId, CheckpointId),
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// It will be delivered.
    Once,
    /// It will be delivered twice.
    Twice,
    /// It is lost.
    Lost,
}

/// The messages that are under way. They outlive the processes that sent them.
#[derive(Clone, Debug)]
pub struct Network {
    letters: VecDeque<Letter>,
    /// How often messages go astray.
    pub faults: NetworkFaults,
}

impl Network {
    /// Returns a network without messages.
    pub fn new(faults: NetworkFaults) -> Self {
        Self { letters: VecDeque::new(), faults }
    }

    /// Sends a message.
    pub fn send(&mut self, letter: Letter, random: &mut Random) -> Sent {
        if random.happens(Stream::Network, self.faults.lost) {
            return Sent::Lost;
        }
        let twice = random.happens(Stream::Network, self.faults.repeated);
        if twice {
            self.letters.push_back(letter.clone());
        }
        self.letters.push_back(letter);
        if twice { Sent::Twice } else { Sent::Once }
    }

    /// Delivers a message.
    pub fn deliver(&mut self, random: &mut Random) -> Option<Letter> {
        let count = self.letters.len();
        if count == 0 {
            return None;
        }
        let reordered = self.faults.reordered;
        let index = if reordered { random.index(Stream::Network, count) } else { 0 };
        self.letters.remove(index)
    }

    /// Returns whether no message is under way.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}
