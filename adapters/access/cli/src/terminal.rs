//! Standard output as a person or a program reads it.

use std::io::{self, IsTerminal};

use crate::failure::Failure;

/// How words stand out: colours on a terminal, nothing elsewhere or where `NO_COLOR` is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    colours: bool,
}

impl Paint {
    /// Paints what goes to standard output.
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: io::stdout().is_terminal() && !unwanted }
    }

    /// Paints the name of what follows.
    pub(crate) fn title(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Paints what is damaged.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Says whether what was shown has arrived; a reader that has seen enough, such as `head`, is no
/// failure.
pub(crate) fn shown(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|source| Failure::io("cannot write to standard output", source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_painted_only_where_colours_are_seen() {
        assert_eq!(Paint { colours: false }.bad("x"), "x");
        assert_eq!(Paint { colours: true }.bad("x"), "\u{1b}[31;1mx\u{1b}[0m");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert!(shown(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(shown(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
