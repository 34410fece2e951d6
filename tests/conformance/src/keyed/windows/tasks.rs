//! The tasks of a job, each with the windows of its groups.

use holdwater::key::KeyGroups;
use holdwater::snapshot;
use holdwater::state::Backend;
use holdwater::timer::Sweep;

use super::super::{Checkpoints, Run};
use super::operator::{Emitted, Kept, Row};

pub(super) struct Tasks<B: Backend> {
    total: u16,
    tasks: Vec<(KeyGroups, Kept<B>)>,
}

impl<B: Backend> Tasks<B> {
    pub(super) fn new(
        run: &Run<B>,
        open: fn(&mut B) -> Result<Kept<B>, B::Error>,
        count: u16,
    ) -> Self {
        let total = run.groups().total();
        let shares = (0..count).map(|task| KeyGroups::share(total, count, task));
        let tasks = shares.map(|groups| (groups, open(&mut run.store(groups)).unwrap()));
        Self { total, tasks: tasks.collect() }
    }

    pub(super) fn load(&mut self, checkpoints: &Checkpoints) {
        let checkpoint = checkpoints.last().unwrap();
        self.tasks.iter_mut().for_each(|(_, kept)| checkpoints.load(checkpoint, kept));
    }

    pub(super) fn save(&mut self, run: &Run<B>, checkpoints: &mut Checkpoints) {
        let base = checkpoints.last().filter(|_| run.mode().is_incremental());
        let cut = checkpoints.cut(base);
        for (groups, kept) in &mut self.tasks {
            checkpoints.save(&snapshot::freeze(kept, *groups, cut).unwrap());
        }
        for (_, kept) in &mut self.tasks {
            checkpoints.complete(kept, cut.checkpoint);
        }
    }

    pub(super) fn add(&mut self, row: Row) {
        let at = KeyGroups::all(self.total).locate::<String>(row.key);
        let owner = KeyGroups::owner(at.group(), self.total, self.tasks.len() as u16);
        let (_, kept) = &mut self.tasks[usize::from(owner)];
        assert!(kept.add(at, row, i64::MIN).unwrap());
    }

    /// Fires up to `limit` timers in each task.
    pub(super) fn sweep(&mut self, time: i64, limit: usize) -> Vec<Emitted> {
        let mut emitted = Vec::new();
        for (_, kept) in &mut self.tasks {
            let mut sweep = Sweep::new(time, limit);
            emitted.extend(std::iter::from_fn(|| kept.due(&mut sweep)));
        }
        emitted
    }
}
