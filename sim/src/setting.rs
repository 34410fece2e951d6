//! What stays when the job crashes: the disk, the output, the inputs, chance, and what those who
//! watch know.

use std::fmt;

use holdwater::checkpoint::Performer;
use holdwater::storage::{Reply, Request};

use crate::check::{self, Violation, Witness};
use crate::config::{Config, Crashes, NetworkFaults};
use crate::disk::{Disk, Faults, Medium, Persistence};
use crate::marks::{Mark, Marks};
use crate::network::{Letter, Network, Sent};
use crate::output::Output;
use crate::random::{Chance, Draw, Random, Stream, Tape};
use crate::rot;
use crate::site::{Asker, Phases, Site};
use crate::story::Story;
use crate::workload::{self, Logs};

/// What stays when the job crashes.
#[derive(Debug)]
pub struct Setting {
    /// What the run is made of.
    pub config: Config,
    /// The records of each source.
    pub logs: Logs,
    /// Decides.
    pub random: Random,
    /// Where results go.
    pub output: Output,
    /// Messages under way.
    pub network: Network,
    /// What those who watch know.
    pub witness: Witness,
    /// What happened in this run.
    pub marks: Marks,
    /// Everything that happened.
    pub story: Story,
    /// How many steps were taken.
    pub step: u64,
    /// The site of each step of storage so far.
    pub sites: Vec<Site>,
    /// The disk, and the files that the job has open.
    performer: Performer<Medium>,
    phases: Phases,
    /// How often the site of the targeted crash was passed.
    passed: u32,
    calm: bool,
}

/// Why a process goes no further.
#[derive(Debug)]
pub enum Stop {
    /// It crashed.
    Crash,
    /// It ended by itself, to be started again.
    Exit,
    /// Something is not as it must be.
    Violation(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Setting {
    /// Returns an empty disk and output, and the inputs, all as `random` decides.
    pub fn new(config: Config, mut random: Random, story: Story) -> Self {
        let shape = config.shape;
        let logs = workload::draw(&mut random, shape.sources, shape.records, shape.keys);
        // Each draws from streams that nobody else draws from.
        let mut medium = Medium::new(Disk::new(), random.clone());
        medium.faults = config.storage;
        let output = Output::new(shape.output, random.clone(), config.outputs);
        let network = Network::new(config.network);
        Self {
            witness: Witness::new(&logs),
            logs,
            random,
            output,
            network,
            marks: Marks::default(),
            story,
            step: 0,
            sites: Vec::new(),
            performer: Performer::new(medium),
            phases: Phases::default(),
            passed: 0,
            calm: false,
            config,
        }
    }

    /// Returns the disk.
    pub fn disk(&mut self) -> &mut Disk {
        &mut self.performer.storage().disk
    }

    /// Returns the disk and what the watchers know.
    pub fn watch(&mut self) -> (&Disk, &mut Witness) {
        (&self.performer.storage().disk, &mut self.witness)
    }

    /// Returns every decision so far, if they are recorded.
    pub fn tape(&mut self) -> Option<Tape> {
        let mut tape = self.random.tape()?.clone();
        // Each of the three began with what had been decided by then, and went on alone.
        for other in [&self.performer.storage().random, &self.output.random] {
            let other = other.tape()?.draws.iter();
            let own = |draw: &&Draw| {
                matches!(draw.stream, Stream::Faults | Stream::Remains | Stream::Outputs)
            };
            tape.draws.extend(other.filter(own));
        }
        Some(tape)
    }

    /// Ends all faults.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.performer.storage().faults = Faults::NONE;
        self.network.faults = NetworkFaults::default();
        self.output.faults = Chance::NEVER;
        self.say(&[], format_args!("faults end"));
    }

    /// Returns whether faults have ended.
    pub const fn is_calm(&self) -> bool {
        self.calm
    }

    /// Returns whether no record is processed.
    pub fn is_stalled(&self) -> bool {
        !self.calm && self.config.stalled.contains(&self.step)
    }

    /// Adds an event to the story.
    pub fn say(&mut self, facts: &[u64], line: fmt::Arguments<'_>) {
        self.story.event(self.step, facts, line);
    }

    /// Sends a message.
    pub fn send(&mut self, letter: Letter) {
        let is_notice = matches!(letter, Letter::Completed(..) | Letter::Aborted(..));
        let sent = self.network.send(letter, &mut self.random);
        if sent == Sent::Lost && is_notice {
            self.marks.reach(Mark::LostNotice);
        }
    }

    /// Returns whether the job crashes before the next step.
    pub fn crashes(&mut self) -> bool {
        !self.calm && self.random.happens(Stream::Crashes, self.config.crashes.anywhere)
    }

    /// Does a step of storage, unless the job crashes before it.
    pub fn perform(&mut self, asker: Asker, request: &Request) -> Result<Reply, Stop> {
        let site = self.phases.site(asker, request);
        if self.crashes_before(site, asker) {
            self.marks.reach(Mark::CrashAt(site));
            self.say(&[], format_args!("crash before {site}"));
            return Err(Stop::Crash);
        }
        self.sites.push(site);
        if let Request::Remove(id) = request {
            check::files::before_removal(self, *id)?;
        }
        if asker == Asker::Recovery {
            check::claims::before(self.disk(), request)?;
        }
        let skips = self.config.without_sync == Some(site);
        self.performer.storage().skips_syncs = skips;
        let reply = self.performer.perform(request);
        if let Some(error) = self.performer.take_error() {
            self.marks.reach(Mark::Failed(error.0));
            self.witness.failed(request);
        }
        if let (Request::Remove(id), Reply::Done) = (request, &reply) {
            self.witness.removed(*id);
        }
        if let (Request::Publish { id, .. }, Reply::Unknown) = (request, &reply) {
            let published = self.disk().content(*id).is_some();
            let (yes, no) = (Mark::UnknownPublished, Mark::UnknownNotPublished);
            self.marks.reach(if published { yes } else { no });
        }
        if let Request::Write(_, bytes) = request {
            self.story.bytes(bytes);
        }
        let outcome = Outcome(&reply);
        self.story.event(
            self.step,
            &[self.sites.len() as u64, outcome.code()],
            format_args!("{site} {} {outcome}", Object(request)),
        );
        Ok(reply)
    }

    /// The process is gone: what it had open, and what it knew. A crash may take power with it.
    pub fn stopped(&mut self, crashed: bool) -> Result<(), Stop> {
        let crashes = self.config.crashes;
        if crashed && crashes.power.unwrap_or_else(|| self.random.below(Stream::Crashes, 2) == 1) {
            let how = crashes.persistence.unwrap_or_else(|| {
                Persistence::ALL[self.random.index(Stream::Crashes, Persistence::ALL.len())]
            });
            self.performer.storage().lose_power(how);
            self.marks.reach(Mark::PowerLoss(how));
            self.say(&[how as u64], format_args!("power lost, leaving {how}"));
        }
        let empty = Medium::new(Disk::new(), Random::new(0));
        let medium = std::mem::replace(self.performer.storage(), empty);
        self.performer = Performer::new(medium);
        self.phases = Phases::default();
        self.output.disconnect();
        check::durability::after_stop(self)?;
        rot::strike(self);
        Ok(())
    }

    fn crashes_before(&mut self, site: Site, asker: Asker) -> bool {
        if self.calm {
            return false;
        }
        let crashes = self.config.crashes;
        if crashes.at_step == Some(self.sites.len() as u64) {
            // The step that was not done is not counted.
            let Crashes { at_step, again, .. } = &mut self.config.crashes;
            *at_step = again.take().map(|after| self.sites.len() as u64 + after);
            return true;
        }
        if let Some((target, passes)) = crashes.at
            && target == site
        {
            self.passed += 1;
            if self.passed == passes + 1 {
                return true;
            }
        }
        asker == Asker::Recovery && self.random.happens(Stream::Crashes, crashes.in_recovery)
    }
}

/// Writes how a step ended.
struct Outcome<'r>(&'r Reply);

impl Outcome<'_> {
    fn code(&self) -> u64 {
        match self.0 {
            Reply::Done => 0,
            Reply::Listed(found) => 16 + found.len() as u64,
            Reply::Content(bytes) => 1 << 32 | bytes.len() as u64,
            Reply::Exists => 1,
            Reply::Missing => 2,
            Reply::NotDone => 3,
            Reply::Unknown => 4,
        }
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reply::Done => f.write_str("- done"),
            Reply::Listed(found) => {
                f.write_str("-")?;
                found.iter().try_for_each(|id| write!(f, " {id}"))
            }
            Reply::Content(bytes) => write!(f, "- {} bytes", bytes.len()),
            Reply::Exists => f.write_str("- EXISTS"),
            Reply::Missing => f.write_str("- MISSING"),
            Reply::NotDone => f.write_str("- NOT DONE"),
            Reply::Unknown => f.write_str("- UNKNOWN"),
        }
    }
}

/// Writes what a request is about.
struct Object<'r>(&'r Request);

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::Create(id)
            | Request::Sync(id)
            | Request::Publish { id, .. }
            | Request::Read(id)
            | Request::Remove(id) => write!(f, "{id}"),
            Request::Write(id, bytes) => write!(f, "{id}, {} bytes", bytes.len()),
            Request::SyncArea(_) | Request::List(_) => Ok(()),
        }
    }
}
