//! Checkpoints read, written and changed without the types of the job that took them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`place`] | where checkpoints are kept: a directory, an object store |
//! | [`directory`] | what lies in a place, read while a job may go on in it |
//! | [`checkpoint`] | finds the checkpoint that an argument names |
//! | [`mod@verify`] | reads checkpoints whole and names what is damaged |
//! | [`state`] | one state of a checkpoint: its schemas and rows |
//! | [`row`], [`datum`] | rows and values by their schemas alone, from bytes and back, as JSON |
//! | [`encoded`] | rows as they are stored, put together from parts |
//! | [`routing`] | which key group a key belongs to |
//! | [`mod@savepoint`] | writes savepoints |
//! | [`edit`] | rows put and removed |
//! | [`reshape`] | other key groups, other names |
//! | [`diff`] | what changed from one checkpoint to another |
//! | [`failure`] | why something cannot be done, and what to do |
//!
//! Everything goes through the reader that restore goes through: what is shown was checked against
//! checksum, identity and schema. Nothing is locked, and no checkpoint is ever changed: what
//! changes rows writes a savepoint to a place where nothing is yet.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod checkpoint;
pub mod datum;
pub mod diff;
pub mod directory;
pub mod edit;
pub mod encoded;
pub mod failure;
pub mod place;
mod regroup;
pub mod reshape;
pub mod routing;
pub mod row;
pub mod savepoint;
pub mod state;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use state::StateReader;
