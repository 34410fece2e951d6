//! All that there is, and every deed that could be the next.

use std::hash::{Hash, Hasher};

use holdwater::manifest::CheckpointId;
use holdwater::storage::{Reply, Request};
use stateright::{Model, Property};

use crate::job::{INPUTS, Run, Said};
use crate::output::Output;
use crate::place::Place;
use crate::process::{Gone, Process, Settling, Started, Starting};

/// Every run of the job within some bounds.
#[derive(Clone, Copy, Debug)]
pub struct Protocol(pub Bounds);

/// How often what may happen happens.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many processes are started. One that does nothing more is as good as dead.
    pub processes: usize,
    /// How many records each input has.
    pub records: [u8; INPUTS],
    /// How many checkpoints are triggered, by all processes together.
    pub triggers: u8,
    /// How many of them are given up for taking too long.
    pub expiries: u8,
    /// How many reports are delivered twice, and how many notices are lost.
    pub losses: u8,
    /// How many publications have an outcome that nobody knows, or none.
    pub failures: u8,
}

/// The processes, what they share, and what was seen of them.
#[derive(Clone, Debug)]
pub struct World {
    place: Place,
    output: Output,
    processes: Vec<Process>,
    /// Which checkpoints tasks were told to be complete, in their order.
    completed: Vec<CheckpointId>,
    /// The number of the newest checkpoint that anybody went on from or was told of.
    known: u64,
    left: Bounds,
}

/// Something that happens; the first number is that of the process.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Deed {
    /// A process is started, whether or not others run.
    Start,
    /// The step of storage that is asked for is done.
    Storage(usize),
    /// The publication that is asked for is not done, or nobody knows whether it is.
    Fail(usize, Failure),
    /// The output is brought to what the process goes on from.
    Settle(usize),
    /// An input reads a record.
    Read(usize, usize),
    /// An input passes a barrier on.
    Pass(usize, usize),
    /// The task takes what comes next from an input.
    Take(usize, usize),
    /// A checkpoint is triggered.
    Trigger(usize),
    /// A checkpoint is given up.
    Expire(usize),
    /// A report reaches the coordinator.
    Report(usize, usize),
    /// A report reaches it, and will once more.
    Repeat(usize, usize),
    /// A notice reaches the task.
    Notice(usize),
    /// A notice is lost.
    Lose(usize),
}

/// How a publication fails.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Failure {
    /// It is not done.
    NotDone,
    /// It is done, and nobody knows.
    UnknownDone,
    /// It is not done, and nobody knows.
    UnknownNotDone,
}

impl Model for Protocol {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        let (place, output) = (Place::default(), Output::default());
        let (processes, completed) = (Vec::new(), Vec::new());
        vec![World { place, output, processes, completed, known: 0, left: self.0 }]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        if world.left.processes > 0 {
            deeds.push(Deed::Start);
        }
        for (number, process) in world.processes.iter().enumerate() {
            if let Some(asked) = process.asked() {
                deeds.push(Deed::Storage(number));
                if world.left.failures > 0 && matches!(asked, Request::Publish { .. }) {
                    let ways = [Failure::NotDone, Failure::UnknownDone, Failure::UnknownNotDone];
                    deeds.extend(ways.map(|way| Deed::Fail(number, way)));
                }
            }
            match process {
                Process::Settling(settling) if settling.may_settle() => {
                    deeds.push(Deed::Settle(number));
                }
                Process::Running(run) => world.left.deeds(number, run, deeds),
                _ => {}
            }
        }
    }

    fn next_state(&self, world: &World, deed: Deed) -> Option<World> {
        let mut world = world.clone();
        world.take(deed);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "each record is visible once, and in its order",
                |_, world: &World| world.shows_each_record_once(),
            ),
            Property::always("a complete checkpoint loses no record", |_: &Self, world: &World| {
                !world.output.lacks()
            }),
            Property::always("a transaction is resolved one way", |_, world: &World| {
                !world.output.is_turned()
            }),
            Property::always(
                "what is visible belongs to a complete checkpoint",
                |_, world: &World| world.shows_what_is_complete(),
            ),
            Property::always(
                "a checkpoint that was told of is gone on from",
                |_, world: &World| world.goes_on_from_what_was_told(),
            ),
            Property::always("no number is told of twice", |_, world: &World| {
                let told = |id: &CheckpointId| id.checkpoint;
                world.completed.is_sorted_by(|one, other| told(one) < told(other))
            }),
            Property::always("the newest complete checkpoint is there", |_, world: &World| {
                world.completed.last().is_none_or(|id| world.place.has(id.manifest()))
            }),
            Property::sometimes("all is visible", |model: &Self, world: &World| {
                world.output.visible().len()
                    == model.0.records.map(usize::from).iter().sum::<usize>()
            }),
            Property::sometimes("a process is fenced off", |_, world: &World| {
                let fenced = |process: &Process| matches!(process, Process::Gone(Gone::Fenced));
                world.processes.iter().any(fenced)
            }),
            Property::sometimes("what nobody was told of is gone on from", |_, world: &World| {
                let told = |id: &CheckpointId| world.completed.contains(id);
                let origins = world.processes.iter().filter_map(Process::origin);
                origins.filter_map(|(_, origin)| origin).any(|id| !told(&id))
            }),
            Property::sometimes("two epochs complete a checkpoint", |_, world: &World| {
                world.completed.windows(2).any(|pair| pair[0].epoch < pair[1].epoch)
            }),
        ]
    }
}

impl Bounds {
    /// One process, one record and two checkpoints, and nothing goes wrong.
    pub const LEAST: Self =
        Self { processes: 1, records: [1, 0], triggers: 2, expiries: 0, losses: 0, failures: 0 };

    /// Adds what a process that runs the job could do next.
    fn deeds(&self, number: usize, run: &Run, deeds: &mut Vec<Deed>) {
        for input in 0..INPUTS {
            let may = [
                (run.next(input) < self.records[input], Deed::Read(number, input)),
                (run.may_pass(input), Deed::Pass(number, input)),
                (run.may_take(input), Deed::Take(number, input)),
            ];
            deeds.extend(may.into_iter().filter(|(may, _)| *may).map(|(_, deed)| deed));
        }
        for report in 0..run.reports() {
            deeds.push(Deed::Report(number, report));
            if self.losses > 0 {
                deeds.push(Deed::Repeat(number, report));
            }
        }
        let may = [
            (run.has_notice(), Deed::Notice(number)),
            (run.has_notice() && self.losses > 0, Deed::Lose(number)),
            (self.triggers > 0 && run.may_trigger(), Deed::Trigger(number)),
            (self.expiries > 0 && run.may_expire(), Deed::Expire(number)),
        ];
        deeds.extend(may.into_iter().filter(|(may, _)| *may).map(|(_, deed)| deed));
    }
}

impl World {
    fn take(&mut self, deed: Deed) {
        let Self { place, output, processes, left, .. } = self;
        let said = match deed {
            Deed::Start => {
                left.processes -= 1;
                return processes.push(Process::Starting(Box::new(Starting::new())));
            }
            Deed::Storage(number) => {
                let Some(asked) = processes[number].asked() else { return };
                let reply = place.perform(asked);
                return self.reply(number, reply);
            }
            Deed::Fail(number, way) => {
                left.failures -= 1;
                let Some(asked) = processes[number].asked() else { return };
                let done = way == Failure::UnknownDone;
                if done && place.perform(asked) != Reply::Done {
                    // What was not done fails in the other way.
                    return;
                }
                let unknown = way != Failure::NotDone;
                return self.reply(number, if unknown { Reply::Unknown } else { Reply::NotDone });
            }
            Deed::Settle(number) => {
                let Process::Settling(settling) = &processes[number] else { return };
                let Settling { recovered, found, .. } = (**settling).clone();
                let run = Run::new(recovered, &found, output);
                processes[number] = Process::Running(Box::new(run));
                return;
            }
            Deed::Read(number, _)
            | Deed::Pass(number, _)
            | Deed::Take(number, _)
            | Deed::Trigger(number)
            | Deed::Expire(number)
            | Deed::Report(number, _)
            | Deed::Repeat(number, _)
            | Deed::Notice(number)
            | Deed::Lose(number) => {
                let Process::Running(run) = &mut processes[number] else { return };
                (number, run_on(run, deed, output, left))
            }
        };
        self.heed(said.0, &said.1);
    }

    /// Tells a process how its step of storage ended.
    fn reply(&mut self, number: usize, reply: Reply) {
        match &mut self.processes[number] {
            Process::Gone(_) => {}
            Process::Settling(settling) => {
                if !settling.reply(reply) {
                    self.processes[number] = Process::Gone(Gone::Fenced);
                }
            }
            Process::Running(run) => {
                let said = run.reply(reply);
                self.heed(number, &said);
            }
            Process::Starting(starting) => match starting.reply(reply) {
                Started::Not => {}
                Started::Gone(why) => self.processes[number] = Process::Gone(why),
                Started::Begun(recovered) => {
                    let restored = recovered.restored.iter().map(|manifest| manifest.id.checkpoint);
                    self.known = restored.fold(self.known, u64::max);
                    let settling = Settling::new(*recovered, self.output.unresolved());
                    self.processes[number] = Process::Settling(Box::new(settling));
                }
            },
        }
    }

    fn heed(&mut self, number: usize, said: &Said) {
        self.completed.extend(said.completed);
        self.known = said.completed.iter().fold(self.known, |known, id| known.max(id.checkpoint));
        if let Some(why) = said.gone {
            self.processes[number] = Process::Gone(why);
        }
    }

    fn shows_each_record_once(&self) -> bool {
        let mut next = [0; INPUTS];
        self.output.visible().iter().all(|(input, number)| {
            let expected = *number == next[*input];
            next[*input] += 1;
            expected
        })
    }

    /// A transaction is called after its epoch and checkpoint.
    fn shows_what_is_complete(&self) -> bool {
        self.output.committed().all(|name| {
            let checkpoint = name.last_chunk().map_or(u64::MAX, |last| u64::from_le_bytes(*last));
            checkpoint <= self.known
        })
    }

    fn goes_on_from_what_was_told(&self) -> bool {
        self.processes.iter().filter_map(Process::origin).all(|(epoch, origin)| {
            let before = self.completed.iter().filter(|id| id.epoch < epoch);
            before.map(|id| id.checkpoint).max() <= origin.map(|id| id.checkpoint)
        })
    }
}

/// Does what a process that runs the job can do by itself.
fn run_on(run: &mut Run, deed: Deed, output: &mut Output, left: &mut Bounds) -> Said {
    match deed {
        Deed::Read(_, input) => run.read(input),
        Deed::Pass(_, input) => run.pass(input),
        Deed::Take(_, input) => run.take(input, output),
        Deed::Notice(_) => run.note(false, output),
        Deed::Lose(_) => {
            left.losses -= 1;
            run.note(true, output);
        }
        Deed::Report(_, report) => return run.deliver(report, false),
        Deed::Repeat(_, report) => {
            left.losses -= 1;
            return run.deliver(report, true);
        }
        Deed::Trigger(_) => {
            left.triggers -= 1;
            return run.trigger();
        }
        Deed::Expire(_) => {
            left.expiries -= 1;
            return run.expire();
        }
        Deed::Start | Deed::Storage(_) | Deed::Fail(..) | Deed::Settle(_) => {}
    }
    Said::default()
}

/// Worlds are told apart by all that they hold, written out: the machines have no other measure.
impl World {
    fn written_out(&self) -> String {
        format!("{self:?}")
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written_out().hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.written_out() == other.written_out()
    }
}
