//! The flags of windows.

use std::time::Duration;

use clap::Args;
use holdwater::window::Assigner;

use crate::duration::{duration_in_words, parse_duration, parse_time_span};
use crate::failure::Failure;

/// When rows were, and in which windows of time they count.
#[derive(Args, Clone, Debug, Default)]
pub struct Windows {
    /// The field that says when a record was: 2001-01-31, 2001-01-31T23:59:59.5+01:00 or seconds
    /// since 1970; without a zone it is UTC
    #[arg(long, value_name = "FIELD", help_heading = "Windows")]
    pub time: Option<String>,
    /// Compute for each window of this length, such as 1d, that starts at a multiple of it since
    /// 1970 UTC; it is written once its end has come
    #[arg(
        long,
        value_parser = parse_duration,
        value_name = "TIME",
        requires = "time",
        conflicts_with = "session",
        help_heading = "Windows"
    )]
    pub window: Option<Duration>,
    /// Start a window every so often, so that they overlap [default: the length of a window]
    #[arg(
        long,
        value_parser = parse_duration,
        value_name = "TIME",
        requires = "window",
        conflicts_with = "session",
        help_heading = "Windows"
    )]
    pub slide: Option<Duration>,
    /// Compute for each session: the rows of a key that are less than this time apart
    #[arg(
        long,
        value_parser = parse_duration,
        value_name = "TIME",
        requires = "time",
        help_heading = "Windows"
    )]
    pub session: Option<Duration>,
    /// How far the times of an input may go back; a row that comes later still and whose windows
    /// are closed is left out, and their number is shown at the end [default: 0s]
    #[arg(
        long,
        value_parser = parse_time_span,
        value_name = "TIME",
        requires = "time",
        help_heading = "Windows"
    )]
    pub lateness: Option<Duration>,
}

impl Windows {
    /// Returns whether there are windows.
    pub const fn is_given(&self) -> bool {
        self.window.is_some() || self.session.is_some()
    }

    /// Returns how times fall into windows, if there are any.
    pub fn assigner(&self) -> Option<Assigner> {
        let assigner = match (self.window, self.session) {
            (Some(window), _) => {
                Assigner::sliding(millis(window), millis(self.slide.unwrap_or(window)))
            }
            (None, Some(gap)) => Assigner::session(millis(gap)),
            (None, None) => return None,
        };
        Some(assigner.expect("the sizes were checked"))
    }

    /// Returns how far times may go back, in milliseconds.
    pub fn lateness(&self) -> i64 {
        self.lateness.map_or(0, millis)
    }

    /// States whether there can be such windows.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let usage = |text: String| Err(Failure::Usage(text));
        if self.time.is_some() && !self.is_given() {
            return usage(
                "--time needs --window or --session; see holdwater run --help".to_owned(),
            );
        }
        let (Some(window), Some(slide)) = (self.window, self.slide) else { return Ok(()) };
        if slide > window {
            return usage(format!(
                "--slide {} is more than --window {}: times between windows would be left out",
                duration_in_words(millis(slide)),
                duration_in_words(millis(window))
            ));
        }
        let windows = millis(window).unsigned_abs().div_ceil(millis(slide).unsigned_abs());
        if windows > WINDOWS_MAX {
            return usage(format!(
                "a row would be in {windows} windows; with a longer --slide it is in fewer, at \
                 most {WINDOWS_MAX}"
            ));
        }
        Ok(())
    }
}

/// Returns a duration that was read from a flag in milliseconds.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Each row costs an access per window and SPEC.
const WINDOWS_MAX: u64 = 10_000;
