//! The channels that a task receives from: many streams, their barriers brought together.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select};
use holdwater::barrier::{Aligner, Barrier, BarrierError, Guarantee, Step};

use crate::message::{Message, Notice};

/// All inputs of one task.
#[derive(Debug)]
pub struct Inputs<B> {
    channels: Vec<Receiver<Message<B>>>,
    states: Vec<Stream>,
    notices: Receiver<Notice>,
    aligner: Aligner,
    /// When the first barrier of a checkpoint came of which others are awaited.
    since: Option<Instant>,
}

/// What a task has to do next.
#[derive(Debug)]
pub enum Input<B> {
    /// Process records of an input.
    Batch(usize, B),
    /// Take part in a checkpoint, before the next record. So long after its first barrier its last
    /// has come.
    Checkpoint(Barrier, Duration),
    /// Every input has ended.
    Ended,
    /// Every input waits to be taken in order.
    Flush,
    /// Somebody at the other end is gone: the job is over.
    Gone,
    /// Nothing is at hand.
    Nothing,
    /// Take note.
    Notice(Notice),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stream {
    Ended,
    Held,
    Open,
}

impl<B> Inputs<B> {
    /// Brings together the barriers of `channels`, and listens to `notices`.
    pub fn new(
        channels: Vec<Receiver<Message<B>>>,
        notices: Receiver<Notice>,
        guarantee: Guarantee,
        epoch: u64,
    ) -> Self {
        let aligner = Aligner::new(guarantee, epoch, channels.len());
        let states = vec![Stream::Open; channels.len()];
        Self { channels, states, notices, aligner, since: None }
    }

    /// Returns what comes next; waits for it if asked to.
    pub fn next(&mut self, wait: bool) -> Result<Input<B>, BarrierError> {
        loop {
            while let Some(step) = self.aligner.poll() {
                // Blocking is asked for by input; states forget an aborted checkpoint by notice.
                if let Step::Checkpoint(barrier) = step {
                    let since = self.since.take();
                    let aligned = since.map_or(Duration::ZERO, |since| since.elapsed());
                    return Ok(Input::Checkpoint(barrier, aligned));
                }
            }
            if self.states.iter().all(|state| *state == Stream::Ended) {
                return Ok(Input::Ended);
            }
            if !self.states.contains(&Stream::Open) {
                return Ok(Input::Flush);
            }
            let (input, message) = match self.receive(wait) {
                Received::Gone => return Ok(Input::Gone),
                Received::Message(input, message) => (input, message),
                Received::Nothing => return Ok(Input::Nothing),
                Received::Notice(notice) => {
                    if let Notice::Aborted(id) = notice {
                        self.aligner.aborted(id);
                        self.since = None;
                    }
                    return Ok(Input::Notice(notice));
                }
            };
            match message {
                Message::Barrier(barrier) => {
                    self.since.get_or_insert_with(Instant::now);
                    self.aligner.barrier(input, barrier)?;
                }
                Message::Batch(batch) => return Ok(Input::Batch(input, batch)),
                Message::End => {
                    self.states[input] = Stream::Ended;
                    self.aligner.finished(input);
                }
                Message::Flush => self.states[input] = Stream::Held,
            }
        }
    }

    /// Takes what is left of the inputs that wait, one input after the other. Returns false if one
    /// of them is gone before its end.
    pub(crate) fn drain<E>(
        &mut self,
        mut batch: impl FnMut(B) -> Result<(), E>,
    ) -> Result<bool, E> {
        for (channel, state) in self.channels.iter().zip(&mut self.states) {
            while *state != Stream::Ended {
                match channel.recv() {
                    Ok(Message::Batch(results)) => batch(results)?,
                    Ok(Message::End) => *state = Stream::Ended,
                    Ok(Message::Barrier(_) | Message::Flush) => {}
                    Err(_) => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    /// Returns a notice that came before the job was over.
    pub(crate) fn last_notice(&self) -> Option<Notice> {
        self.notices.try_recv().ok()
    }

    fn receive(&self, wait: bool) -> Received<B> {
        let mut select = Select::new();
        let mut places = Vec::with_capacity(self.channels.len());
        for (input, channel) in self.channels.iter().enumerate() {
            if self.states[input] == Stream::Open && !self.aligner.is_blocked(input) {
                select.recv(channel);
                places.push(input);
            }
        }
        select.recv(&self.notices);
        let ready = match wait {
            true => select.select(),
            false => match select.try_select() {
                Ok(ready) => ready,
                Err(_) => return Received::Nothing,
            },
        };
        match places.get(ready.index()) {
            Some(input) => match ready.recv(&self.channels[*input]) {
                Ok(message) => Received::Message(*input, message),
                Err(_) => Received::Gone,
            },
            None => match ready.recv(&self.notices) {
                Ok(notice) => Received::Notice(notice),
                Err(_) => Received::Gone,
            },
        }
    }
}

enum Received<B> {
    Gone,
    Message(usize, Message<B>),
    Nothing,
    Notice(Notice),
}
