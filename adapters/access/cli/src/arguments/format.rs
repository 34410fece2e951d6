//! Formats of files: of records, and of rows of states and queries.

use std::path::Path;

use clap::ValueEnum;

/// How records or rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Comma-separated values, RFC 4180, with a header
    Csv,
    /// One JSON object per line
    Jsonl,
}

impl Format {
    /// Returns the format that the ending of `path` stands for.
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(ending)
                if ending.eq_ignore_ascii_case("jsonl")
                    || ending.eq_ignore_ascii_case("ndjson") =>
            {
                Self::Jsonl
            }
            _ => Self::Csv,
        }
    }
}

/// How the rows of a state or a query are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values, RFC 4180, with a header
    Csv,
    /// One JSON object per line
    Jsonl,
    /// Apache Parquet, in builds with --features sql
    Parquet,
}

impl FileFormat {
    /// Returns the format of a file by its name: CSV where that says nothing.
    pub fn of(path: &Path) -> Self {
        match path.extension().is_some_and(|extension| extension == "parquet") {
            true => Self::Parquet,
            false => match Format::of(path) {
                Format::Csv => Self::Csv,
                Format::Jsonl => Self::Jsonl,
            },
        }
    }
}
