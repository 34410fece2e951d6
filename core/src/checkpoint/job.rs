//! What a job consists of, as its checkpoints see it.

use alloc::string::String;
use alloc::vec::Vec;

/// The job whose checkpoints are taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// Its identity, in every file.
    pub id: u128,
    /// What makes it the same job, for the driver.
    pub signature: Vec<u8>,
    /// How many key groups it has.
    pub key_groups: u16,
    /// The function that assigns keys to groups.
    pub hash_function: u8,
    /// Its operators. Every task of each of them acknowledges every checkpoint, sources and sinks
    /// too.
    pub operators: Vec<OperatorShape>,
}

/// An operator of a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperatorShape {
    /// Its name, unique within the job.
    pub name: String,
    /// How many tasks run it.
    pub parallelism: u16,
}
