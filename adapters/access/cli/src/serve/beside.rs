//! A server by itself, or beside a job.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use holdwater::manifest::CheckpointId;
use holdwater_serve::{Checkpoints, Server, Token};
use holdwater_threads::{Live, RestorePhases};

use super::words::Columned;
use crate::arguments::{Run, Serve};
use crate::failure::Failure;
use crate::stop::Signals;

/// A server beside a job; it ends with the last clone of this.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    checkpoints: Arc<Checkpoints>,
    _server: Arc<Server>,
}

/// Serves checkpoints until a signal comes, whose exit code is returned.
pub fn serve(serve: &Serve) -> Result<u8, Failure> {
    let Serve { checkpoint, listen, token_file, cache } = serve;
    check(listen, token_file.as_deref())?;
    let checkpoints = Checkpoints::open(checkpoint, Box::new(Columned), *cache)?;
    let signals = Signals::catch()?;
    let _served = Served::begin(checkpoints, checkpoint, listen, token_file.as_deref())?;
    while !signals.stop().is_stopped() {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(signals.exit_code())
}

/// Refuses an address that cannot be served, and a token that is none.
pub(crate) fn check(listen: &str, token_file: Option<&Path>) -> Result<(), Failure> {
    let token = token_file.map(Token::read).transpose()?;
    Server::check(listen, token.is_some()).map(|_| ())
}

impl Served {
    /// Serves the checkpoints of a job, if it asks for that, and what it tells `live`.
    pub(crate) fn start(run: &Run, live: Option<Live>) -> Result<Option<Self>, Failure> {
        let (Some(listen), Some(directory)) = (&run.beside.serve, &run.checkpoints) else {
            return Ok(None);
        };
        // A URL is text; of a path that is none there are no other names.
        let directory = directory.to_str().ok_or_else(|| {
            let shown = directory.display();
            Failure::Usage(format!("--serve: {shown} is no text; name the directory otherwise"))
        })?;
        let words = Box::new(Columned);
        let mut checkpoints = Checkpoints::unread(directory, words, run.beside.serve_cache)?;
        if let Some(live) = live {
            checkpoints = checkpoints.with_live(live);
        }
        // Where nothing is yet there will be; what is wrong is told by /health.
        let _ = checkpoints.look();
        Self::begin(checkpoints, directory, listen, run.beside.token_file.as_deref()).map(Some)
    }

    /// Takes note of how long a checkpoint took.
    pub(crate) fn took(&self, id: CheckpointId, duration: Duration) {
        self.checkpoints.took(id, duration);
    }

    /// Takes note of how long the parts of a restore took.
    pub(crate) fn restored(&self, phases: RestorePhases) {
        self.checkpoints.restored(phases);
    }

    fn begin(
        checkpoints: Checkpoints,
        named: &str,
        listen: &str,
        token_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let token = token_file.map(Token::read).transpose()?;
        let checkpoints = Arc::new(checkpoints);
        let server = Server::start(Arc::clone(&checkpoints), listen, token)?;
        eprintln!("holdwater: serving {named} at http://{}", server.address());
        Ok(Self { checkpoints, _server: Arc::new(server) })
    }
}
