//! The job: two inputs, and one task that brings their barriers together and writes what it reads.

use std::collections::VecDeque;

use holdwater::barrier::{Aligner, Barrier, Guarantee, Step};
use holdwater::checkpoint::{
    Command, Config, Coordinator, Halt, Job, OperatorShape, Recovered, Report, TaskId,
};
use holdwater::manifest::{CheckpointId, CheckpointKind, SinkEntry, SourceEntry};
use holdwater::planted::planted;
use holdwater::sink::Transactions;
use holdwater::storage::{Reply, Request};

use crate::output::{Output, Record};
use crate::process::Gone;

/// The identity of the job.
pub(crate) const JOB: u128 = 7;
/// How many inputs it has.
pub const INPUTS: usize = 2;

/// The job as one process runs it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    epoch: u64,
    restored: Option<CheckpointId>,
    coordinator: Coordinator,
    /// The step of storage that the coordinator waits for.
    asked: Option<Request>,
    inputs: [Input; INPUTS],
    aligner: Aligner,
    /// What was taken since the last barrier.
    open: Vec<Record>,
    /// How many records lie before the last barrier.
    taken: usize,
    /// How many lay before the barrier of each checkpoint that is not complete, as far as known.
    cuts: Vec<(u64, usize)>,
    transactions: Transactions,
    /// What tasks have told the coordinator, under way in any order.
    reports: Vec<(TaskId, CheckpointId, Report)>,
    notices: VecDeque<Notice>,
}

#[derive(Clone, Debug, Default)]
struct Input {
    next: u8,
    orders: VecDeque<Barrier>,
    channel: VecDeque<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Barrier(Barrier),
    Record(Record),
}

#[derive(Clone, Copy, Debug)]
enum Notice {
    Aborted(CheckpointId),
    Completed(CheckpointId),
}

/// What the coordinator has said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) completed: Option<CheckpointId>,
    pub(crate) gone: Option<Gone>,
}

impl Run {
    /// Goes on from what was recovered: the output is brought to it.
    ///
    /// `found` was unresolved in it before the process knew that no newer epoch was begun.
    pub(crate) fn new(recovered: Recovered, found: &[Vec<u8>], output: &mut Output) -> Self {
        let (epoch, manifest) = (recovered.epoch, recovered.restored.clone());
        let operator =
            |name: &str, parallelism| OperatorShape { name: name.to_owned(), parallelism };
        let job = Job {
            id: JOB,
            signature: Vec::new(),
            key_groups: 1,
            hash_function: 0,
            operators: vec![operator("read", INPUTS as u16), operator("write", 1)],
        };
        let mut inputs = <[Input; INPUTS]>::default();
        let mut named = Vec::new();
        if let Some(manifest) = &manifest {
            for (input, entry) in inputs.iter_mut().zip(&manifest.sources) {
                input.next = entry.position[0];
            }
            named = manifest.sinks[0].transactions.clone();
        }
        let mut transactions = Transactions::restored(&named, found);
        output.resolve(&mut transactions);
        let taken = inputs.iter().map(|input| usize::from(input.next)).sum();
        output.shows(taken);
        Self {
            epoch,
            restored: manifest.map(|manifest| manifest.id),
            coordinator: Coordinator::new(Config { retain: 1, full_every: 2 }, job, recovered),
            asked: None,
            inputs,
            aligner: Aligner::new(Guarantee::ExactlyOnce, epoch, INPUTS),
            open: Vec::new(),
            taken,
            cuts: Vec::new(),
            transactions,
            reports: Vec::new(),
            notices: VecDeque::new(),
        }
    }

    pub(crate) fn asked(&self) -> Option<&Request> {
        self.asked.as_ref()
    }

    pub(crate) fn origin(&self) -> (u64, Option<CheckpointId>) {
        (self.epoch, self.restored)
    }

    /// Returns the place behind the last record that an input has read.
    pub(crate) fn next(&self, input: usize) -> u8 {
        self.inputs[input].next
    }

    /// Reads the next record of an input.
    pub(crate) fn read(&mut self, input: usize) {
        let place = &mut self.inputs[input];
        place.channel.push_back(Item::Record((input, place.next)));
        place.next += 1;
    }

    pub(crate) fn may_pass(&self, input: usize) -> bool {
        !self.inputs[input].orders.is_empty()
    }

    /// Puts the barrier that an input was told of behind what it has read.
    pub(crate) fn pass(&mut self, input: usize) {
        let place = &mut self.inputs[input];
        let Some(barrier) = place.orders.pop_front() else { return };
        place.channel.push_back(Item::Barrier(barrier));
        let entry = SourceEntry { name: input.to_string(), position: vec![place.next] };
        let task = TaskId { operator: 0, index: input as u16 };
        let report = Report { sources: vec![entry], ..Report::default() };
        self.reports.push((task, barrier.id, report));
    }

    pub(crate) fn may_take(&self, input: usize) -> bool {
        !self.inputs[input].channel.is_empty() && !self.aligner.is_blocked(input)
    }

    /// Takes what comes next from an input.
    pub(crate) fn take(&mut self, input: usize, output: &mut Output) {
        match self.inputs[input].channel.pop_front() {
            Some(Item::Record(record)) => self.open.push(record),
            Some(Item::Barrier(barrier)) => {
                self.aligner.barrier(input, barrier).expect("channels keep their order");
                self.align(output);
            }
            None => {}
        }
    }

    fn align(&mut self, output: &mut Output) {
        while let Some(step) = self.aligner.poll() {
            let Step::Checkpoint(barrier) = step else { continue };
            let id = barrier.id;
            let epoch = if planted(23) { 0 } else { id.epoch };
            let transaction = [epoch, id.checkpoint].map(u64::to_le_bytes).concat();
            self.taken += self.open.len();
            self.cuts.push((id.checkpoint, self.taken));
            output.prepare(transaction.clone(), std::mem::take(&mut self.open));
            self.transactions.prepared(id, transaction);
            let transactions = self.transactions.pending();
            let entry = SinkEntry { name: "out".to_owned(), transactions, committed: Vec::new() };
            let report = Report { sinks: vec![entry], ..Report::default() };
            self.reports.push((TaskId { operator: 1, index: 0 }, id, report));
        }
    }

    /// Returns how many reports are under way.
    pub(crate) fn reports(&self) -> usize {
        self.reports.len()
    }

    /// Delivers a report; one that is repeated is under way still.
    pub(crate) fn deliver(&mut self, report: usize, again: bool) -> Said {
        let (task, id, told) = match again {
            true => self.reports[report].clone(),
            false => self.reports.remove(report),
        };
        self.coordinator.ack(task, id, told);
        self.go_on()
    }

    pub(crate) fn has_notice(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Delivers the next notice to the task; one that is lost changes nothing.
    pub(crate) fn note(&mut self, lost: bool, output: &mut Output) {
        match self.notices.pop_front().filter(|_| !lost) {
            Some(Notice::Completed(id)) => {
                self.transactions.completed(id);
                output.resolve(&mut self.transactions);
                for (_, records) in self.cuts.extract_if(.., |(cut, _)| *cut <= id.checkpoint) {
                    output.shows(records);
                }
            }
            Some(Notice::Aborted(id)) => {
                self.aligner.aborted(id);
                self.align(output);
            }
            None => {}
        }
    }

    pub(crate) fn may_trigger(&self) -> bool {
        self.coordinator.under_way().is_none()
    }

    pub(crate) fn trigger(&mut self) -> Said {
        // It may be busy cleaning up, and take the next one nevertheless.
        let _ = self.coordinator.trigger(CheckpointKind::Checkpoint, 0);
        self.go_on()
    }

    pub(crate) fn may_expire(&self) -> bool {
        self.coordinator.under_way().is_some()
    }

    pub(crate) fn expire(&mut self) -> Said {
        if let Some(id) = self.coordinator.under_way() {
            self.coordinator.expire(id);
        }
        self.go_on()
    }

    /// Takes the outcome of the step of storage.
    pub(crate) fn reply(&mut self, reply: Reply) -> Said {
        self.asked = None;
        self.coordinator.reply(reply);
        self.go_on()
    }

    fn go_on(&mut self) -> Said {
        let mut said = Said::default();
        while let Some(command) = self.coordinator.poll() {
            match command {
                Command::Storage(request) => {
                    self.asked = Some(request);
                    break;
                }
                Command::Barrier(barrier) => {
                    self.inputs.iter_mut().for_each(|input| input.orders.push_back(barrier));
                }
                Command::Completed(id) => {
                    said.completed = Some(id);
                    self.notices.push_back(Notice::Completed(id));
                }
                Command::Aborted(id, _) => self.notices.push_back(Notice::Aborted(id)),
                Command::Halt(Halt::Fenced { .. }) => said.gone = Some(Gone::Fenced),
                Command::Halt(_) => said.gone = Some(Gone::Failed),
                Command::Warn(_) => {}
            }
        }
        said
    }
}
