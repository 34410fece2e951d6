//! The places of a job's operators, by which the protocol tells their tasks apart.

/// The sources.
pub(crate) const SOURCES: u16 = 0;
/// The operator with state.
pub const KEYED: u16 = 1;
/// The sink.
pub(crate) const SINK: u16 = 2;

/// What the sources are called in checkpoints.
pub const SOURCES_NAME: &str = "sources";
/// What the sink is called as an operator in checkpoints.
pub const SINK_NAME: &str = "sink";
