//! Tells a person how a job goes: warnings as lines, progress as one line that changes.

use std::time::Instant;

use holdwater_threads::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Progress;

/// Writes to standard error what a job tells.
#[derive(Debug)]
pub(super) struct Report {
    bar: ProgressBar,
    newest: Option<(String, Instant)>,
    /// Checkpoints that were passed over, and why, until it is known which one they give way to.
    skipped: Vec<String>,
}

impl Report {
    /// Shows progress unless told never to, or unless standard error is no terminal.
    pub(super) fn new(progress: Progress) -> Self {
        let bar = match progress {
            Progress::Auto => ProgressBar::new_spinner(),
            Progress::Never => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {human_pos} rows, {per_sec}{msg}");
        bar.set_style(style.expect("the template is sound"));
        Self { bar, newest: None, skipped: Vec::new() }
    }

    /// Ends the line of progress.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Writes a line above that of progress.
    pub(super) fn line(&self, line: &str) {
        // A bar that is hidden would swallow the line.
        self.bar.suspend(|| eprintln!("holdwater: {line}"));
    }

    /// Writes a count, as the last lines do.
    pub(super) fn count(&self, what: &str, count: u64) {
        eprintln!("{what}: {count}");
    }

    fn show_newest(&self) {
        if let Some((id, since)) = &self.newest {
            let seconds = since.elapsed().as_secs();
            self.bar.set_message(format!(", checkpoint {id} {seconds}s ago"));
        }
    }
}

impl Observer for Report {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Aborted { id, why } => {
                self.line(&format!("warning: checkpoint {id} was given up: {why}"));
            }
            Event::Completed(completed) => {
                self.newest = Some((completed.id.to_string(), Instant::now()));
                self.show_newest();
            }
            Event::Running { restored: Some(manifest), rows, duration } => {
                for skipped in std::mem::take(&mut self.skipped) {
                    let id = manifest.id;
                    self.line(&format!("warning: {skipped}; going on from checkpoint {id}"));
                }
                self.line(&format!(
                    "resumed from checkpoint {}: {rows} rows in {:.1} s",
                    manifest.id,
                    duration.as_secs_f64()
                ));
            }
            Event::Rows(rows) => {
                self.bar.set_position(*rows);
                self.show_newest();
            }
            Event::Skipped(skipped) => self.skipped.push(skipped.to_string()),
            Event::SkippedGroup(group) => self.line(&format!("warning: {group}")),
            Event::Warned { warning, error } => {
                let error = error.map_or(String::new(), |error| format!(": {error}"));
                self.line(&format!("warning: {warning}{error}"));
            }
            _ => {}
        }
    }
}
