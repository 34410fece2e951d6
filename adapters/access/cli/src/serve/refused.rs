//! A build without a server, which says how to get one.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use holdwater::manifest::CheckpointId;
use holdwater_threads::{Live, RestorePhases};

use crate::arguments::{Get, Run, Serve};
use crate::failure::Failure;

/// A server beside a job, of which there is none.
#[derive(Clone, Debug)]
pub(crate) struct Served(Infallible);

/// Says how to get a build that serves.
pub fn serve(_: &Serve) -> Result<u8, Failure> {
    Err(not_built("serve"))
}

/// Refuses to ask a server.
pub(crate) fn get(get: &Get) -> Result<String, Failure> {
    let url = &get.checkpoint;
    Err(Failure::Usage(format!("{url}: this build asks no servers: build with `--features serve`")))
}

/// Refuses to serve beside a job.
pub(crate) fn check(_: &str, _: Option<&Path>) -> Result<(), Failure> {
    Err(not_built("--serve"))
}

impl Served {
    /// Starts nothing: who asks for it was [refused](check).
    pub(crate) fn start(_: &Run, _: Option<Live>) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    pub(crate) fn took(&self, _: CheckpointId, _: Duration) {
        match self.0 {}
    }

    pub(crate) fn restored(&self, _: RestorePhases) {
        match self.0 {}
    }
}

fn not_built(what: &str) -> Failure {
    Failure::Usage(format!("{what}: this build has no server: build with `--features serve`"))
}

#[cfg(test)]
mod tests {
    use crate::arguments::{Arguments, Command, Refusal};

    #[test]
    fn a_build_without_a_server_says_how_to_get_it() {
        let read = Arguments::read(["holdwater", "serve", "checkpoints"]);
        let Ok(Command::Serve(arguments)) = read else { panic!("{read:?}") };
        let failure = super::serve(&arguments).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        let said = "serve: this build has no server: build with `--features serve`";
        assert_eq!(failure.to_string(), said);
        let run = "holdwater run --input a --key b --agg count --checkpoints c --serve 127.0.0.1:0";
        let get = "holdwater get http://127.0.0.1:7411 --state s --key k";
        let read = Arguments::read(get.split(' '));
        let Ok(Command::Get(arguments)) = read else { panic!("{read:?}") };
        let failure = super::get(&arguments).unwrap_err();
        assert!(failure.to_string().ends_with("build with `--features serve`"), "{failure}");
        let Err(Refusal::Failure(failure)) = Arguments::read(run.split(' ')) else { panic!() };
        assert_eq!(failure.to_string(), format!("--{said}"));
    }
}
