//! What every thread of a job has in common: how it fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::Sender;

use crate::error::EngineError;
use crate::message::Signal;

/// Runs the body of a thread, and tells the coordinator if it fails or panics.
///
/// The panic ends here: whatever the body owned is dropped, and is never looked at again.
pub(crate) fn run(
    name: &str,
    signals: &Sender<Signal>,
    body: impl FnOnce() -> Result<(), EngineError>,
) {
    let failed = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => EngineError::Panicked { thread: name.to_owned(), message: message(&*panic) },
    };
    // Nobody listens any more if another thread failed before.
    let _ = signals.send(Signal::Failed(failed));
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
