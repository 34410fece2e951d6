//! Signals that ask a job to stop, with a last checkpoint, or to take a savepoint and go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdwater_threads::{Savepoints, Stop};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use crate::failure::Failure;

/// The signals that were caught.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    any: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    savepoint: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGINT and SIGTERM from now on; the second one of them ends the process at once.
    /// SIGUSR1 asks for a savepoint, any number of times.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let [any, interrupt, savepoint] = <[Arc<AtomicBool>; 3]>::default();
        let signals = Self { any, interrupt, savepoint };
        let caught = || {
            for signal in [SIGINT, SIGTERM] {
                // In this order: the first signal finds the flag down and only raises it.
                flag::register_conditional_shutdown(signal, 128 + signal, signals.any.clone())?;
                flag::register(signal, signals.any.clone())?;
            }
            flag::register(SIGUSR1, signals.savepoint.clone())?;
            flag::register(SIGINT, signals.interrupt.clone())
        };
        caught().map_err(|error| Failure::io("cannot catch signals", error))?;
        Ok(signals)
    }

    /// Returns the switch that a caught signal turns.
    pub(crate) fn stop(&self) -> Stop {
        Stop::from(self.any.clone())
    }

    /// Returns the switch that asks for savepoints.
    pub(crate) fn savepoints(&self) -> Savepoints {
        Savepoints::from(self.savepoint.clone())
    }

    /// Returns the exit code of a process that ends for the signal that was caught.
    pub(crate) fn exit_code(&self) -> u8 {
        let signal = if self.interrupt.load(Ordering::Relaxed) { SIGINT } else { SIGTERM };
        128 + signal as u8
    }
}
