//! Rows out of order, watermarks, sweeps, checkpoints and failures, in any order.

use holdwater::state::Backend;
use holdwater::timer::{Sweep, Watermark, Watermarks};
use holdwater::window::Assigner;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Run, Stage};
use super::operator::{Emitted, Kept, Row};
use super::truth::Truth;

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A row of one of two inputs comes.
    Row(usize, &'static str, i64),
    /// An input has no row for a while, and tells how far its time has come.
    Idle(usize, i64),
    /// Up to so many timers fire.
    Sweep(usize),
    /// A checkpoint is taken.
    Turn,
    /// The job fails, and goes on from its last checkpoint.
    Fail,
}

pub(super) fn tapes() -> impl Strategy<Value = Vec<Step>> {
    let key = prop::sample::select(vec!["", "a", "b", "ab"]);
    let step = prop_oneof![
        20 => (0..2usize, key, -40..120i64).prop_map(|(of, key, time)| Step::Row(of, key, time)),
        2 => (0..2usize, -40..120i64).prop_map(|(from, time)| Step::Idle(from, time)),
        6 => (0..5usize).prop_map(Step::Sweep),
        1 => Just(Step::Turn),
        1 => Just(Step::Fail),
    ];
    vec(step, 0..120)
}

/// Plays steps to the operator and to the truth, and compares what they emit.
pub(super) struct Player<'r, B: Backend> {
    run: &'r Run<B>,
    kept: Stage<B, Kept<B>>,
    job: Job,
    saved: Job,
    in_time: bool,
}

/// What is known of a job beside its states: a failure takes it back too.
#[derive(Clone, Debug)]
pub(super) struct Job {
    truth: Truth,
    inputs: [Watermark; 2],
    watermarks: Watermarks<[i64; 2]>,
    /// The rows that were not late.
    pub(super) rows: Vec<Row>,
    pub(super) emitted: Vec<Emitted>,
    count: u32,
}

impl<'r, B: Backend> Player<'r, B> {
    /// Rows come up to `lateness` after later ones; with `in_time` no others come.
    pub(super) fn new(
        run: &'r Run<B>,
        open: fn(&mut B) -> Result<Kept<B>, B::Error>,
        lateness: i64,
        in_time: bool,
    ) -> Self {
        let mut kept = run.open(open);
        let job = Job {
            truth: Truth::new(kept.windows.assigner()),
            inputs: [Watermark::new(lateness); 2],
            watermarks: Watermarks::new([i64::MIN; 2]),
            rows: Vec::new(),
            emitted: Vec::new(),
            count: 0,
        };
        kept.turn();
        Self { run, kept, saved: job.clone(), job, in_time }
    }

    pub(super) fn assigner(&self) -> Assigner {
        self.kept.windows.assigner()
    }

    /// Plays the steps, ends the inputs, and returns the job.
    pub(super) fn play(mut self, tape: &[Step]) -> Job {
        tape.iter().for_each(|step| self.step(step));
        for input in 0..2 {
            self.job.inputs[input].end();
            self.job.watermarks.advance(input, self.job.inputs[input].time());
        }
        assert_eq!(self.job.watermarks.time(), i64::MAX);
        while self.sweep(3) {}
        assert_eq!(self.kept.rows(), 0, "what is closed leaves nothing behind");
        self.job
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Row(input, key, time) => self.row(input, key, time),
            Step::Idle(input, time) => {
                self.job.inputs[input].observe(time);
                self.job.watermarks.advance(input, self.job.inputs[input].time());
            }
            Step::Sweep(limit) => drop(self.sweep(limit)),
            Step::Turn => {
                self.kept.turn();
                self.saved = self.job.clone();
            }
            Step::Fail => {
                let checkpoint = self.kept.checkpoints().last().unwrap();
                *self.kept = self.kept.restored(checkpoint);
                self.job = self.saved.clone();
            }
        }
    }

    fn row(&mut self, input: usize, key: &'static str, time: i64) {
        let Job { truth, inputs, watermarks, rows, count, .. } = &mut self.job;
        let watermark = inputs[input].time();
        if self.in_time && time < watermark {
            return;
        }
        *count += 1;
        let row = Row { key, time, number: *count };
        let is_in_time = self.kept.add(self.run.at(key), row, watermark).unwrap();
        assert_eq!(is_in_time, truth.add(row, watermark));
        assert_eq!(is_in_time, !self.kept.windows.assigner().is_late(time, watermark));
        rows.extend(is_in_time.then_some(row));
        inputs[input].observe(time);
        watermarks.advance(input, inputs[input].time());
    }

    /// Fires timers; returns whether there are more.
    fn sweep(&mut self, limit: usize) -> bool {
        let watermark = self.job.watermarks.time();
        let expected = self.job.truth.due(watermark);
        let mut expected = expected.iter();
        let mut sweep = Sweep::new(watermark, limit);
        while let Some(emitted) = self.kept.due(&mut sweep) {
            assert_eq!(Some(&emitted), expected.next());
            self.job.truth.close(&emitted);
            self.job.emitted.push(emitted);
        }
        let is_cut = self.kept.windows.is_cut(&sweep).unwrap();
        assert!(is_cut || expected.next().is_none(), "a window that is due is not closed");
        is_cut
    }
}
