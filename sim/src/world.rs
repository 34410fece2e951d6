//! A run: the job started, crashed and started again, until faults end and it has to finish.

use crate::check::{self, Check, Violation};
use crate::config::Config;
use crate::job::Job;
use crate::marks::{Mark, Marks};
use crate::random::{Random, Tape};
use crate::restart::Restart;
use crate::setting::{Setting, Stop};
use crate::site::Site;
use crate::story::Story;

/// A run under way.
#[derive(Debug)]
pub struct World {
    setting: Setting,
    process: Process,
    /// When faults ended.
    calm_since: u64,
    /// The last start of the job crashed before its tasks ran.
    crashed_starting: bool,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// What happened.
    pub marks: Marks,
    /// Everything that happened.
    pub story: Story,
    /// How many steps it took.
    pub steps: u64,
    /// The sites of its steps of storage, in order.
    pub sites: Vec<Site>,
    /// Every decision, if they were recorded.
    pub tape: Option<Tape>,
}

#[derive(Debug)]
enum Process {
    Down,
    Starting(Box<Restart>),
    Running(Box<Job>),
}

/// Runs what `seed` says.
pub fn run_seed(seed: u64, story: Story) -> Outcome {
    run_random(Random::new(seed), story)
}

/// Runs what `random` says.
pub fn run_random(mut random: Random, story: Story) -> Outcome {
    let config = Config::draw(&mut random);
    World::new(config, random, story).run()
}

impl World {
    /// Sets up a run.
    pub fn new(config: Config, random: Random, story: Story) -> Self {
        let mut setting = Setting::new(config, random, story);
        let config = setting.config.clone();
        setting.say(&[], format_args!("{config:#?}"));
        Self { setting, process: Process::Down, calm_since: 0, crashed_starting: false }
    }

    /// Runs to the end, or to the first violation.
    pub fn run(mut self) -> Outcome {
        let violation = loop {
            match self.step() {
                Ok(false) => {}
                Ok(true) => break None,
                Err(violation) => break Some(violation),
            }
        };
        let tape = self.setting.tape();
        let Setting { marks, story, step, sites, .. } = self.setting;
        Outcome { violation, marks, story, steps: step, sites, tape }
    }

    /// Takes one step. Returns whether the run has ended.
    fn step(&mut self) -> Result<bool, Violation> {
        let setting = &mut self.setting;
        setting.step += 1;
        if !setting.is_calm() && setting.step > setting.config.steps {
            self.calm_since = setting.step;
            setting.calm_down();
        }
        if setting.is_calm() && setting.step > self.calm_since + CALM_STEPS {
            return Err(Check::Liveness.violated(format!("not done after {CALM_STEPS} steps")));
        }
        let stop = match self.advance() {
            Ok(ended) => return Ok(ended),
            Err(Stop::Violation(violation)) => return Err(violation),
            Err(stop) => stop,
        };
        let crashed = matches!(stop, Stop::Crash);
        let starting = crashed && matches!(self.process, Process::Starting(_));
        if starting && self.crashed_starting {
            self.setting.marks.reach(Mark::CrashTwice);
        }
        self.crashed_starting = starting;
        self.process = Process::Down;
        match self.setting.stopped(crashed) {
            Err(Stop::Violation(violation)) => Err(violation),
            _ => Ok(false),
        }
    }

    fn advance(&mut self) -> Result<bool, Stop> {
        let setting = &mut self.setting;
        match &mut self.process {
            Process::Down => {
                self.process = Process::Starting(Box::new(Restart::new(setting)));
            }
            Process::Starting(restart) => {
                if let Some(job) = restart.step(setting)? {
                    self.process = Process::Running(Box::new(job));
                }
            }
            Process::Running(job) => {
                if setting.crashes() {
                    setting.say(&[], format_args!("crash"));
                    return Err(Stop::Crash);
                }
                if setting.config.crashes.exit_at == Some(setting.step) {
                    setting.say(&[], format_args!("the job is ended from outside"));
                    return Err(Stop::Exit);
                }
                if job.step(setting)? {
                    if setting.is_calm() {
                        check::ended(setting, job.state())?;
                        return Ok(true);
                    }
                    // It was faster than the faults: what they left has yet to be cleaned up.
                    self.calm_since = setting.step;
                    setting.calm_down();
                    job.go_on();
                }
            }
        }
        Ok(false)
    }
}

/// Within how many steps the job must be done once faults have ended.
const CALM_STEPS: u64 = 40_000;
