//! The command line: run a job, look at its checkpoints.
//!
//! | module | what it holds |
//! |---|---|
//! | [`arguments`] | the commands and flags, and what they are refused for |
//! | [`duration`], [`size`] | the values of flags: `5s`, `10000rows`, `512MiB` |
//! | [`spec`] | SPECs: `count`, `mean:delay` |
//! | [`selection`] | which columns of an input a job reads, and how |
//! | [`cell`] | one cell as a number or as text, and their order |
//! | [`timestamp`] | the time of a record, read and printed |
//! | [`fields`] | the key of a record |
//! | [`record`] | a record: its key and the cells that the SPECs read |
//! | [`input`] | records from CSV and JSON lines, with positions to resume from |
//! | [`accumulators`] | what is held per key for a SPEC |
//! | [`run`] | the job: its states, sources, subtasks and result |
//! | [`list`] | the checkpoints of a directory |
//! | [`mod@verify`] | reads checkpoints whole and names what is damaged |
//! | [`mod@inspect`] | what a checkpoint consists of |
//! | [`mod@dump`] | the rows of a state of a checkpoint |
//! | [`mod@get`] | the rows of one key |
//! | [`mod@serve`] | the server that answers over HTTP |
//! | [`mod@diff`] | what changed from one checkpoint to another |
//! | [`mod@sql`] | queries over checkpoints |
//! | [`mod@edit`], [`mod@import`], [`reshape`] | checkpoints changed, as savepoints |
//! | [`completions`] | what a shell completes |
//! | [`output`] | result rows as CSV, JSON lines or a table |
//!
//! Checkpoints are found, read and written by [`holdwater_processor`]; what ends a command, with
//! its exit code, is its [`failure`].

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accumulators;
pub mod arguments;
pub mod cell;
pub mod completions;
pub mod diff;
pub mod dump;
pub mod duration;
pub mod edit;
mod event_time;
pub mod fields;
pub mod gc;
pub mod get;
pub mod import;
pub mod input;
pub mod inspect;
pub mod list;
pub mod output;
pub mod record;
pub mod reshape;
pub mod run;
pub mod savepoint;
pub mod selection;
pub mod serve;
mod shown;
mod signature;
pub mod size;
pub mod spec;
pub mod sql;
mod stop;
mod table;
mod terminal;
pub mod timestamp;
pub mod verify;

pub use holdwater_processor::{checkpoint, failure, place};

pub(crate) use holdwater_processor::directory;
