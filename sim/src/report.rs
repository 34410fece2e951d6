//! What the simulator prints.

use std::io::{self, Write};
use std::time::Duration;

use holdwater_sim::marks::Marks;
use indicatif::{ProgressBar, ProgressStyle};

/// What a series of runs has shown.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) steps: u64,
    pub(crate) storage_steps: u64,
    pub(crate) marks: Marks,
    pub(crate) failed: u64,
}

/// Returns a bar for `total` runs; without a number, a count.
pub(crate) fn progress(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), "{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left")
        }
        None => (ProgressBar::no_length(), "{pos} {msg}, {per_sec}"),
    };
    // The template is one of these two.
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Prints how often each mark was reached, those without a number of their own in one line each.
pub(crate) fn marks(out: &mut impl Write, marks: &Marks) -> io::Result<()> {
    for (mark, count) in marks.all() {
        let count = if count == 0 { "never".to_owned() } else { count.to_string() };
        writeln!(out, "{count:>9}  {mark}")?;
    }
    Ok(())
}

impl Tally {
    /// Prints what all runs came to.
    pub(crate) fn print(&self, out: &mut impl Write, what: &str, time: Duration) -> io::Result<()> {
        let runs = self.runs.max(1);
        let millis = time.as_millis().max(1) as u64;
        writeln!(
            out,
            "{} {what}, {} failed; {} a second, each of {} steps, {} of them of storage",
            self.runs,
            self.failed,
            self.runs * 1000 / millis,
            self.steps / runs,
            self.storage_steps / runs,
        )
    }

    /// Returns how many marks no run reached.
    pub(crate) fn unreached(&self) -> usize {
        self.marks.all().filter(|(_, count)| *count == 0).count()
    }
}
