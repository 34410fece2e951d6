//! Signals that ask a job to stop: it takes a last checkpoint and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdwater_threads::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// The signals that were caught.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    any: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGINT and SIGTERM from now on; the second one of them ends the process at once.
    pub(super) fn catch() -> Result<Self, Failure> {
        let signals = Self { any: Arc::default(), interrupt: Arc::default() };
        let caught = || {
            for signal in [SIGINT, SIGTERM] {
                // In this order: the first signal finds the flag down and only raises it.
                flag::register_conditional_shutdown(signal, 128 + signal, signals.any.clone())?;
                flag::register(signal, signals.any.clone())?;
            }
            flag::register(SIGINT, signals.interrupt.clone())
        };
        caught().map_err(|error| Failure::io("cannot catch signals", error))?;
        Ok(signals)
    }

    /// Returns the switch that a caught signal turns.
    pub(super) fn stop(&self) -> Stop {
        Stop::from(self.any.clone())
    }

    /// Returns the exit code of a process that ends for the signal that was caught.
    pub(super) fn exit_code(&self) -> u8 {
        let signal = if self.interrupt.load(Ordering::Relaxed) { SIGINT } else { SIGTERM };
        128 + signal as u8
    }
}
