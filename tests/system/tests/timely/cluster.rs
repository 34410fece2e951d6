//! Processes that run one job together.

use std::net::TcpListener;

use holdwater_system::place::Place;
use holdwater_system::process::{Finished, Running};

/// How many processes there are, and where.
pub(crate) struct Cluster<'p> {
    place: &'p Place,
    processes: usize,
    threads: usize,
    hosts: String,
}

impl<'p> Cluster<'p> {
    /// Finds a free port for each process, and writes them to a file.
    pub(crate) fn new(place: &'p Place, processes: usize, threads: usize) -> Self {
        // All are open at once, so that they differ.
        let ports: Vec<_> =
            (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let lines = ports.iter().map(|port| format!("{}\n", port.local_addr().unwrap()));
        let text = lines.collect::<String>();
        let hosts = format!("hosts-{}.txt", ports[0].local_addr().unwrap().port());
        place.write(&hosts, &text);
        Self { place, processes, threads, hosts }
    }

    /// Returns the name of the file of addresses.
    pub(crate) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Returns the command of one process.
    pub(crate) fn line(&self, job: &str, process: usize, flags: &str) -> String {
        let Self { processes, threads, hosts, .. } = self;
        format!(
            "{job} --engine timely -- -w {threads} -n {processes} -p {process} -h {hosts} {flags}"
        )
    }

    /// Starts one process.
    pub(crate) fn start_one(&self, job: &str, process: usize) -> Running {
        self.place.holdwater(&self.line(job, process, "")).start()
    }

    /// Starts all processes.
    pub(crate) fn start(&self, job: &str) -> Vec<Running> {
        self.start_with(job, "")
    }

    /// Starts all processes with more flags of timely's.
    pub(crate) fn start_with(&self, job: &str, flags: &str) -> Vec<Running> {
        let start = |process| self.place.holdwater(&self.line(job, process, flags)).start();
        // The first last: it waits for none, and is waited for.
        let mut running: Vec<_> = (0..self.processes).rev().map(start).collect();
        running.reverse();
        running
    }

    /// Runs the job on all processes to its end, which is exit code 0.
    #[track_caller]
    pub(crate) fn succeed(&self, job: &str) -> Vec<Finished> {
        self.start(job).into_iter().map(|running| running.wait().succeeded()).collect()
    }
}
