//! The operator with state, on one worker: records come in slices of time, checkpoints lie between
//! two of them.
//!
//! A slice is worked off once no older one is open. A barrier is the last of its slice: the states
//! are frozen when the frontier has passed it, so that every record before it was processed and
//! none behind it. The capability of the slice is retained until the snapshot is durable.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, unbounded};
use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Reading, TaskId};
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::state::States;
use holdwater::storage::{Failure, ObjectId, Storage};
use holdwater_threads::ends::{
    Abandoned, Body, FreezeFailed, KEYED, Notice, Restore, Signal, SnapshotWriter, Work,
};
use holdwater_threads::{EngineError, LoadFailed, Operator, Outputs, Subtask};

use crate::error::ClusterError;
use crate::part::{Shared, failed, message};
use crate::wire::{Load, Parcel, Told};

/// What lies at the end of a slice.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Barrier(Barrier),
    Finish,
}

type Error<O> = <<O as Operator>::States as States>::Error;

/// The operator, loaded, and what it has given since it was last asked.
struct Loaded<O: Operator> {
    body: Body<O>,
    outputs: Outputs<O::Output>,
    given: Receiver<O::Output>,
    snapshots: Option<Snapshots<Error<O>>>,
}

/// The thread that writes what was frozen.
struct Snapshots<E> {
    work: Sender<Work<E>>,
    abandoned: Abandoned,
    written: Receiver<Signal>,
    /// The worker waits for it.
    sync: bool,
}

/// What one worker has to give.
pub(crate) enum Out<T> {
    Result(T),
    Told(Told),
    /// The checkpoint was begun in this slice: its capability is to be retained.
    Retain(CheckpointId, u64),
    /// What was retained for a checkpoint, to be told with that capability.
    Release(CheckpointId, Option<Told>),
}

/// One worker's part of the operator.
pub(crate) struct Keyed<O: Operator, F, B> {
    worker: usize,
    shared: Arc<Shared<F, B>>,
    /// Wakes this worker.
    wake: Arc<dyn Fn() + Send + Sync>,
    slices: BTreeMap<u64, VecDeque<Parcel<O::Batch>>>,
    mark: Option<(u64, Mark)>,
    loaded: Option<Loaded<O>>,
    is_busy: bool,
    /// Nothing more is done.
    is_over: bool,
}

impl<O, F, B> Keyed<O, F, B>
where
    O: Operator,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    B: Storage + Clone + Send + Sync + 'static,
{
    pub(crate) fn new(
        worker: usize,
        shared: Arc<Shared<F, B>>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            worker,
            shared,
            wake,
            slices: BTreeMap::new(),
            mark: None,
            loaded: None,
            is_busy: false,
            is_over: false,
        }
    }

    /// Takes what came in a slice. What is no matter of order is answered at once.
    pub(crate) fn receive(
        &mut self,
        slice: u64,
        parcel: Parcel<O::Batch>,
        out: &mut Vec<Out<O::Output>>,
    ) {
        match parcel {
            Parcel::Beat(beat) => {
                self.shared.heard.fetch_max(beat, Ordering::AcqRel);
                out.push(Out::Told(Told::Alive(beat)));
            }
            Parcel::Over(verdict) => {
                self.shared.end(verdict);
                self.end();
            }
            Parcel::Running => self.shared.is_running.store(true, Ordering::Release),
            parcel => self.slices.entry(slice).or_default().push_back(parcel),
        }
    }

    /// Works off what is due: every slice below `lowest`, which is the oldest that is still open,
    /// and what has come of that. Returns the slice it is in.
    pub(crate) fn advance(&mut self, lowest: u64, out: &mut Vec<Out<O::Output>>) -> Option<u64> {
        if self.is_over {
            self.slices.clear();
            return None;
        }
        if let Some((slice, mark)) = self.mark {
            if lowest <= slice {
                return None;
            }
            self.mark = None;
            self.guarded(out, |keyed, out| keyed.pass(slice, mark, out));
            return Some(slice);
        }
        let mut first = self.slices.first_entry().filter(|first| *first.key() <= lowest)?;
        let slice = *first.key();
        match first.get_mut().pop_front() {
            None => drop(first.remove()),
            Some(parcel) => self.guarded(out, |keyed, out| keyed.take(slice, parcel, out)),
        }
        Some(slice)
    }

    /// Does a piece of what is left between batches; returns whether there is more.
    pub(crate) fn work(&mut self, out: &mut Vec<Out<O::Output>>) -> bool {
        if self.is_busy {
            self.guarded(out, |keyed, _| {
                if let Some(loaded) = &mut keyed.loaded {
                    keyed.is_busy = loaded.body.work(&mut loaded.outputs)?;
                }
                Ok(())
            });
        }
        self.is_busy
    }

    /// Gives what the writer of snapshots has told.
    pub(crate) fn written(&mut self, out: &mut Vec<Out<O::Output>>) {
        let snapshots = self.loaded.as_ref().and_then(|loaded| loaded.snapshots.as_ref());
        let written = snapshots.into_iter().flat_map(|snapshots| snapshots.written.try_iter());
        out.extend(written.filter_map(|signal| release(&self.shared, signal)));
    }

    /// Lets go of everything.
    fn end(&mut self) {
        if let Some(Loaded { snapshots: Some(snapshots), .. }) = &self.loaded {
            // Nobody waits for what is not written by now.
            snapshots.abandoned.up_to(u64::MAX);
        }
        (self.loaded, self.mark) = (None, None);
        (self.is_over, self.is_busy) = (true, false);
    }

    /// Does something that may fail or panic: then this worker is done, and the job is told why.
    fn guarded(
        &mut self,
        out: &mut Vec<Out<O::Output>>,
        act: impl FnOnce(&mut Self, &mut Vec<Out<O::Output>>) -> Result<(), EngineError>,
    ) {
        // What a panic leaves behind is dropped, and never looked at again.
        let done = catch_unwind(AssertUnwindSafe(|| act(self, out))).unwrap_or_else(|panic| {
            let thread = format!("worker {}", self.worker);
            Err(EngineError::Panicked { thread, message: message(&*panic) })
        });
        if let Some(loaded) = &mut self.loaded {
            out.extend(loaded.given.try_iter().map(Out::Result));
        }
        if let Err(error) = done {
            out.push(Out::Told(Told::Failed(error.to_string())));
            self.shared.keep(error);
            self.end();
        }
    }

    fn take(
        &mut self,
        slice: u64,
        parcel: Parcel<O::Batch>,
        out: &mut Vec<Out<O::Output>>,
    ) -> Result<(), EngineError> {
        match parcel {
            Parcel::Aborted(id) => {
                self.note(Notice::Aborted(id));
                out.push(Out::Release(id, None));
            }
            Parcel::Barrier(barrier) => self.mark = Some((slice, Mark::Barrier(barrier))),
            Parcel::Completed(id) => self.note(Notice::Completed(id)),
            Parcel::Finish => self.mark = Some((slice, Mark::Finish)),
            Parcel::Load(load) => self.load(load, out)?,
            Parcel::Records(source, records) => {
                if let Some(Loaded { body, outputs, .. }) = &mut self.loaded {
                    body.process(source as usize, records, outputs)?;
                    self.is_busy = body.work(outputs)?;
                }
            }
            Parcel::Beat(_) | Parcel::Over(_) | Parcel::Running => {}
        }
        Ok(())
    }

    fn note(&mut self, notice: Notice) {
        let Some(loaded) = &mut self.loaded else { return };
        if let (Notice::Aborted(id), Some(snapshots)) = (&notice, &loaded.snapshots) {
            snapshots.abandoned.up_to(id.checkpoint);
        }
        loaded.body.note(notice);
    }

    /// Does what lies between this slice and the next.
    fn pass(
        &mut self,
        slice: u64,
        mark: Mark,
        out: &mut Vec<Out<O::Output>>,
    ) -> Result<(), EngineError> {
        let Some(Loaded { body, outputs, snapshots, given }) = &mut self.loaded else {
            return Ok(());
        };
        match mark {
            Mark::Finish => {
                let counted = body.finish(outputs)?;
                out.extend(given.try_iter().map(Out::Result));
                out.push(Out::Told(Told::Counted(counted)));
                self.is_busy = false;
            }
            Mark::Barrier(barrier) => {
                let task = TaskId { operator: KEYED, index: self.worker as u16 };
                let frozen = body.freeze(barrier, outputs);
                out.extend(given.try_iter().map(Out::Result));
                match (frozen, snapshots) {
                    (Ok(work), Some(snapshots)) => {
                        out.push(Out::Retain(barrier.id, slice));
                        // A writer that is gone has told why.
                        let _ = snapshots.work.send(work);
                        if snapshots.sync {
                            let written = snapshots.written.recv().ok();
                            out.extend(written.and_then(|signal| release(&self.shared, signal)));
                        }
                    }
                    (Ok(_), None) => {}
                    (Err(FreezeFailed::Failed(error)), _) => return Err(error),
                    (Err(FreezeFailed::Declined(why)), _) => {
                        out.push(Out::Told(Told::Declined(task, barrier.id, why)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the operator and loads its states; tells how that went.
    fn load(&mut self, load: Load, out: &mut Vec<Out<O::Output>>) -> Result<(), EngineError> {
        let Load { epoch, key_groups, whole, from } = load;
        // Before the next takes its memory, and its files.
        self.loaded = None;
        let subtask = self.shared.subtask(self.worker, key_groups);
        let part = &self.shared.part;
        if let Some(checkpoints) = &part.checkpoints {
            let claim = checkpoints.storage.clone().length(ObjectId::claim(epoch));
            if matches!(claim, Err(Failure::Missing(_))) {
                return Err(failed(ClusterError::NotShared { epoch }));
            }
        }
        let restore = from.zip(part.checkpoints.as_ref()).map(|((id, bytes), checkpoints)| {
            let manifest = Manifest::from_file(id, &bytes).unwrap_or_else(|error| {
                panic!("the first worker sent a damaged manifest: {error}")
            });
            Restore {
                storage: checkpoints.storage_of(&manifest).clone(),
                manifest: Arc::new(manifest),
                operator: part.name.clone(),
                reading: Reading { policy: checkpoints.policy, whole },
            }
        });
        match Body::load(subtask, &part.operator, restore) {
            Ok((mut body, loaded)) => {
                let (give, given) = unbounded();
                // The receiver lies beside it.
                let mut outputs = Outputs::new(move |results| drop(give.send(results)));
                for (source, records) in body.take_in_flight() {
                    body.process(usize::from(source), records, &mut outputs)?;
                    while body.work(&mut outputs)? {}
                }
                let snapshots = self.snapshots();
                self.loaded = Some(Loaded { body, outputs, given, snapshots });
                out.push(Out::Told(Told::Ready(loaded)));
            }
            Err(LoadFailed::Damaged(damage)) => {
                out.push(Out::Told(Told::Damaged(damage)));
            }
            Err(LoadFailed::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// Starts the thread that writes snapshots.
    fn snapshots(&self) -> Option<Snapshots<Error<O>>> {
        let part = &self.shared.part;
        let checkpoints = part.checkpoints.as_ref()?;
        let (work, received) = unbounded::<Work<Error<O>>>();
        let (tell, written) = unbounded();
        let (abandoned, wake) = (Abandoned::default(), Arc::clone(&self.wake));
        let writer = SnapshotWriter {
            task: TaskId { operator: KEYED, index: self.worker as u16 },
            job: checkpoints.job,
            operator: part.name.clone(),
            storage: checkpoints.storage.clone(),
            abandoned: abandoned.clone(),
            sync: checkpoints.sync_snapshots,
            tell: Box::new(move |signal| {
                // The worker may have let go of this checkpoint, or of all.
                let _ = tell.send(signal);
                wake();
            }),
        };
        let shared = Arc::clone(&self.shared);
        let thread = format!("snapshots of worker {}", self.worker);
        std::thread::spawn(move || {
            // The panic ends here: what the writer owned is dropped, and never looked at again.
            let ended = catch_unwind(AssertUnwindSafe(|| writer.run(&received)));
            if let Err(panic) = ended {
                shared.alarm(EngineError::Panicked { thread, message: message(&*panic) });
            }
        });
        Some(Snapshots { work, abandoned, written, sync: checkpoints.sync_snapshots })
    }
}

/// What was retained for a checkpoint is told once its snapshot is durable, or given up.
fn release<F, B, T>(shared: &Shared<F, B>, signal: Signal) -> Option<Out<T>> {
    match signal {
        Signal::Failed(error) => {
            let why = error.to_string();
            shared.keep(error);
            Some(Out::Told(Told::Failed(why)))
        }
        Signal::Done(task, id, report, phases) => {
            Some(Out::Release(id, Some(Told::Done(task, id, report, phases))))
        }
        Signal::Declined(task, id, why) => {
            Some(Out::Release(id, Some(Told::Declined(task, id, why))))
        }
        _ => None,
    }
}
