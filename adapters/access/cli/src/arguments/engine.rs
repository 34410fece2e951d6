//! What runs a job.

use std::time::Duration;

use clap::{Args, ValueEnum};
use holdwater_timely::Cluster;

use super::Run;
use crate::arguments::Guarantee;
use crate::duration::parse_duration;
use crate::failure::Failure;

/// What runs the job, and what that takes.
#[derive(Args, Clone, Debug)]
pub struct Workers {
    /// What runs the job: threads of this process; or timely, its workers here or in many processes
    /// on several machines, which are all given the same command
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = "Resources")]
    pub engine: Engine,
    /// With timely, how long another process is waited for, at the start and later, before the job
    /// ends with an error that names it
    #[arg(
        long,
        value_parser = parse_duration,
        default_value = "60s",
        value_name = "TIME",
        help_heading = "Resources"
    )]
    pub peer_timeout: Duration,
    /// Flags of timely's own, behind --: -w workers per process, -n processes, -p the number of
    /// this one, from 0, -h a file with host:port of each, one on a line
    #[arg(last = true, value_name = "TIMELY_FLAG", help_heading = "Resources")]
    pub timely: Vec<String>,
}

/// What runs a job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Engine {
    /// A thread for each input and each subtask
    #[default]
    Threads,
    /// Timely dataflow
    Timely,
}

impl Workers {
    /// Returns the cluster that timely's flags describe; `None` on threads.
    pub fn cluster(&self) -> Result<Option<Cluster>, Failure> {
        match self.engine {
            Engine::Threads => Ok(None),
            Engine::Timely => {
                let read = Cluster::from_args(self.timely.iter().cloned());
                let cluster = read.map_err(|error| Failure::Usage(format!("timely: {error}")))?;
                Ok(Some(Cluster { patience: self.peer_timeout, ..cluster }))
            }
        }
    }

    /// States whether the engine can do what `run` asks for.
    pub(super) fn check(&self, run: &Run) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        if self.engine == Engine::Threads {
            return match self.timely.first() {
                Some(flag) => usage(&format!("{flag} behind -- is for --engine timely")),
                None => Ok(()),
            };
        }
        if run.guarantee == Guarantee::AtLeastOnce {
            return usage(
                "--engine timely counts exactly once; leave out --guarantee at-least-once",
            );
        }
        if run.parallelism.is_some() {
            return usage(
                "with --engine timely the workers share the keys; say -- -w N, not --parallelism",
            );
        }
        self.cluster().map(|_| ())
    }
}
