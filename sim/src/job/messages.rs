//! What the parts of a job tell each other by messages that may go astray.

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, TaskId};
use holdwater::manifest::CheckpointId;

use super::{Job, SINK, failed};
use crate::channel::Element;
use crate::check;
use crate::marks::Mark;
use crate::network::Letter;
use crate::setting::{Setting, Stop};

impl Job {
    /// Delivers a message.
    pub(super) fn deliver(&mut self, setting: &mut Setting) -> Result<(), Stop> {
        let Some(letter) = setting.network.deliver(&mut setting.random) else { return Ok(()) };
        setting.say(&[11], format_args!("{}", Described(&letter)));
        match letter {
            Letter::Ack(task, id, report) => self.ack(task, id, *report, setting),
            Letter::Decline(task, id, reason) => self.coordinator.decline(task, id, reason),
            Letter::Trigger(index, barrier) => {
                let source = &mut self.sources[index];
                let Some(report) = source.trigger(&barrier) else { return Ok(()) };
                if !source.ended {
                    let barrier = Element::Barrier(barrier);
                    self.records.iter_mut().for_each(|inputs| inputs[index].send(barrier));
                }
                let task = TaskId { operator: 0, index: index as u16 };
                setting.send(Letter::Ack(task, barrier.id, Box::new(report)));
            }
            // Of an earlier start of the job, which had other tasks.
            Letter::Completed(_, id)
            | Letter::Aborted(_, id)
            | Letter::Announced(_, Barrier { id, .. })
                if id.epoch != self.epoch => {}
            Letter::Announced(task, barrier) => self.announced(task, barrier, setting)?,
            Letter::Completed(task, id) => self.completed(task, id, setting)?,
            Letter::Aborted(SINK, id) => {
                if self.sink.aborted(id, &mut setting.output, &mut setting.marks).is_err() {
                    self.fail_sink(setting);
                }
            }
            Letter::Aborted(task, id) => {
                let index = usize::from(task.index);
                let out = &mut self.results[index];
                self.tasks[index].aborted(id, out, &mut setting.marks).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn announced(
        &mut self,
        task: TaskId,
        barrier: Barrier,
        setting: &mut Setting,
    ) -> Result<(), Stop> {
        let (barrier, marks) = ((barrier, setting.step), &mut setting.marks);
        if task != SINK {
            let index = usize::from(task.index);
            let out = &mut self.results[index];
            return self.tasks[index].announced(barrier, out, marks).map_err(failed);
        }
        match self.sink.announced(barrier, &mut setting.output, marks) {
            Ok(part) => self.tell(part, setting),
            Err(_) => self.fail_sink(setting),
        }
        check::output::committed(setting)?;
        Ok(())
    }

    /// Tells every task but the sources.
    pub(super) fn notify(&self, setting: &mut Setting, letter: impl Fn(TaskId) -> Letter) {
        for index in 0..self.tasks.len() as u16 {
            setting.send(letter(TaskId { operator: 1, index }));
        }
        setting.send(letter(SINK));
    }

    /// The sink failed: the job goes on from its newest checkpoint.
    pub(super) fn fail_sink(&mut self, setting: &mut Setting) {
        setting.marks.reach(Mark::CommitFailed);
        setting.say(&[12], format_args!("the output does not answer"));
        self.coordinator.task_failed(SINK);
    }

    fn ack(&mut self, task: TaskId, id: CheckpointId, report: Report, setting: &mut Setting) {
        let mark = if id.epoch != self.epoch {
            Some(Mark::StaleAck)
        } else if self.coordinator.under_way() != Some(id) {
            Some(Mark::LateAck)
        } else if self.acks.insert((id, task)) {
            None
        } else {
            Some(Mark::RepeatedAck)
        };
        mark.into_iter().for_each(|mark| setting.marks.reach(mark));
        self.coordinator.ack(task, id, report);
    }

    fn completed(
        &mut self,
        task: TaskId,
        id: CheckpointId,
        setting: &mut Setting,
    ) -> Result<(), Stop> {
        if task != SINK {
            self.tasks[usize::from(task.index)].completed(id);
            return Ok(());
        }
        if self.sink.completed(id, &mut setting.output).is_err() {
            self.fail_sink(setting);
        }
        check::output::committed(setting)?;
        Ok(())
    }
}

/// Writes what a message says.
struct Described<'l>(&'l Letter);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Letter::Ack(task, id, _) => write!(f, "{task} acknowledges {id}"),
            Letter::Decline(task, id, reason) => write!(f, "{task} declines {id}: {reason}"),
            Letter::Announced(task, barrier) => {
                write!(f, "{task} is told that {} was begun", barrier.id)
            }
            Letter::Trigger(source, barrier) => {
                write!(f, "source {source} is told to send barrier {}", barrier.id)
            }
            Letter::Completed(task, id) => write!(f, "{task} is told that {id} is complete"),
            Letter::Aborted(task, id) => write!(f, "{task} is told that {id} is aborted"),
        }
    }
}
