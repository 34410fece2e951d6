//! Tells a person how a job goes: warnings as lines, progress as one line that changes.

use std::fmt;
use std::time::Instant;

use holdwater::manifest::CheckpointKind;
use holdwater_threads::{Event, Observer};
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use super::gauge::Gauge;
use crate::arguments::Progress;
use crate::duration::age_in_words;
use crate::serve::Served;

/// Writes to standard error what a job tells.
#[derive(Debug)]
pub(super) struct Report {
    bar: ProgressBar,
    gauges: Vec<Gauge>,
    newest: Option<(String, Instant)>,
    /// Checkpoints that were passed over, and why, until it is known which one they give way to.
    skipped: Vec<String>,
    /// Whether results are written that no restart takes back.
    repeats: bool,
    /// Who answers what checkpoints hold, and is told of them.
    served: Option<Served>,
}

impl Report {
    /// Shows progress unless told never to, or unless standard error is no terminal.
    pub(super) fn new(progress: Progress, gauges: Vec<Gauge>, served: Option<Served>) -> Self {
        let bar = match progress {
            Progress::Auto => ProgressBar::new_spinner(),
            Progress::Never => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {human_pos} rows, {rate} rows/s{msg}");
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A line of progress that cannot be written is none.
            let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
        };
        bar.set_style(style.expect("the template is sound").with_key("rate", rate));
        Self { bar, gauges, newest: None, skipped: Vec::new(), repeats: false, served }
    }

    /// Tells whether results are written that no restart takes back.
    pub(super) fn set_repeats(&mut self, repeats: bool) {
        self.repeats = repeats;
    }

    /// Returns the line of progress, which has to make way for rows on the same terminal.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
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

    /// Shows how much of the input is read, and how old the newest checkpoint is.
    fn show(&self) {
        let mut message = String::new();
        if let Some(percent) = Gauge::percent(&self.gauges) {
            message.push_str(&format!(", {percent}% of the input"));
        }
        if let Some((id, since)) = &self.newest {
            let age = age_in_words(since.elapsed().as_millis() as u64);
            message.push_str(&format!(", checkpoint {id} {age} ago"));
        }
        self.bar.set_message(message);
    }
}

impl Observer for Report {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Aborted { id, why } => {
                self.line(&format!("warning: checkpoint {id} was given up: {why}"));
            }
            Event::Completed(completed, _) => {
                if let Some(served) = &self.served {
                    served.took(completed.id, completed.duration);
                }
                if completed.kind == CheckpointKind::Savepoint {
                    self.line(&format!("savepoint {} is complete, and kept", completed.id));
                }
                self.newest = Some((completed.id.to_string(), Instant::now()));
                self.show();
            }
            Event::Running { restored, rows, duration, phases } => {
                if let Some(served) = &self.served {
                    served.restored(*phases);
                }
                let Some(manifest) = restored else { return };
                for skipped in std::mem::take(&mut self.skipped) {
                    let id = manifest.id;
                    self.line(&format!("warning: {skipped}; going on from checkpoint {id}"));
                }
                self.line(&format!(
                    "resumed from checkpoint {}: {rows} rows in {:.1} s",
                    manifest.id,
                    duration.as_secs_f64()
                ));
                if self.repeats {
                    self.line(
                        "warning: what is written to a stream cannot be taken back: rows behind \
                         the checkpoint may repeat",
                    );
                }
            }
            Event::Rows(rows) => {
                self.bar.set_position(*rows);
                self.show();
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
