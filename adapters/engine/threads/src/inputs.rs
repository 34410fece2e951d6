//! The channels that a task receives from: many streams, their barriers brought together.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, SelectedOperation};
use holdwater::barrier::{Aligner, Backlog, Barrier, BarrierError, Barriers, Guarantee, Log, Step};
use holdwater::operator::InFlightCodec;

use crate::in_flight::InFlightOf;
use crate::message::{Message, Notice};
use crate::outbox::Outbox;

/// All inputs of one task.
#[derive(Debug)]
pub struct Inputs<B> {
    channels: Vec<Receiver<Message<B>>>,
    states: Vec<Stream>,
    notices: Receiver<Notice>,
    aligner: Aligner,
    barriers: Barriers,
    backlog: Backlog<B>,
    /// While what is in flight is logged, nothing is processed.
    logs_first: bool,
    codec: Option<InFlightCodec<B>>,
    /// Time counts from here.
    begun: Instant,
    /// When the first sign of a checkpoint came of which barriers are awaited.
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
    /// What is in flight belongs to the part that was taken. So long after the first sign of the
    /// checkpoint its last barrier has come.
    Logged(Log, Duration),
    /// Nothing is at hand.
    Nothing,
    /// Take note.
    Notice(Notice),
    /// Take part in a checkpoint, before the next record, and keep it for what is in flight.
    Overtake(Barrier),
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
        Self {
            aligner: Aligner::new(guarantee, epoch, channels.len()),
            barriers: Barriers::Aligned,
            states: vec![Stream::Open; channels.len()],
            backlog: Backlog::new(None, Vec::new()),
            logs_first: false,
            codec: None,
            begun: Instant::now(),
            since: None,
            channels,
            notices,
        }
    }

    /// Lets barriers overtake what `codec` stores.
    #[must_use]
    pub(crate) fn with_barriers(
        mut self,
        barriers: Barriers,
        codec: Option<InFlightCodec<B>>,
    ) -> Self {
        self.aligner = self.aligner.with_barriers(barriers);
        self.backlog = Backlog::new(codec.clone(), Vec::new());
        (self.barriers, self.codec) = (barriers, codec);
        self
    }

    /// Has the task wait for barriers, once it has taken its part, rather than process what waits:
    /// right where senders pass them on within a batch, as subtasks do.
    #[must_use]
    pub(crate) fn logging_first(mut self) -> Self {
        self.logs_first = true;
        self
    }

    /// Takes what was in flight in the checkpoint that is restored: it comes first.
    pub(crate) fn resume(&mut self, in_flight: InFlightOf<B>) {
        self.backlog = Backlog::new(self.codec.clone(), in_flight);
    }

    /// Returns how long barriers are waited for.
    pub(crate) const fn barriers(&self) -> Barriers {
        self.barriers
    }

    /// Returns how what is in flight is stored.
    pub(crate) const fn codec(&self) -> Option<&InFlightCodec<B>> {
        self.codec.as_ref()
    }

    /// Returns what comes next; waits for it if asked to.
    pub fn next(&mut self, wait: bool) -> Result<Input<B>, BarrierError> {
        self.turn::<()>(wait, None)
    }

    /// Sends the first of what waits in `outbox` once there is room, and returns nothing; or
    /// returns what comes before that and is no record to be processed.
    pub(crate) fn next_beside<T: Send + 'static>(
        &mut self,
        outbox: &mut Outbox<T>,
    ) -> Result<Input<B>, BarrierError> {
        self.turn(true, Some(outbox))
    }

    fn turn<T: Send + 'static>(
        &mut self,
        wait: bool,
        mut outbox: Option<&mut Outbox<T>>,
    ) -> Result<Input<B>, BarrierError> {
        loop {
            if let Some(input) = self.follow() {
                return Ok(input);
            }
            let logs_first = self.logs_first && self.aligner.is_overtaken();
            let can_process = outbox.is_none() && !logs_first;
            if can_process && self.backlog.is_empty() {
                if self.states.iter().all(|state| *state == Stream::Ended) {
                    return Ok(Input::Ended);
                }
                if !self.states.contains(&Stream::Open) {
                    return Ok(Input::Flush);
                }
            }
            let waits = wait && (!can_process || self.backlog.is_empty());
            let (input, message) = match self.receive(waits, can_process, outbox.as_deref_mut()) {
                Received::Due => continue,
                Received::Gone => return Ok(Input::Gone),
                Received::Message(input, message) => (input, message),
                Received::Nothing => {
                    let first = if can_process { self.backlog.take() } else { None };
                    let batch = first.map(|(input, batch)| Input::Batch(usize::from(input), batch));
                    return Ok(batch.unwrap_or(Input::Nothing));
                }
                Received::Notice(notice) => match notice {
                    Notice::Begun(barrier, since) => {
                        let since = since.saturating_duration_since(self.begun);
                        self.aligner.announced(barrier, millis(since));
                        continue;
                    }
                    Notice::Aborted(id) => {
                        self.aligner.aborted(id);
                        self.since = None;
                        return Ok(Input::Notice(Notice::Aborted(id)));
                    }
                    Notice::Asked(_) | Notice::Completed(_) => return Ok(Input::Notice(notice)),
                },
            };
            match message {
                Message::Barrier(barrier) => {
                    self.since.get_or_insert_with(Instant::now);
                    self.aligner.barrier(input, barrier)?;
                }
                Message::Batch(batch) if self.aligner.is_logged(input) => {
                    self.backlog.put(input as u16, batch);
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

    /// Does what the aligner says, up to what the task has to do.
    fn follow(&mut self) -> Option<Input<B>> {
        self.tick();
        while let Some(step) = self.aligner.poll() {
            let log = self.backlog.follow(step);
            // Blocking is asked for by input; states forget an aborted checkpoint by notice.
            match step {
                Step::Checkpoint(barrier) => {
                    return Some(Input::Checkpoint(barrier, self.aligned()));
                }
                Step::Overtake(barrier) => {
                    self.since.get_or_insert_with(Instant::now);
                    return Some(Input::Overtake(barrier));
                }
                Step::Logged(_) => {
                    return log.map(|log| Input::Logged(log, self.aligned()));
                }
                Step::Abort(_) | Step::Block(_) | Step::Unblock => {}
            }
        }
        None
    }

    fn tick(&mut self) {
        if let Barriers::Within(_) = self.barriers {
            self.aligner.tick(self.now());
        }
    }

    fn now(&self) -> u64 {
        millis(self.begun.elapsed())
    }

    /// Returns for how long the barriers of a checkpoint were brought together.
    fn aligned(&mut self) -> Duration {
        self.since.take().map_or(Duration::ZERO, |since| since.elapsed())
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

    /// Returns whether the next message of an input may be taken.
    fn may_take(&self, input: usize, can_process: bool) -> bool {
        let is_next = can_process && self.backlog.is_empty() && !self.aligner.is_blocked(input);
        self.states[input] == Stream::Open && (is_next || self.aligner.is_logged(input))
    }

    fn receive<T: Send + 'static>(
        &self,
        wait: bool,
        can_process: bool,
        outbox: Option<&mut Outbox<T>>,
    ) -> Received<B> {
        // What overtakes goes first.
        if self.barriers != Barriers::Aligned
            && let Ok(notice) = self.notices.try_recv()
        {
            return Received::Notice(notice);
        }
        let mut select = Select::new();
        let mut places = Vec::with_capacity(self.channels.len());
        for (input, channel) in self.channels.iter().enumerate() {
            if self.may_take(input, can_process) {
                select.recv(channel);
                places.push(input);
            }
        }
        let notices = select.recv(&self.notices);
        let results = outbox.as_ref().map(|outbox| outbox.channel().clone());
        if let Some(results) = &results {
            select.send(results);
        }
        let ready = match self.select(&mut select, wait) {
            Ok(ready) => ready,
            Err(received) => return received,
        };
        let index = ready.index();
        if let Some(input) = places.get(index) {
            return match ready.recv(&self.channels[*input]) {
                Ok(message) => Received::Message(*input, message),
                Err(_) => Received::Gone,
            };
        }
        if index == notices {
            return match ready.recv(&self.notices) {
                Ok(notice) => Received::Notice(notice),
                Err(_) => Received::Gone,
            };
        }
        if let Some((results, outbox)) = results.as_ref().zip(outbox)
            && let Some(message) = outbox.take()
        {
            // Without a sink the job has failed: this task is about to be told.
            let _ = ready.send(results, message);
        }
        Received::Nothing
    }

    fn select<'s>(
        &self,
        select: &mut Select<'s>,
        wait: bool,
    ) -> Result<SelectedOperation<'s>, Received<B>> {
        if !wait {
            return select.try_select().map_err(|_| Received::Nothing);
        }
        let due = match self.barriers {
            Barriers::Within(_) => self.aligner.due_in(self.now()),
            Barriers::Aligned | Barriers::Unaligned => None,
        };
        match due {
            Some(due) => {
                let due = Duration::from_millis(due);
                select.select_timeout(due).map_err(|_| Received::Due)
            }
            None => Ok(select.select()),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

enum Received<B> {
    /// A barrier was waited for long enough.
    Due,
    Gone,
    Message(usize, Message<B>),
    Nothing,
    Notice(Notice),
}
