//! The subtasks of one start, and the channels to and from them.

use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Sender, bounded, unbounded};
use holdwater::checkpoint::{Reading, Restored, TaskId};
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::storage::Storage;

use crate::body::Restore;
use crate::ends::{Begin, Fleet};
use crate::inputs::Inputs;
use crate::message::{Message, Signal};
use crate::operator::{Operator, Subtask};
use crate::place::KEYED;
use crate::plan::Plan;
use crate::restore::LoadFailed;
use crate::subtask::{Snapshots, SubtaskThread};
use crate::thread;

/// Of one source, the channels to all subtasks.
type Channels<R> = Vec<Sender<Message<R>>>;

/// Subtasks on threads.
pub(crate) struct Crew<'scope, R, T> {
    fleet: Fleet<Channels<R>, T>,
    threads: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, R: Send + 'static, T: Send + 'static> Crew<'scope, R, T> {
    /// Starts a thread for each subtask, which loads what it is restored from.
    pub(crate) fn start<F, B, O>(
        plan: &'scope Plan<B>,
        scope: &'scope Scope<'scope, '_>,
        operator: &'scope F,
        begin: Begin<B>,
    ) -> Self
    where
        O: Operator<Batch = R, Output = T>,
        F: Fn(Subtask) -> Result<O, O::Error> + Sync,
        B: Storage + Clone + Send + Sync,
    {
        let Begin { epoch, key_groups, from, is_retried } = begin;
        let (signals, heard) = unbounded();
        let sources = (0..plan.inputs).map(|_| Vec::new()).collect();
        let (results, notices) = (Vec::new(), Vec::new());
        let mut fleet = Fleet { epoch, key_groups, sources, results, notices, signals, heard };
        let mut threads = Vec::new();
        for index in 0..plan.options.parallelism {
            let subtask = subtask::<B, O>(&mut fleet, plan, index, (from.as_ref(), is_retried));
            let signals = fleet.signals.clone();
            threads.push(scope.spawn(move || {
                let name = subtask.name.clone();
                thread::run(&name, &signals, || subtask.run(operator));
            }));
        }
        Self { fleet, threads }
    }

    /// Waits until every subtask holds what it is restored from; returns what they loaded.
    ///
    /// If one does not, all are ended.
    pub(crate) fn wait_until_ready(self) -> Result<(Fleet<Channels<R>, T>, Restored), LoadFailed> {
        let (mut all, mut waited_for) = (Restored::default(), self.threads.len());
        let failed = loop {
            if waited_for == 0 {
                return Ok((self.fleet, all));
            }
            match self.fleet.heard.recv() {
                Ok(Signal::Ready(loaded)) => {
                    all.add(loaded);
                    waited_for -= 1;
                }
                Ok(Signal::Damaged(damage)) => break LoadFailed::Damaged(damage),
                Ok(Signal::Failed(error)) => break LoadFailed::Failed(error),
                Ok(_) => {}
                Err(_) => panic!("the fleet itself holds a sender"),
            }
        };
        let Self { fleet, threads } = self;
        drop(fleet);
        for thread in threads {
            // What a thread fails with was told, or is told to nobody.
            let _ = thread.join();
        }
        Err(failed)
    }
}

/// Makes the thread of a subtask and its channels.
fn subtask<B: Clone, O: Operator>(
    fleet: &mut Fleet<Channels<O::Batch>, O::Output>,
    plan: &Plan<B>,
    index: u16,
    (from, whole): (Option<&(Arc<Manifest>, B)>, bool),
) -> SubtaskThread<O, B> {
    let capacity = plan.options.channel_batches.get();
    let subtasks = plan.options.parallelism;
    let mut channels = Vec::new();
    for source in &mut fleet.sources {
        let (sender, receiver) = bounded(capacity);
        source.push(sender);
        channels.push(receiver);
    }
    let (results, receiver) = bounded(capacity);
    fleet.results.push(receiver);
    let (notice, notices) = unbounded();
    fleet.notices.push(notice);
    let operator = || plan.name.clone();
    let records = O::in_flight().map(|codecs| codecs.records);
    SubtaskThread {
        name: format!("subtask {index}"),
        task: TaskId { operator: KEYED, index },
        subtask: Subtask {
            index,
            subtasks,
            groups: KeyGroups::share(fleet.key_groups, subtasks, index),
        },
        inputs: Inputs::new(channels, notices, plan.options.guarantee, fleet.epoch)
            .with_barriers(plan.options.barriers, records),
        results,
        snapshots: plan.checkpoints.as_ref().map(|checkpoints| Snapshots {
            job: checkpoints.job,
            operator: operator(),
            storage: checkpoints.storage.clone(),
            sync: checkpoints.sync_snapshots,
        }),
        restore: from.zip(plan.checkpoints.as_ref()).map(|((manifest, storage), checkpoints)| {
            Restore {
                manifest: Arc::clone(manifest),
                operator: operator(),
                storage: storage.clone(),
                reading: Reading { policy: checkpoints.policy, whole },
            }
        }),
        signals: fleet.signals.clone(),
    }
}
