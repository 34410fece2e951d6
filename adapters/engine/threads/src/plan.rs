//! What of a job stays the same, whatever it is restored from.

use holdwater::barrier::{Barriers, Guarantee};
use holdwater::key::GROUPS_MAX;
use holdwater::manifest::Manifest;
use holdwater::operator::InFlightCodec;
use holdwater::rescale::{self, Misfit};
use holdwater::sink::Sink;

use crate::error::{BarriersRefused, EngineError};
use crate::job::Job;
use crate::options::{Checkpoints, KEY_GROUPS, Options};
use crate::place::{SINK_NAME, SOURCES_NAME};
use crate::source::Input;

/// All of a job but its ends.
pub(crate) struct Plan<B> {
    pub(crate) name: String,
    pub(crate) checkpoints: Option<Checkpoints<B>>,
    pub(crate) options: Options,
    pub(crate) inputs: usize,
}

/// A job taken apart: its plan, its inputs, its sink, its operator.
type Pieces<S, F, K, B> = (Plan<B>, Vec<Input<S>>, End<K>, F);

/// The sink of a job.
pub(crate) struct End<K: Sink> {
    pub(crate) sink: K,
    pub(crate) name: String,
    /// How results in flight to it are stored.
    pub(crate) in_flight: Option<InFlightCodec<K::Batch>>,
}

impl<B> Plan<B> {
    /// Takes a job apart. `in_flight` is how results are stored.
    pub(crate) fn new<S, F, K: Sink>(
        job: Job<S, F, K, B>,
        in_flight: Option<InFlightCodec<K::Batch>>,
    ) -> Result<Pieces<S, F, K, B>, EngineError> {
        let Job { inputs, name, operator, sink, sink_name, checkpoints, options } = job;
        assert!(!inputs.is_empty() && inputs.len() <= usize::from(u16::MAX), "1 to 65535 inputs");
        assert!(options.parallelism > 0, "one subtask at least");
        assert!(name != SOURCES_NAME && name != SINK_NAME, "an operator is not named {name}");
        if options.barriers != Barriers::Aligned {
            let refused = |why| Err(EngineError::Barriers(why));
            match options.guarantee {
                Guarantee::AtLeastOnce => return refused(BarriersRefused::AtLeastOnce),
                Guarantee::ExactlyOnce if in_flight.is_none() => {
                    return refused(BarriersRefused::NotStored);
                }
                Guarantee::ExactlyOnce => {}
            }
        }
        let plan = Self { name, checkpoints, options, inputs: inputs.len() };
        let end = End { sink, name: sink_name, in_flight };
        Ok((plan, inputs, end, operator))
    }

    /// Returns the number of key groups, if the job can go on from the checkpoint.
    pub(crate) fn fit(&self, manifest: &Manifest) -> Result<u16, EngineError> {
        let Options { key_groups, parallelism, .. } = self.options;
        rescale::positions(manifest, self.inputs)
            .and_then(|_| rescale::groups(manifest, key_groups, parallelism))
            .map_err(|misfit| EngineError::Misfit { id: Some(manifest.id), misfit })
    }

    /// Returns the number of key groups of a job that begins.
    pub(crate) fn key_groups(&self) -> Result<u16, EngineError> {
        let Options { key_groups, parallelism, .. } = self.options;
        let key_groups = key_groups.unwrap_or(KEY_GROUPS);
        assert!((1..=GROUPS_MAX).contains(&key_groups), "1 to {GROUPS_MAX} key groups");
        if parallelism > key_groups {
            let misfit = Misfit::Parallelism { key_groups, parallelism };
            return Err(EngineError::Misfit { id: None, misfit });
        }
        Ok(key_groups)
    }
}
