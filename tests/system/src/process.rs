//! A run of the program.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::program;
use crate::rows::Rows;

/// A command that is about to run.
#[derive(Debug)]
pub struct Invocation {
    command: Command,
    line: String,
}

/// A command that runs; it is killed where the test ends before it does.
#[derive(Debug)]
pub struct Running {
    child: Child,
    feeder: Option<JoinHandle<()>>,
    stdout: File,
    stderr: File,
    line: String,
    begun: Instant,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    line: String,
}

impl Invocation {
    /// Prepares `holdwater` to run in `directory`; the line is split at blanks.
    pub fn new(directory: &Path, line: &str) -> Self {
        Self::of(program(), directory, line)
    }

    /// Prepares a script of the shell, in which `"$0"` is the program.
    pub fn shell(directory: &Path, script: &str) -> Self {
        Self::shell_within("/usr/bin/env", &[], directory, script)
    }

    /// Prepares a script of the shell, which the program `around` begins.
    pub fn shell_within(around: &str, arguments: &[&str], directory: &Path, script: &str) -> Self {
        let mut shell = Self::of(Path::new(around), directory, "");
        shell.command.args(arguments).args(["/bin/sh", "-c", script]).arg(program());
        shell.line = script.to_owned();
        shell
    }

    fn of(program: &Path, directory: &Path, line: &str) -> Self {
        let mut command = Command::new(program);
        command.args(line.split_whitespace()).current_dir(directory).stdin(Stdio::null());
        Self { command, line: line.to_owned() }
    }

    /// Adds an argument that holds blanks.
    pub fn argument(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable of its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the command.
    pub fn start(mut self) -> Running {
        // Files, not pipes: nobody has to read along.
        let [stdout, stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        self.command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let child = self.command.spawn().unwrap();
        let (line, begun) = (self.line, Instant::now());
        Running { child, feeder: None, stdout, stderr, line, begun }
    }

    /// Starts the command with a pipe as standard input, which another thread feeds.
    ///
    /// Writing to the pipe fails once the command has ended; `feed` returns then.
    pub fn feed(mut self, feed: impl FnOnce(ChildStdin) + Send + 'static) -> Running {
        self.command.stdin(Stdio::piped());
        let mut running = self.start();
        let pipe = running.child.stdin.take().unwrap();
        running.feeder = Some(thread::spawn(|| feed(pipe)));
        running
    }

    /// Runs the command to its end.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.start().wait()
    }

    /// Runs the command to its end with `text` as its standard input.
    #[track_caller]
    pub fn finish_with(self, text: &str) -> Finished {
        let text = text.to_owned();
        // A command that refuses its input does not read it.
        self.feed(move |mut pipe| drop(pipe.write_all(text.as_bytes()))).wait()
    }

    /// Runs the command to its end, which is exit code 0.
    #[track_caller]
    pub fn succeed(self) -> Finished {
        self.finish().succeeded()
    }

    /// Runs the command, which is refused as [`Finished::refused`] tells.
    #[track_caller]
    pub fn refuse(self, code: i32, said: &[&str]) {
        self.finish().refused(code, said);
    }
}

impl Running {
    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self) -> Finished {
        while self.is_running() {
            assert!(self.begun.elapsed() < PATIENCE, "still running: {}", self.line);
            thread::sleep(POLL);
        }
        self.end()
    }

    /// Waits until `happened` while the command runs on.
    #[track_caller]
    pub fn until(&mut self, mut happened: impl FnMut() -> bool) {
        while !happened() {
            if !self.is_running() || self.begun.elapsed() > PATIENCE {
                let stderr = read(&mut self.stderr);
                panic!("what was waited for did not happen: {}\n{stderr}", self.line);
            }
            thread::sleep(POLL);
        }
    }

    /// Lets the command run for a time; returns whether it runs on after that.
    pub fn run_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.is_running() {
                return self.is_running();
            }
            thread::sleep(left.min(POLL));
        }
    }

    /// Returns whether the command has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills the command where it stands, with SIGKILL.
    pub fn kill(mut self) -> Finished {
        self.child.kill().unwrap();
        self.end()
    }

    fn end(&mut self) -> Finished {
        let code = self.child.wait().unwrap().code();
        if let Some(feeder) = self.feeder.take() {
            feeder.join().unwrap();
        }
        let line = std::mem::take(&mut self.line);
        Finished { code, stdout: read(&mut self.stdout), stderr: read(&mut self.stderr), line }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Finished {
    /// Checks that the command did what was asked.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.line, self.stderr);
        self
    }

    /// Checks that the command ended with `code`, wrote no result, and said why in one line, its
    /// last, which has all of `said` in it. Before it only whole lines of the program stand.
    #[track_caller]
    pub fn refused(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.line, self.stderr);
        assert_eq!(self.stdout, "", "{}", self.line);
        let last = self.stderr.lines().last().unwrap_or_default();
        for text in said {
            assert!(last.contains(text), "{}\nlacks {text}: {}", self.line, self.stderr);
        }
        assert!(self.stderr.ends_with('\n'), "{}", self.stderr);
        let known = |line: &str| line.starts_with("holdwater: ");
        assert!(self.stderr.lines().all(known), "{}\n{}", self.line, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Checks that a line of standard error has all of `said` in it.
    #[track_caller]
    pub fn warned(&self, said: &[&str]) {
        let told = |line: &str| said.iter().all(|text| line.contains(text));
        assert!(self.stderr.lines().any(told), "lacks {said:?}: {}", self.stderr);
    }

    /// Returns the results on standard output, which is CSV.
    pub fn rows(&self) -> Rows {
        Rows::from_csv(&self.stdout)
    }
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Far longer than any command of a test takes.
const PATIENCE: Duration = Duration::from_secs(240);

const POLL: Duration = Duration::from_millis(5);
