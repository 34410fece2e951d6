//! Why something cannot be done, in kinds that a caller can act on: what ends a command, with the
//! exit code it stands for.

use std::error::Error;
use std::fmt;
use std::io;

use holdwater_files::{FilesError, LockError};

/// Why a command ends without having done what was asked.
///
/// Its text is one line that says what to do, whatever the input put into it: control characters
/// are shown escaped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The command line asks for something that cannot be. Exit code 2.
    Usage(String),
    /// The input or a value computed from it is not what the job needs. Exit code 1.
    Data(String),
    /// A file, directory or stream cannot be used. Exit code 1.
    Io {
        /// What was to be done: `cannot read flights.csv`.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The state does not fit its limit, or the machine has no more to give. Exit code 1.
    Resource(String),
    /// Another process uses what this one needs alone. Exit code 1.
    Busy(String),
    /// Stored bytes are not what was written. Exit code 3.
    Corrupt(String),
    /// A file of a checkpoint is gone: removed by a job since the checkpoint was found, or lost. To
    /// look again tells. Exit code 3.
    Missing(String),
    /// Bytes that state is read from while it is used are not what was written. Exit code 3.
    Damaged(String),
    /// The checkpoints are those of another job. Exit code 3.
    Foreign(String),
    /// The input is not the one that the checkpoint was taken from. Exit code 3.
    Changed(String),
    /// The checkpoints were written by a newer version. Exit code 3.
    Newer(String),
}

impl Failure {
    /// States that `what` failed for the reason that the system gives.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// Returns the exit code of the process that ends with this failure.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Data(_) | Self::Io { .. } | Self::Resource(_) | Self::Busy(_) => 1,
            Self::Corrupt(_)
            | Self::Damaged(_)
            | Self::Missing(_)
            | Self::Foreign(_)
            | Self::Changed(_)
            | Self::Newer(_) => 3,
        }
    }
}

/// Of what the system says, the copy keeps the kind and the text.
impl Clone for Failure {
    fn clone(&self) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(text.clone()),
            Self::Data(text) => Self::Data(text.clone()),
            Self::Io { what, source } => {
                Self::io(what.clone(), io::Error::new(source.kind(), source.to_string()))
            }
            Self::Resource(text) => Self::Resource(text.clone()),
            Self::Busy(text) => Self::Busy(text.clone()),
            Self::Corrupt(text) => Self::Corrupt(text.clone()),
            Self::Missing(text) => Self::Missing(text.clone()),
            Self::Damaged(text) => Self::Damaged(text.clone()),
            Self::Foreign(text) => Self::Foreign(text.clone()),
            Self::Changed(text) => Self::Changed(text.clone()),
            Self::Newer(text) => Self::Newer(text.clone()),
        }
    }
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Self {
        let FilesError { step, path, source } = error;
        Self::io(format!("cannot {step} {}", path.display()), source)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Busy { .. } => Self::Busy(error.to_string()),
            LockError::Failed(error) => error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text)
            | Self::Data(text)
            | Self::Resource(text)
            | Self::Busy(text)
            | Self::Corrupt(text)
            | Self::Damaged(text)
            | Self::Missing(text)
            | Self::Foreign(text)
            | Self::Changed(text)
            | Self::Newer(text) => write_line(text, f),
            Self::Io { what, source } => {
                write_line(what, f)?;
                f.write_str(": ")?;
                write_line(&source.to_string(), f)?;
                advice(source.kind()).map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Quotes `text` from an input for a message: escaped, and cut where it is long.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_CHARS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("{shown:?}")
}

/// Says what to do about what the system says.
const fn advice(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::FileTooLarge => Some("raise the limit of file sizes, or give another path"),
        io::ErrorKind::NotFound => Some("check the path"),
        io::ErrorKind::PermissionDenied => Some("get the right to, or give another path"),
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => {
            Some("make room there, or give another path")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("give a path that can be written"),
        _ => None,
    }
}

fn write_line(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() {
            write!(f, "{}", character.escape_default())?;
        } else {
            write!(f, "{character}")?;
        }
    }
    Ok(())
}

const QUOTED_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_stands_in_it() {
        let failure = Failure::Data("row \"a\nb\"\u{1b}[31m".to_owned());
        assert_eq!(failure.to_string(), "row \"a\\nb\"\\u{1b}[31m");
    }

    #[test]
    fn each_kind_has_the_exit_code_of_the_contract() {
        let text = String::new;
        assert_eq!(Failure::Usage(text()).exit_code(), 2);
        assert_eq!(Failure::Data(text()).exit_code(), 1);
        assert_eq!(Failure::io("", io::Error::other("")).exit_code(), 1);
        assert_eq!(Failure::Resource(text()).exit_code(), 1);
        assert_eq!(Failure::Busy(text()).exit_code(), 1);
        assert_eq!(Failure::Corrupt(text()).exit_code(), 3);
        assert_eq!(Failure::Foreign(text()).exit_code(), 3);
        assert_eq!(Failure::Changed(text()).exit_code(), 3);
        assert_eq!(Failure::Newer(text()).exit_code(), 3);
    }

    #[test]
    fn what_the_system_says_is_followed_by_what_to_do() {
        let full = Failure::io("cannot write out.csv", io::ErrorKind::StorageFull.into());
        let said = "cannot write out.csv: no storage space; make room there, or give another path";
        assert_eq!(full.to_string(), said);
        let other = Failure::io("cannot read a.csv", io::Error::other("torn"));
        assert_eq!(other.to_string(), "cannot read a.csv: torn");
    }

    #[test]
    fn long_text_is_quoted_in_part() {
        assert_eq!(quoted("a\tb"), r#""a\tb""#);
        assert_eq!(quoted(&"x".repeat(41)), format!("\"{}...\"", "x".repeat(40)));
    }
}
