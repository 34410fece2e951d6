//! What is wrong with a file of a checkpoint, and where.

use std::fmt;
use std::path::Path;

use holdwater::error::{Fault, Malformed};
use holdwater::page::ReadError;
use holdwater::storage::ObjectId;
use serde_json::{Value, json};

use crate::directory::Unread;

/// One damage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// The file.
    pub file: ObjectId,
    /// Which section of it.
    pub section: String,
    /// Where the smallest unit begins that has a check of its own.
    pub offset: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// The bytes are not what was written.
    Fault(Fault),
    /// The file is shorter or longer than its manifest says.
    Length {
        /// How long it is to be.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// The file is not there.
    Missing,
    /// The system does not give the file.
    Unreadable(String),
}

impl Damage {
    /// States that `malformed` was found in a section of `file`.
    pub fn new(file: ObjectId, section: impl Into<String>, malformed: Malformed) -> Self {
        let what = What::Fault(malformed.fault);
        Self { file, section: section.into(), offset: malformed.offset, what }
    }

    /// States why `file` cannot be read.
    pub fn unread(file: ObjectId, unread: &Unread) -> Self {
        let what = match unread {
            Unread::Missing(_) => What::Missing,
            other => What::Unreadable(other.to_string()),
        };
        Self { file, section: "file".to_owned(), offset: 0, what }
    }

    /// States why a section of `file` cannot be read.
    pub fn read(file: ObjectId, section: &str, error: ReadError<Unread>) -> Self {
        match error {
            ReadError::Malformed(malformed) => Self::new(file, section, malformed),
            ReadError::Medium(unread) => Self::unread(file, &unread),
        }
    }

    /// Returns whether another look at the directory may find that nothing is damaged.
    pub fn is_missing(&self) -> bool {
        self.what == What::Missing
    }

    /// Writes it as one line.
    pub fn line(&self, directory: &Path) -> String {
        let Self { file, section, offset, what } = self;
        let path = directory.join(file.area().name()).join(file.to_string());
        format!("{}: {section}, at byte {offset}: {what}", path.display())
    }

    /// Writes it for a program.
    pub fn object(&self) -> Value {
        let Self { file, section, offset, what } = self;
        json!({
            "file": format!("{}/{file}", file.area().name()),
            "section": section,
            "offset": offset,
            "fault": what.to_string(),
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Length { expected, found } => write!(f, "{found} bytes long, not {expected}"),
            Self::Missing => f.write_str("the file is missing"),
            Self::Unreadable(error) => f.write_str(error),
        }
    }
}
