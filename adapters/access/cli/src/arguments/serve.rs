//! What is answered over HTTP, where, and to whom.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;

/// What to serve.
#[derive(Args, Clone, Debug)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// A directory or URL for the newest checkpoint there at any time, DIR@ID as list prints it, or
    /// a manifest
    pub checkpoint: String,
    /// Where to listen; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:7411", value_name = "ADDR")]
    pub listen: String,
    /// A file with the token that everybody has to show; needed unless ADDR is loopback
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// How much of what was read is kept in memory
    #[arg(long, value_parser = crate::size::parse_size, default_value = "256MiB", value_name = "SIZE")]
    pub cache: u64,
}

/// What a job answers while it runs.
#[derive(Args, Clone, Debug)]
pub struct Beside {
    /// Answer over HTTP what the newest checkpoint holds, at an address such as 127.0.0.1:7411, as
    /// `holdwater serve` does; needs a build with --features serve
    #[arg(long, requires = "checkpoints", value_name = "ADDR", help_heading = "Serving")]
    pub serve: Option<String>,
    /// A file with the token that everybody has to show; needed unless ADDR is loopback
    #[arg(long, requires = "serve", value_name = "PATH", help_heading = "Serving")]
    pub token_file: Option<PathBuf>,
    /// How much of what was read is kept in memory, beside the state
    #[arg(
        long,
        requires = "serve",
        value_parser = crate::size::parse_size,
        default_value = "256MiB",
        value_name = "SIZE",
        help_heading = "Serving"
    )]
    pub serve_cache: u64,
}

impl Beside {
    /// Refuses what cannot be served, before anything is read.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.serve {
            Some(listen) => crate::serve::check(listen, self.token_file.as_deref()),
            None => Ok(()),
        }
    }
}

const SERVE_EXAMPLES: &str = "\
Examples:
  Who is on this machine may ask, and see a page at http://127.0.0.1:7411:
    holdwater serve checkpoints
    curl 'http://127.0.0.1:7411/v1/key?state=count&key=ATL'

  Others too, who show a token:
    holdwater serve checkpoints --listen 0.0.0.0:7411 --token-file token

docs/serve.md says what can be asked for. Needs a build with --features serve.";
