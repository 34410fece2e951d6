//! Channels between the tasks of one start of the job: in order and without loss.

use std::collections::VecDeque;

use holdwater::barrier::Barrier;

use crate::output::Row;

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel<T> {
    elements: VecDeque<T>,
    capacity: usize,
}

/// What a source sends to a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Element {
    /// The record at that place of the source.
    Record(u32),
    /// What comes before it belongs to the checkpoint.
    Barrier(Barrier),
    /// Nothing follows.
    End,
}

/// What a task sends to the sink.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// Results.
    Rows(Vec<Row>),
    /// What comes before it belongs to the checkpoint.
    Barrier(Barrier),
}

impl<T> Channel<T> {
    /// Returns an empty channel that takes `capacity` elements.
    pub const fn new(capacity: usize) -> Self {
        Self { elements: VecDeque::new(), capacity }
    }

    /// Returns whether whoever sends has to wait.
    pub fn is_full(&self) -> bool {
        self.elements.len() >= self.capacity
    }

    /// Returns whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Sends an element. Barriers and ends find room in a full channel too.
    pub fn send(&mut self, element: T) {
        self.elements.push_back(element);
    }

    /// Takes the next element.
    pub fn take(&mut self) -> Option<T> {
        self.elements.pop_front()
    }
}
