//! `holdwater serve`: what checkpoints hold, over HTTP.

#[cfg(feature = "serve")]
mod words;

use crate::arguments::Serve;
use crate::failure::Failure;

/// Serves checkpoints until a signal comes, whose exit code is returned.
#[cfg(feature = "serve")]
pub fn serve(serve: &Serve) -> Result<u8, Failure> {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use holdwater_serve::{Checkpoints, Server, Token};

    use crate::stop::Signals;

    let Serve { checkpoint, listen, token_file, cache } = serve;
    // Refused before anything is read.
    Server::check(listen, token_file.is_some())?;
    let token = token_file.as_deref().map(Token::read).transpose()?;
    let checkpoints = Checkpoints::open(checkpoint, Box::new(words::Columned), *cache)?;
    let signals = Signals::catch()?;
    let server = Server::start(Arc::new(checkpoints), listen, token)?;
    eprintln!("holdwater: serving {checkpoint} at http://{}", server.address());
    while !signals.stop().is_stopped() {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(signals.exit_code())
}

/// Says how to get a build that serves.
#[cfg(not(feature = "serve"))]
pub fn serve(_: &Serve) -> Result<u8, Failure> {
    Err(Failure::Usage("serve: this build has no server: build with `--features serve`".to_owned()))
}

#[cfg(all(test, not(feature = "serve")))]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};

    #[test]
    fn a_build_without_a_server_says_how_to_get_it() {
        let read = Arguments::read(["holdwater", "serve", "checkpoints"]);
        let Ok(Command::Serve(arguments)) = read else { panic!("{read:?}") };
        let failure = serve(&arguments).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        let said = "serve: this build has no server: build with `--features serve`";
        assert_eq!(failure.to_string(), said);
    }
}
