//! Runs a job in one process: sources, keyed subtasks and a sink on threads.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod clock;
mod coordinate;
pub mod ends;
mod error;
mod fleet;
mod in_flight;
mod inputs;
#[cfg(feature = "instruments")]
mod instruments;
mod job;
mod launch;
mod live;
mod message;
mod observer;
mod operator;
mod options;
mod outbox;
mod output;
mod place;
mod plan;
mod recover;
mod restart;
mod restore;
mod rows;
mod snapshot;
mod source;
mod subtask;
mod summary;
mod taking;
mod thread;

pub use error::{BarriersRefused, EngineError};
#[cfg(feature = "instruments")]
pub use instruments::Instruments;
pub use job::{Job, run};
pub use live::{Live, Question, Told, Unanswered};
pub use observer::{Completed, Event, Observer, Phases, RestorePhases};
pub use operator::{InFlightCodecs, Operator, Outputs, Subtask};
pub use options::{Checkpoints, Every, KEY_GROUPS, Options, Savepoints, Start, Stop};
pub use restart::{Restarts, run_again};
pub use restore::{LoadFailed, load_states};
pub use source::{Input, Route, Routed, RoutedSource};
pub use summary::{Ended, Summary};
