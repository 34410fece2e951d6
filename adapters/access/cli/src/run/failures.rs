//! Turns what ends a job into what the command line says, with its exit code.

use std::error::Error;
use std::path::Path;

use holdwater::checkpoint::{Halt, RecoveryError, Skipped};
use holdwater::error::{ErrorKind, StateError};
use holdwater::rescale::Misfit;
use holdwater_threads::EngineError;

use crate::accumulators::Overflow;
use crate::failure::Failure;
use crate::place::PlaceError;

/// Why a row cannot be added.
#[derive(Debug)]
pub(super) enum AddError<E> {
    /// A sum overflows: the SPEC, and the row's line.
    Overflow(Overflow, String, u64),
    /// The store cannot take it.
    State(E),
}

impl<E> From<E> for AddError<E> {
    fn from(error: E) -> Self {
        Self::State(error)
    }
}

impl<E: StateError> AddError<E> {
    /// Says it of a row of the input with that name.
    pub(super) fn of_input(self, name: &str) -> Failure {
        match self {
            Self::Overflow(overflow, spec, line) => {
                Failure::Data(format!("{name} line {line}: {spec}: {overflow}"))
            }
            Self::State(error) => of_state(&error),
        }
    }
}

/// Says why the engine has ended the job, whose checkpoints are in `directory`.
pub(super) fn of_engine(error: EngineError, directory: Option<&Path>) -> Failure {
    let text = error.to_string();
    // What the checkpoints have, and what to do about it here.
    let foreign = |what: &str| {
        let directory = directory.unwrap_or(Path::new("")).display();
        Failure::Foreign(format!("{directory}: {what}; give another directory, or --fresh"))
    };
    match error {
        EngineError::Operator { error, .. }
        | EngineError::Sink { error }
        | EngineError::Source { error, .. } => of_cause(error, text),
        EngineError::NotLoaded { kind: ErrorKind::Corrupt, .. } => Failure::Corrupt(text),
        EngineError::NotLoaded { kind, error, .. } => of_kind(kind, &*error),
        EngineError::Recovery { recovery: RecoveryError::Storage(_), error: Some(error) } => {
            let error = error.downcast::<PlaceError>();
            error.map_or(Failure::Data(text), |error| Failure::from(*error))
        }
        EngineError::Recovery { recovery, .. } => match recovery {
            RecoveryError::Newer(_) => Failure::Newer(text),
            RecoveryError::NoneIntact(skipped) => {
                Failure::Corrupt(none_intact(&skipped, directory))
            }
            RecoveryError::Fenced { .. } => Failure::Busy(text),
            _ => Failure::Data(text),
        },
        EngineError::Halted { halt: Halt::Fenced { .. }, .. } => Failure::Busy(format!(
            "{text}: another process runs this job now, and goes on; run the job only once"
        )),
        EngineError::Halted { halt: Halt::Rival(_), .. } => Failure::Busy(text),
        EngineError::Damaged(_) => Failure::Corrupt(text),
        EngineError::StateDamaged { error, .. } => Failure::Damaged(error.to_string()),
        EngineError::Misfit { misfit: Misfit::Parallelism { .. }, .. } => Failure::Usage(text),
        EngineError::OtherJob { id, .. } => foreign(&format!(
            "checkpoint {id} is of a job with another key, other SPECs or other inputs"
        )),
        EngineError::Misfit { .. }
        | EngineError::NoSuchOperator { .. }
        | EngineError::NoSuchState { .. }
        | EngineError::NoWatermark { .. }
        | EngineError::OtherKeys { .. }
        | EngineError::OtherKind { .. }
        | EngineError::OtherStore { .. }
        | EngineError::OtherType { .. } => foreign(&text),
        _ => Failure::Data(text),
    }
}

fn none_intact(skipped: &[Skipped], directory: Option<&Path>) -> String {
    let directory = directory.unwrap_or(Path::new("")).display();
    let damages: Vec<_> =
        skipped.iter().map(|skipped| format!("{}: {}", skipped.id, skipped.damage)).collect();
    format!(
        "{directory} has no intact checkpoint ({}); put a copy of it in place, or give --fresh to \
         start anew",
        damages.join("; ")
    )
}

/// Says why a store cannot go on.
pub(super) fn of_state(error: &impl StateError) -> Failure {
    of_kind(error.kind(), error)
}

fn of_kind(kind: ErrorKind, error: &dyn Error) -> Failure {
    match kind {
        ErrorKind::Full => Failure::Resource(format!("{error} (--memory-limit)")),
        ErrorKind::Corrupt => Failure::Damaged(error.to_string()),
        ErrorKind::Mismatch => Failure::Usage(error.to_string()),
        _ => Failure::Data(error.to_string()),
    }
}

/// Sources and operators of this program fail with a [`Failure`]; it is told as it is.
fn of_cause(error: Box<dyn Error + Send + Sync>, text: String) -> Failure {
    error.downcast::<Failure>().map_or(Failure::Data(text), |failure| *failure)
}
