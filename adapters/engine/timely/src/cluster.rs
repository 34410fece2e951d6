//! Which processes and workers there are, and which of them this is.

use std::time::Duration;

use getopts::Options;
use timely::{CommunicationConfig, WorkerConfig};

/// The processes that run a job together, and which of them this one is.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How many workers each process has.
    pub threads: usize,
    /// The number of this process.
    pub process: usize,
    /// Where each process listens, as `host:port`, in the order of their numbers; one alone needs
    /// no address.
    pub addresses: Vec<String>,
    /// How long another process may be silent before it counts as hung, and how long it is waited
    /// for at the start.
    pub patience: Duration,
    /// Has workers of one process exchange bytes instead of records, as timely's `-z` does.
    pub zerocopy: bool,
    /// How workers tell each other of progress.
    pub worker: WorkerConfig,
}

impl Cluster {
    /// Describes one process of `threads` workers.
    pub fn alone(threads: usize) -> Self {
        Self {
            threads,
            process: 0,
            addresses: Vec::new(),
            patience: PATIENCE,
            zerocopy: false,
            worker: WorkerConfig::default(),
        }
    }

    /// Reads timely's own flags: `-w` workers per process, `-n` processes, `-p` the number of this
    /// one, `-h` a file with an address on each line, and others that timely has.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong.
    pub fn from_args<I: IntoIterator<Item = String>>(args: I) -> Result<Self, String> {
        let mut options = Options::new();
        timely::Config::install_options(&mut options);
        let found = options.parse(args).map_err(|error| error.to_string())?;
        if let Some(free) = found.free.first() {
            return Err(format!("{free} is none of timely's flags"));
        }
        for flag in ["w", "n"] {
            if found.opt_str(flag).as_deref() == Some("0") {
                return Err(format!("-{flag} is 1 at least"));
            }
        }
        let timely::Config { communication, worker } = timely::Config::from_matches(&found)?;
        let mut cluster = Self { worker, zerocopy: found.opt_present("z"), ..Self::alone(1) };
        match communication {
            CommunicationConfig::Thread => {}
            CommunicationConfig::Process(threads) | CommunicationConfig::ProcessBinary(threads) => {
                cluster.threads = threads;
            }
            CommunicationConfig::Cluster { threads, process, addresses, .. } => {
                cluster.threads = threads;
                cluster.process = process;
                cluster.addresses = addresses;
            }
        }
        let given = found.opt_get_default("p", 0_usize).map_err(|error| error.to_string())?;
        if given >= cluster.processes() {
            return Err(format!(
                "-p {given} is none of the {} processes that -n says, which count from 0",
                cluster.processes()
            ));
        }
        Ok(cluster)
    }

    /// Returns how many processes there are.
    pub fn processes(&self) -> usize {
        self.addresses.len().max(1)
    }

    /// Returns how many workers all processes have together.
    pub fn workers(&self) -> usize {
        self.threads * self.processes()
    }

    /// Returns whether this process reads the inputs, writes the output and takes the checkpoints:
    /// the first one does.
    pub const fn is_first(&self) -> bool {
        self.process == 0
    }
}

/// Long enough for a process that starts a while later, or whose disk is slow.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cluster, String> {
        Cluster::from_args(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_of_timely_are_read() {
        let alone = read("").unwrap();
        assert_eq!((alone.threads, alone.processes(), alone.workers()), (1, 1, 1));
        assert!(alone.is_first());
        let threads = read("-w 3 -z").unwrap();
        assert_eq!((threads.workers(), threads.zerocopy), (3, true));
        let second = read("-w 2 -n 3 -p 1").unwrap();
        assert_eq!((second.threads, second.processes(), second.workers()), (2, 3, 6));
        assert_eq!(second.addresses[1], "localhost:2102");
        assert!(!second.is_first());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (line, said) in [
            ("-w x", "invalid digit"),
            ("-w 0", "-w is 1 at least"),
            ("-n 0", "-n is 1 at least"),
            ("-p 1", "-p 1 is none of the 1 processes"),
            ("-n 2 -p 2", "-p 2 is none of the 2 processes"),
            ("-n 2 -h no/such/file", "No such file"),
            ("--workers 2", "workers"),
            ("2", "none of timely's flags"),
        ] {
            let told = read(line).unwrap_err();
            assert!(told.contains(said), "{line}: {told}");
        }
    }
}
