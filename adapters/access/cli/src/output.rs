//! Result rows, written as CSV, as JSON lines or as a table for a person to read.

mod rows;

pub(crate) use rows::Rows;

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::accumulators::Answer;
use crate::arguments::Format;
use crate::failure::Failure;

/// Where result rows go.
///
/// A file stands under its path only once [`Output::finish`] has returned: until then an older one
/// of that name is untouched.
#[derive(Debug)]
pub struct Output {
    rows: Rows<Sink>,
    columns: usize,
    /// What rows are written to, for messages.
    name: String,
    /// The path to rename the file to at the end.
    path: Option<PathBuf>,
}

/// How standard output shows rows when no format is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// A person at a terminal: a table.
    Person,
    /// A file or another program: CSV.
    Program,
}

impl Audience {
    /// Returns who reads standard output.
    pub fn of_stdout() -> Self {
        if io::stdout().is_terminal() { Self::Person } else { Self::Program }
    }
}

impl Output {
    /// States whether a job may expect to write `path` at its end, before it begins.
    ///
    /// Fails where `path` is a directory, or where no file can be created beside it.
    pub fn check(path: &Path) -> Result<(), Failure> {
        let (target, special) = target(path)?;
        if special {
            return Ok(());
        }
        // Its file is gone again at once.
        let created = temporary_beside(&target).map(drop);
        created.map_err(|source| failed(&path.display().to_string(), source))
    }

    /// Begins a file of the given columns, to stand under `path` at the end.
    ///
    /// What is no regular file, such as a pipe or `/dev/null`, is written to as it is.
    pub fn to_file(path: &Path, format: Format, columns: &[String]) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let (sink, path) = Sink::to_file(path)?;
        let rows = Rows::new(format, columns, sink);
        Self { rows, columns: columns.len(), name, path }.begin(columns)
    }

    /// Begins rows of the given columns on standard output. Without a format: CSV for a program, an
    /// aligned table for a person.
    pub fn to_stdout(
        format: Option<Format>,
        audience: Audience,
        columns: &[String],
    ) -> Result<Self, Failure> {
        let sink = Sink::Stdout(io::stdout());
        let rows = match (format, audience) {
            (None, Audience::Person) => Rows::table(columns, sink),
            (None, Audience::Program) => Rows::new(Format::Csv, columns, sink),
            (Some(format), _) => Rows::new(format, columns, sink),
        };
        let name = "standard output".to_owned();
        Self { rows, columns: columns.len(), name, path: None }.begin(columns)
    }

    /// Writes one row: its key fields, then the answers of the SPECs, in the order of the columns.
    ///
    /// # Panics
    ///
    /// Panics where the row has another number of cells than there are columns.
    pub fn row(&mut self, cells: &[Answer<'_>]) -> Result<(), Failure> {
        assert_eq!(cells.len(), self.columns, "a row has a cell for each column");
        self.rows.row(cells).map_err(|source| failed(&self.name, source))
    }

    /// Writes what is left and puts the file under its path: synced, renamed, the name synced too.
    pub fn finish(self) -> Result<(), Failure> {
        let Self { rows, name, path, .. } = self;
        rows.finish()
            .and_then(|sink| sink.publish(path.as_deref()))
            .map_err(|source| failed(&name, source))
    }

    fn begin(mut self, columns: &[String]) -> Result<Self, Failure> {
        self.rows.header(columns).map_err(|source| failed(&self.name, source))?;
        Ok(self)
    }
}

/// Where bytes go.
#[derive(Debug)]
pub(crate) enum Sink {
    Stdout(io::Stdout),
    Temporary(NamedTempFile),
    /// A pipe or device, which cannot be replaced.
    Direct(File),
}

impl Sink {
    /// Opens a file, and returns the path that it is to be [published](Self::publish) under.
    pub(crate) fn to_file(path: &Path) -> Result<(Self, Option<PathBuf>), Failure> {
        let name = path.display().to_string();
        let (path, special) = target(path)?;
        let opened = if special {
            File::options().write(true).open(&path).map(Self::Direct)
        } else {
            temporary_beside(&path).map(Self::Temporary)
        };
        let sink = opened.map_err(|source| failed(&name, source))?;
        Ok((sink, (!special).then_some(path)))
    }

    /// Puts the file under its path.
    pub(crate) fn publish(mut self, path: Option<&Path>) -> io::Result<()> {
        self.flush()?;
        let (Self::Temporary(file), Some(path)) = (self, path) else {
            return Ok(());
        };
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(directory_of(path))?.sync_all()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Temporary(file) => file.as_file_mut().write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Temporary(file) => file.as_file_mut().flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

/// Returns the file that results replace, and whether it is none that can be replaced. Through a
/// link the file it names is replaced, not the link.
fn target(path: &Path) -> Result<(PathBuf, bool), Failure> {
    let refused =
        |why: String| Err(Failure::Data(format!("cannot write {}: {why}", path.display())));
    if path.is_dir() {
        return refused("it is a directory; give the path of a file".to_owned());
    }
    let directory = directory_of(path);
    if !directory.is_dir() {
        let directory = directory.display();
        return refused(format!("there is no directory {directory}; create it first"));
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let special = fs::metadata(&path).is_ok_and(|found| !found.is_file());
    Ok((path, special))
}

/// Creates a file in the directory of `path`, so that it can be renamed to it, with the rights that
/// any new file gets.
pub(crate) fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // Which name was tried is of no interest to anybody.
    builder.tempfile_in(directory_of(path)).map_err(|error| error.kind().into())
}

/// Returns the directory that a path lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Says that `name` cannot be written.
pub(crate) fn failed(name: &str, source: io::Error) -> Failure {
    Failure::io(format!("cannot write {name}"), source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<String> {
        ["origin", "mean:\"delay\""].map(str::to_owned).into()
    }

    fn text(text: &str) -> Answer<'_> {
        Answer::Text(text.into())
    }

    fn written(format: Format, rows: &[[Answer<'_>; 2]]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut output = Output::to_file(&path, format, &columns()).unwrap();
        for row in rows {
            output.row(row).unwrap();
        }
        output.finish().unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let rows = [
            [text("A,B"), Answer::Float(2.0)],
            [text("a\nb"), Answer::Nothing],
            [text("say \"x\""), Answer::Integer(i128::MAX)],
            [text(""), Answer::Float(f64::NEG_INFINITY)],
        ];
        assert_eq!(
            written(Format::Csv, &rows),
            "origin,\"mean:\"\"delay\"\"\"\n\"A,B\",2.0\n\"a\nb\",\n\"say \"\"x\"\"\",\
             170141183460469231731687303715884105727\n,-inf\n"
        );
    }

    #[test]
    fn json_lines_keep_numbers_and_text_apart() {
        let rows = [
            [text("a\n\"b\""), Answer::Float(1e300)],
            [text("01"), Answer::Nothing],
            [text("x"), Answer::Float(f64::NAN)],
            [text("y"), Answer::Integer(-3)],
        ];
        let written = written(Format::Jsonl, &rows);
        let lines: Vec<_> = written.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"origin":"a\n\"b\"","mean:\"delay\"":1e300}"#,
                r#"{"origin":"01","mean:\"delay\"":null}"#,
                r#"{"origin":"x","mean:\"delay\"":"NaN"}"#,
                r#"{"origin":"y","mean:\"delay\"":-3}"#,
            ]
        );
        for line in lines {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn without_rows_csv_is_its_header_and_json_lines_are_empty() {
        assert_eq!(written(Format::Csv, &[]), "origin,\"mean:\"\"delay\"\"\"\n");
        assert_eq!(written(Format::Jsonl, &[]), "");
    }

    #[test]
    fn an_older_file_is_untouched_until_the_end_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let mut output = Output::to_file(&path, Format::Csv, &columns()).unwrap();
        output.row(&[text("ATL"), Answer::Integer(1)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);

        Output::to_file(&path, Format::Csv, &columns()).unwrap().finish().unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("origin"));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_pipe_a_pipe() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        Output::to_file(&link, Format::Csv, &columns()).unwrap().finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&target).unwrap().starts_with("origin"));

        let null = Path::new("/dev/null");
        Output::to_file(null, Format::Csv, &columns()).unwrap().finish().unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_gets_the_rights_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("out"), directory.path().join("other"));
        File::create(&other).unwrap();
        Output::to_file(&path, Format::Csv, &columns()).unwrap().finish().unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&other));
    }

    #[test]
    fn a_path_that_cannot_be_written_is_said_before_the_job_begins() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Output::check(directory.path()).is_err());
        let failure = Output::check(&directory.path().join("missing/out.csv")).unwrap_err();
        assert!(failure.to_string().contains("create it first"), "{failure}");
        assert_eq!(failure.exit_code(), 1);
        Output::check(Path::new("out.csv")).unwrap();
    }
}
