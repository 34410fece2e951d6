//! The subtasks of one start, and the channels to and from them.

use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use holdwater::checkpoint::{Restored, TaskId};
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::storage::Storage;

use crate::inputs::Inputs;
use crate::message::{Message, Notice, Signal};
use crate::operator::{Operator, Outputs, Subtask};
use crate::place::KEYED;
use crate::plan::Plan;
use crate::restore::LoadFailed;
use crate::subtask::{Restore, Snapshots, SubtaskThread};
use crate::thread;

/// Subtasks that wait for records.
pub(crate) struct Fleet<'scope, R, T> {
    pub(crate) epoch: u64,
    pub(crate) key_groups: u16,
    /// Of each source, the channels to all subtasks.
    pub(crate) sources: Vec<Vec<Sender<Message<R>>>>,
    /// Of each subtask, the channel to the sink.
    pub(crate) results: Vec<Receiver<Message<T>>>,
    pub(crate) notices: Vec<Sender<Notice>>,
    pub(crate) signals: Sender<Signal>,
    pub(crate) heard: Receiver<Signal>,
    threads: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, R: Send + 'static, T: Send + 'static> Fleet<'scope, R, T> {
    /// Starts a thread for each subtask, which loads what it is restored from.
    pub(crate) fn start<F, B, O>(
        plan: &'scope Plan<F, B>,
        scope: &'scope Scope<'scope, '_>,
        epoch: u64,
        key_groups: u16,
        from: Option<&(Arc<Manifest>, B)>,
    ) -> Self
    where
        O: Operator<Batch = R, Output = T>,
        F: Fn(Subtask) -> Result<O, O::Error> + Sync,
        B: Storage + Clone + Send + Sync,
    {
        let (signals, heard) = unbounded();
        let sources = (0..plan.inputs).map(|_| Vec::new()).collect();
        let (results, notices, threads) = (Vec::new(), Vec::new(), Vec::new());
        let mut fleet =
            Self { epoch, key_groups, sources, results, notices, signals, heard, threads };
        for index in 0..plan.options.parallelism {
            let subtask = fleet.subtask(plan, index, from);
            let signals = fleet.signals.clone();
            fleet.threads.push(scope.spawn(move || {
                let name = subtask.name.clone();
                thread::run(&name, &signals, || subtask.run(&plan.operator));
            }));
        }
        fleet
    }

    /// Waits until every subtask holds what it is restored from; returns what they loaded.
    ///
    /// If one does not, all are ended.
    pub(crate) fn wait_until_ready(self) -> Result<(Self, Restored), LoadFailed> {
        let (mut all, mut waited_for) = (Restored::default(), self.threads.len());
        let failed = loop {
            if waited_for == 0 {
                return Ok((self, all));
            }
            match self.heard.recv() {
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
        let Self { sources, results, notices, heard, threads, .. } = self;
        drop((sources, results, notices, heard));
        for thread in threads {
            // What a thread fails with was told, or is told to nobody.
            let _ = thread.join();
        }
        Err(failed)
    }

    /// Makes the thread of a subtask and its channels.
    fn subtask<F, B, O>(
        &mut self,
        plan: &Plan<F, B>,
        index: u16,
        from: Option<&(Arc<Manifest>, B)>,
    ) -> SubtaskThread<O, B>
    where
        O: Operator<Batch = R, Output = T>,
        B: Clone,
    {
        let capacity = plan.options.channel_batches.get();
        let subtasks = plan.options.parallelism;
        let mut channels = Vec::new();
        for source in &mut self.sources {
            let (sender, receiver) = bounded(capacity);
            source.push(sender);
            channels.push(receiver);
        }
        let (results, receiver) = bounded(capacity);
        self.results.push(receiver);
        let (notice, notices) = unbounded();
        self.notices.push(notice);
        let operator = || plan.name.clone();
        SubtaskThread {
            name: format!("subtask {index}"),
            task: TaskId { operator: KEYED, index },
            subtask: Subtask {
                index,
                subtasks,
                groups: KeyGroups::share(self.key_groups, subtasks, index),
            },
            inputs: Inputs::new(channels, notices, plan.options.guarantee, self.epoch),
            outputs: Outputs::new(results),
            snapshots: plan.checkpoints.as_ref().map(|checkpoints| Snapshots {
                job: checkpoints.job,
                operator: operator(),
                storage: checkpoints.storage.clone(),
                sync: checkpoints.sync_snapshots,
            }),
            restore: from.zip(plan.checkpoints.as_ref()).map(
                |((manifest, storage), checkpoints)| Restore {
                    manifest: Arc::clone(manifest),
                    operator: operator(),
                    storage: storage.clone(),
                    policy: checkpoints.policy,
                },
            ),
            signals: self.signals.clone(),
        }
    }
}
