//! The program `holdwater`.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use holdwater_cli::arguments::{Arguments, Command, Refusal};
use holdwater_cli::failure::Failure;
use holdwater_cli::{
    completions, diff, dump, edit, gc, get, import, inspect, list, reshape, run, savepoint, serve,
    sql, verify,
};

fn main() -> ExitCode {
    // A write beyond the limit of file sizes fails then, as one to a full disk does; without, the
    // signal ends the process. Where it cannot be caught, that is how it stays.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let ended = match Arguments::read(std::env::args_os()) {
        Ok(Command::Run(arguments)) => run::run(&arguments),
        Ok(Command::List(arguments)) => {
            list::list(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Verify(arguments)) => {
            verify::verify(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Inspect(arguments)) => {
            inspect::inspect(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Dump(arguments)) => {
            dump::dump(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Diff(arguments)) => {
            diff::diff(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Edit(arguments)) => {
            edit::edit(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Import(arguments)) => {
            import::import(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Reshard(arguments)) => {
            reshape::reshard(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Rename(arguments)) => {
            reshape::rename(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Get(arguments)) => get::get(&arguments, &mut io::stdout().lock()).map(|()| 0),
        Ok(Command::Serve(arguments)) => serve::serve(&arguments),
        Ok(Command::Sql(arguments)) => sql::sql(&arguments, &mut io::stdout().lock()).map(|()| 0),
        Ok(Command::Savepoint(arguments)) => {
            savepoint::savepoint(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Remove(arguments)) => {
            gc::remove(&arguments, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(Command::Gc(arguments)) => gc::gc(&arguments, &mut io::stdout().lock()).map(|()| 0),
        Ok(Command::Completions(arguments)) => {
            completions::print(arguments.shell, &mut io::stdout().lock()).map(|()| 0)
        }
        Ok(_) => Err(Failure::Usage("this command is not known; see --help".to_owned())),
        Err(Refusal::Shown(text)) => {
            // Whoever asked for help may have closed the pipe since.
            let _ = io::stdout().write_all(text.as_bytes());
            Ok(0)
        }
        Err(Refusal::Failure(failure)) => Err(failure),
    };
    ended.map_or_else(
        |failure| {
            eprintln!("holdwater: {failure}");
            ExitCode::from(failure.exit_code())
        },
        ExitCode::from,
    )
}
