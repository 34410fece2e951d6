//! What a run is made of: the job, how it is scheduled, what fails and how often.

use std::ops::Range;

use holdwater::barrier::Barriers;

use crate::disk::{Faults, Persistence};
use crate::output::OutputKind;
use crate::random::{Chance, Random, Stream};
use crate::scheduler::Mode;
use crate::site::{SITES, Site};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// The job.
    pub shape: Shape,
    /// Who is next.
    pub mode: Mode,
    /// How often messages between coordinator and tasks go astray.
    pub network: NetworkFaults,
    /// How often steps of storage fail.
    pub storage: Faults,
    /// How often steps of the output fail.
    pub outputs: Chance,
    /// When the job crashes.
    pub crashes: Crashes,
    /// How often a bit of the newest checkpoint flips when the job stops.
    pub rot: Chance,
    /// In which steps tasks process no record, and the sink takes no result.
    pub stalled: Range<u64>,
    /// The sync that the code is without.
    pub without_sync: Option<Site>,
    /// After how many steps faults end, and the job has to finish.
    pub steps: u64,
}

/// The job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape {
    /// How many sources it has.
    pub sources: usize,
    /// How many records each source has.
    pub records: u32,
    /// How many keys there are.
    pub keys: u32,
    /// How many key groups there are.
    pub groups: u16,
    /// How many tasks it is run with at most; each start chooses.
    pub tasks_max: u16,
    /// How many elements a channel holds.
    pub capacity: usize,
    /// How many checkpoints are kept.
    pub retain: usize,
    /// Which checkpoints are full; with 1 all of them.
    pub full_every: u32,
    /// How many steps lie between two checkpoints at most.
    pub pause: u32,
    /// Whether a source ends its channels while another still reads.
    pub early_end: bool,
    /// What the output permits.
    pub output: OutputKind,
    /// How long tasks and the sink wait for barriers, in steps.
    pub barriers: Barriers,
}

/// How often messages go astray.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NetworkFaults {
    /// A message is lost.
    pub lost: Chance,
    /// A message comes twice.
    pub repeated: Chance,
    /// Messages overtake each other.
    pub reordered: bool,
    /// Tasks are given up on although they only take their time.
    pub impatient: bool,
}

/// When the job crashes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Crashes {
    /// Before any step.
    pub anywhere: Chance,
    /// Before a step of storage in a recovery.
    pub in_recovery: Chance,
    /// Before this step of storage, the so-many-th time it is come to.
    pub at: Option<(Site, u32)>,
    /// Before the step of storage with this number.
    pub at_step: Option<u64>,
    /// Once more, when so many steps were done after that.
    pub again: Option<u64>,
    /// The job ends by itself in this step of the run, and is started again.
    pub exit_at: Option<u64>,
    /// Crashes of this kind only: without it half of them are power losses.
    pub power: Option<bool>,
    /// What a power loss leaves; without it that differs each time.
    pub persistence: Option<Persistence>,
}

impl Config {
    /// Draws a configuration. Each kind of fault is off in half of all runs.
    pub fn draw(random: &mut Random) -> Self {
        let mut draw = |low, high| random.between(Stream::Config, low, high);
        let sources = draw(1, 2) as usize;
        let shape = Shape {
            sources,
            records: draw(10, 120),
            keys: 1 << draw(0, 6),
            groups: draw(1, 16) as u16,
            tasks_max: draw(1, 3) as u16,
            capacity: 1 << draw(0, 4),
            retain: draw(1, 3) as usize,
            full_every: [1, 2, 4, 100][draw(0, 3) as usize],
            pause: 10 << draw(0, 4),
            early_end: draw(0, 1) == 1,
            output: if draw(0, 3) == 0 { OutputKind::Log } else { OutputKind::Given },
            barriers: Barriers::Aligned,
        };
        let mode = Mode::draw(random);
        let network = NetworkFaults {
            lost: maybe(random, 8, 128),
            repeated: maybe(random, 4, 64),
            reordered: random.below(Stream::Config, 2) == 1,
            impatient: random.below(Stream::Config, 2) == 1,
        };
        let storage = Faults::draw(random);
        let outputs = maybe(random, 8, 64);
        let crashes = Crashes::draw(random);
        let rot = maybe(random, 2, 16);
        let (without_sync, steps) = (None, 3000);
        let mut draw = |low, high| random.between(Stream::Config, low, high);
        // Behind all others: what was drawn before there was a choice is drawn again.
        let barriers = match draw(0, 3) {
            0 | 1 => Barriers::Aligned,
            2 => Barriers::Within(u64::from(draw(1, 200))),
            _ => Barriers::Unaligned,
        };
        let shape = Shape { barriers, ..shape };
        let (begin, length) = (draw(100, 2000), draw(0, 1) * draw(50, 1000));
        let stalled = u64::from(begin)..u64::from(begin + length);
        Self { shape, mode, network, storage, outputs, crashes, rot, stalled, without_sync, steps }
    }

    /// Returns a configuration in which nothing ever fails.
    pub const fn benign(shape: Shape) -> Self {
        Self {
            shape,
            mode: Mode::Uniform,
            network: NetworkFaults {
                lost: Chance::NEVER,
                repeated: Chance::NEVER,
                reordered: false,
                impatient: false,
            },
            storage: Faults::NONE,
            outputs: Chance::NEVER,
            crashes: Crashes {
                anywhere: Chance::NEVER,
                in_recovery: Chance::NEVER,
                at: None,
                at_step: None,
                again: None,
                exit_at: None,
                power: None,
                persistence: None,
            },
            rot: Chance::NEVER,
            stalled: 0..0,
            without_sync: None,
            steps: 0,
        }
    }
}

impl Crashes {
    fn draw(random: &mut Random) -> Self {
        let mut draw = |bound| random.below(Stream::Config, bound) as usize;
        // One crash at a certain step reaches what chance hardly ever does.
        let at = (draw(2) == 1).then(|| (SITES[draw(SITES.len() as u32)], draw(4) as u32));
        let power = [None, None, Some(false), Some(true)][draw(4)];
        let persistence = (draw(2) == 1).then(|| Persistence::ALL[draw(7)]);
        Self {
            anywhere: maybe(random, 64, 2048),
            in_recovery: maybe(random, 32, 256),
            at,
            at_step: None,
            again: None,
            exit_at: None,
            power,
            persistence,
        }
    }
}

/// Draws a chance that is none in half of all runs.
fn maybe(random: &mut Random, often: u32, seldom: u32) -> Chance {
    if random.below(Stream::Config, 2) == 0 {
        Chance::NEVER
    } else {
        Chance::draw(random, often, seldom)
    }
}
