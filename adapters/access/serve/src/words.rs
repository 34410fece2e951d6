//! How a program shows what its states hold.

use std::fmt;

use holdwater::manifest::Manifest;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::row::Held;

/// How a program shows its states. `()` shows them as they are stored, without stamps.
pub trait Words: fmt::Debug + Send + Sync {
    /// Returns how the rows of a state are shown.
    fn of(&self, state: &StateReader<'_>) -> Box<dyn Shown>;

    /// Returns what a checkpoint counts in bytes that only the program reads, by name.
    fn counts(&self, manifest: &Manifest) -> Vec<(&'static str, u64)> {
        let _ = manifest;
        Vec::new()
    }
}

/// How the rows of one state are shown.
pub trait Shown: fmt::Debug + Send + Sync {
    /// Returns what windows are called.
    fn window_name(&self) -> &'static str {
        "window"
    }

    /// Returns a window as it is shown.
    fn window(&self, window: Datum) -> Datum {
        window
    }

    /// Returns whether `text` names a window.
    fn is_window(&self, window: &Datum, text: &str) -> bool {
        self.window(window.clone()).cell() == text
    }

    /// Returns what a row holds, as it is shown.
    fn value(&self, held: Held) -> Datum {
        held.datum()
    }
}

impl Words for () {
    fn of(&self, _: &StateReader<'_>) -> Box<dyn Shown> {
        Box::new(())
    }
}

impl Shown for () {}
