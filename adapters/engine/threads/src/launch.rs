//! How a job is launched: its subtasks are started and restored, then its sink, then its sources.

use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use holdwater::barrier::Barriers;
use holdwater::checkpoint::{
    self, Coordinator, OperatorShape, Performer, Reading, Recovered, Restored, TaskId,
};
use holdwater::key::HASH_FUNCTION;
use holdwater::manifest::{CheckpointId, Manifest, SinkEntry};
use holdwater::operator::InFlightCodec;
use holdwater::sink::{self, RestoreError, Sink, Transactions};
use holdwater::storage::Storage;

use crate::coordinate::Coordination;
use crate::ends::{Begin, Fleet, Starter};
use crate::error::EngineError;
use crate::in_flight::{InFlightOf, SinkFiles, load_to_sink};
use crate::inputs::Inputs;
use crate::message::{Order, Signal};
use crate::observer::{Event, Observer, RestorePhases};
use crate::options::{Checkpoints, Options};
use crate::output::SinkThread;
use crate::place::{SINK, SINK_NAME, SOURCES, SOURCES_NAME};
use crate::plan::{End, Plan};
use crate::recover::recover;
use crate::restore::LoadFailed;
use crate::rows::RowCount;
use crate::source::{Downstream, Input, Route, RoutedSource, SourceThread};
use crate::summary::Summary;
use crate::taking::Taking;
use crate::thread;

/// The subtasks that were started, and what they go on from.
struct Begun<D, T, B: Storage> {
    fleet: Fleet<D, T>,
    loaded: Restored,
    /// How long the subtasks took to load it.
    loading: Duration,
    /// The results in flight to the sink.
    in_flight: InFlightOf<T>,
    checkpoints: Option<(Performer<B>, Recovered)>,
}

impl<B: Storage + Clone + Send + Sync> Plan<B> {
    /// Starts every thread, and runs the job to its end.
    pub(crate) fn run<'scope, S, D, K>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        inputs: Vec<Input<S>>,
        end: End<K>,
        start: Starter<'_, D, K::Batch, B>,
        observer: &mut dyn Observer,
    ) -> Result<Summary, EngineError>
    where
        S: RoutedSource,
        D: Downstream<S::Records>,
        K: Sink + Send + 'scope,
        K::Batch: Send + 'static,
    {
        let since = Instant::now();
        let End { mut sink, name: sink_name, in_flight: codec } = end;
        let Begun { fleet, loaded, loading, in_flight, mut checkpoints } =
            self.begin(codec.as_ref(), start, observer)?;
        let begun = since.elapsed();
        self.restore_sink(&mut sink, &sink_name, checkpoints.as_mut())?;
        let recovered = checkpoints.as_ref().map(|(_, recovered)| recovered);
        let restored = recovered.and_then(|recovered| recovered.restored.clone());
        let duration = since.elapsed();
        let restored = restored.as_ref();
        let Restored { rows: held, skipped, full } = loaded;
        skipped.iter().for_each(|group| observer.observe(&Event::SkippedGroup(group)));
        let (chosen, settled) = (begun - loading, duration - begun);
        let phases = RestorePhases { chosen, loaded: loading, settled };
        observer.observe(&Event::Running { restored, rows: held, duration, phases });

        let Fleet { epoch, key_groups, mut notices, signals, heard, results, sources } = fleet;
        let (notice, noticed) = unbounded();
        // It is the last to have room again: it is told first.
        notices.insert(0, notice);
        let task = TaskId { operator: SINK, index: 0 };
        let mut inputs_of_sink = Inputs::new(results, noticed, self.options.guarantee, epoch)
            .with_barriers(self.options.barriers, codec)
            .logging_first();
        inputs_of_sink.resume(in_flight);
        let checkpoint = restored.map_or(0, |manifest| manifest.id.checkpoint);
        let output =
            SinkThread {
                task,
                name: sink_name,
                sink,
                inputs: inputs_of_sink,
                newest: CheckpointId { checkpoint, epoch },
                transactions: Transactions::new(),
                signals: signals.clone(),
                files: self.checkpoints.as_ref().map(|Checkpoints { job, storage, .. }| {
                    SinkFiles { job: *job, key_groups, storage: storage.clone() }
                }),
            };
        let failing = signals.clone();
        scope.spawn(move || thread::run("sink", &failing, || output.run()));

        let rows = RowCount::new();
        let taking = checkpoints.zip(self.checkpoints.as_ref()).map(|(found, checkpoints)| {
            self.taking(checkpoints, found, key_groups, (restored, full), &rows)
        });
        let route = Route::new(key_groups, self.options.parallelism);
        let sources = start_sources(inputs, sources, restored, route, &rows, &signals);
        // Whoever waits for signals is to notice that all threads are gone.
        drop(signals);
        let (positions, exhausted) = (vec![None; self.inputs], 0);
        let Options { stop, savepoints, .. } = &self.options;
        Coordination {
            taking,
            sources,
            notices,
            overtakes: self.options.barriers != Barriers::Aligned,
            heard,
            rows,
            stop,
            savepoints,
            drained: None,
            observer,
            exhausted,
            positions,
            skipped,
        }
        .run(restored)
    }

    /// Begins an epoch and starts the subtasks, with their states loaded.
    fn begin<D, T>(
        &self,
        codec: Option<&InFlightCodec<T>>,
        start: Starter<'_, D, T, B>,
        observer: &mut dyn Observer,
    ) -> Result<Begun<D, T, B>, EngineError> {
        let (mut restored, mut in_flight, mut loading) = (None, Vec::new(), Duration::ZERO);
        let mut start = |begin| {
            let since = Instant::now();
            let started = start(begin);
            loading = since.elapsed();
            started
        };
        let checkpoints = match &self.checkpoints {
            None => None,
            Some(checkpoints) => {
                let mut performer = Performer::new(checkpoints.storage.clone());
                let restore = |(epoch, is_retried), manifest: Manifest, storage: &B| {
                    let key_groups = self.fit(&manifest).map_err(LoadFailed::Failed)?;
                    let reading = Reading { policy: checkpoints.policy, whole: is_retried };
                    in_flight = load_to_sink(&manifest, (storage, reading), codec.cloned())?;
                    let from = Some((Arc::new(manifest), storage.clone()));
                    restored = Some(start(Begin { epoch, key_groups, from, is_retried })?);
                    Ok(())
                };
                let recovered = recover(checkpoints, &mut performer, observer, restore)?;
                Some((performer, recovered))
            }
        };
        let (fleet, loaded) = match restored {
            Some(restored) => restored,
            None => {
                let epoch = checkpoints.as_ref().map_or(0, |(_, recovered)| recovered.epoch);
                let key_groups = self.key_groups()?;
                match start(Begin { epoch, key_groups, from: None, is_retried: false }) {
                    Ok(begun) => begun,
                    Err(LoadFailed::Failed(error)) => return Err(error),
                    Err(LoadFailed::Damaged(_)) => panic!("nothing was loaded"),
                }
            }
        };
        let mut checkpoints = checkpoints;
        if let Some((_, recovered)) = checkpoints.as_mut().filter(|_| loaded.full) {
            // No delta may stand on what was left out, or on keys that were in other groups.
            recovered.full = true;
        }
        Ok(Begun { fleet, loaded, loading, in_flight, checkpoints })
    }

    /// Brings the sink to the checkpoint that was restored, or to its beginning.
    fn restore_sink<K: Sink>(
        &self,
        sink: &mut K,
        name: &str,
        begun: Option<&mut (Performer<B>, Recovered)>,
    ) -> Result<(), EngineError> {
        let (performer, recovered) =
            begun.map(|(performer, recovered)| (performer, &*recovered)).unzip();
        let restored = recovered.and_then(|recovered| recovered.restored.as_ref());
        let entry = restored.and_then(|manifest| manifest.sinks.first()).cloned();
        let entry = entry.unwrap_or_else(|| SinkEntry {
            name: name.to_owned(),
            transactions: Vec::new(),
            committed: Vec::new(),
        });
        // A number beyond the restored one was given before: results of it may be committed, and
        // the run that passed it over may have been cut off before it got here.
        let beyond = recovered.zip(restored).is_some_and(|(recovered, restored)| {
            !recovered.skipped.is_empty() || recovered.next > restored.id.checkpoint + 1
        });
        let accepted =
            self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.accept_duplicates);
        let mut cause = None;
        let fence = || {
            let Some((performer, recovered)) = performer.zip(recovered) else { return Ok(()) };
            let fenced = performer.fence(recovered.epoch);
            cause = performer.take_error().map(|error| Box::new(error) as _);
            fenced
        };
        let restored = sink::restore(sink, &entry, beyond, accepted, fence);
        restored.map_err(|error| match error {
            RestoreError::Beyond => EngineError::DuplicateOutput,
            RestoreError::Fence(recovery) => EngineError::Recovery { recovery, error: cause },
            RestoreError::Sink(error) => EngineError::Sink { error: Box::new(error) },
        })
    }

    fn taking(
        &self,
        checkpoints: &Checkpoints<B>,
        (performer, recovered): (Performer<B>, Recovered),
        key_groups: u16,
        (restored, partial): (Option<&Manifest>, bool),
        rows: &RowCount,
    ) -> Taking<B> {
        let shape = |name: &str, parallelism| OperatorShape { name: name.to_owned(), parallelism };
        let job = checkpoint::Job {
            id: checkpoints.job,
            signature: checkpoints.signature.clone(),
            key_groups,
            hash_function: HASH_FUNCTION,
            operators: vec![
                shape(SOURCES_NAME, self.inputs as u16),
                shape(&self.name, self.options.parallelism),
                shape(SINK_NAME, 1),
            ],
        };
        let (retain, full_every) = (checkpoints.retain.get(), checkpoints.full_every.get());
        let config = checkpoint::Config { retain, full_every };
        let coordinator = Coordinator::new(config, job, recovered);
        Taking::new(coordinator, performer, checkpoints, restored, partial, rows)
    }
}

/// Starts a thread for each input; returns how each is given orders.
fn start_sources<S: RoutedSource, D: Downstream<S::Records>>(
    inputs: Vec<Input<S>>,
    channels: Vec<D>,
    restored: Option<&Manifest>,
    route: Route,
    rows: &RowCount,
    signals: &Sender<Signal>,
) -> Vec<Sender<Order>> {
    let positions = restored.into_iter().flat_map(|manifest| &manifest.sources);
    let positions: Arc<[_]> = positions.map(|source| source.position.clone()).collect();
    let mut orders = Vec::new();
    for ((index, input), subtasks) in (0..).zip(inputs).zip(channels) {
        let (order, received) = unbounded();
        orders.push(order);
        let source = SourceThread {
            task: TaskId { operator: SOURCES, index },
            name: input.name,
            source: input.source,
            route,
            positions: Arc::clone(&positions),
            orders: received,
            subtasks,
            rows: rows.clone(),
            signals: signals.clone(),
        };
        let signals = signals.clone();
        // Nobody waits for it: it may wait for records for ever while the job has failed.
        std::thread::spawn(move || {
            let name = format!("input {}", source.name);
            thread::run(&name, &signals, || source.run());
        });
    }
    orders
}
