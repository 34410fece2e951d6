//! `holdwater completions`: what a shell completes.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::arguments::{Arguments, KnownShell};
use crate::failure::Failure;
use crate::terminal::shown;

/// Prints the completions for a shell.
pub fn print(shell: KnownShell, out: &mut impl Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(Shell::from(shell), &mut Arguments::command(), "holdwater", &mut script);
    shown(out.write_all(&script).and_then(|()| out.flush()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_learns_every_command() {
        for shell in [KnownShell::Bash, KnownShell::Zsh, KnownShell::Fish] {
            let mut script = Vec::new();
            print(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?}: {}", command.get_name());
            }
        }
    }
}
