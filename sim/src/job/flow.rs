//! How records and results flow from channel to channel, and snapshots to the disk.

use holdwater::checkpoint::TaskId;

use super::{Job, SINK, failed};
use crate::check;
use crate::network::Letter;
use crate::random::Stream;
use crate::setting::{Setting, Stop};
use crate::sink::{Part, SinkError};
use crate::site::Asker;
use crate::upload::{Next, Upload};

impl Job {
    /// Returns whether a task can apply records: its results have somewhere to go.
    fn can_process(&self, task: usize, setting: &Setting) -> bool {
        !self.results[task].is_full() && !setting.is_stalled()
    }

    /// Returns whether a task can apply a record that it took before.
    pub(super) fn can_work(&self, task: usize, setting: &Setting) -> bool {
        self.tasks[task].has_backlog() && self.can_process(task, setting)
    }

    /// Returns the channels that a task can take from.
    pub(super) fn inputs_of(&self, task: usize, setting: &Setting) -> impl Iterator<Item = usize> {
        let can_process = self.can_process(task, setting);
        let inputs = self.records[task].iter().enumerate();
        inputs
            .filter(move |(input, channel)| {
                !channel.is_empty() && self.tasks[task].can_take(*input, can_process)
            })
            .map(|(input, _)| input)
    }

    /// Returns the channels that the sink can take from.
    pub(super) fn inputs_of_sink(&self, setting: &Setting) -> impl Iterator<Item = usize> {
        let can_write = !setting.is_stalled();
        let inputs = self.results.iter().enumerate();
        inputs
            .filter(move |(input, channel)| {
                !channel.is_empty() && self.sink.can_take(*input, can_write)
            })
            .map(|(input, _)| input)
    }

    /// A task takes what comes first in one of its channels, or applies what it took before.
    pub(super) fn process(&mut self, index: usize, setting: &mut Setting) -> Result<(), Stop> {
        let inputs: Vec<_> = self.inputs_of(index, setting).collect();
        let can_work = self.can_work(index, setting);
        let out = &mut self.results[index];
        let task = &mut self.tasks[index];
        if inputs.is_empty() && !can_work {
            task.flush(out);
            return Ok(());
        }
        let ways = inputs.len() + usize::from(can_work);
        let way = setting.random.index(Stream::Schedule, ways);
        let flush = |setting: &mut Setting| setting.random.below(Stream::Schedule, 3) == 0;
        let Some(input) = inputs.get(way).copied() else {
            setting
                .say(&[13, index as u64], format_args!("task {index} applies what it took before"));
            let flush = flush(setting);
            return task.work(&setting.logs, flush, out).map_err(failed);
        };
        let Some(element) = self.records[index][input].take() else { return Ok(()) };
        setting.say(
            &[2, index as u64, input as u64],
            format_args!("task {index} takes {element:?} of source {input}"),
        );
        let flush = flush(setting);
        task.take(input, element, &setting.logs, flush, out, &mut setting.marks).map_err(failed)
    }

    /// The sink takes what comes first in one of its channels, or writes what it took before.
    pub(super) fn write(&mut self, setting: &mut Setting) -> Result<(), Stop> {
        let inputs: Vec<_> = self.inputs_of_sink(setting).collect();
        let can_work = self.sink.has_backlog() && !setting.is_stalled();
        let ways = inputs.len() + usize::from(can_work);
        if ways == 0 {
            return Ok(());
        }
        let way = setting.random.index(Stream::Schedule, ways);
        let Some(input) = inputs.get(way).copied() else {
            setting.say(&[14], format_args!("the sink writes what it took before"));
            if self.sink.work(&mut setting.output).is_err() {
                self.fail_sink(setting);
            }
            return Ok(());
        };
        let Some(delivery) = self.results[input].take() else { return Ok(()) };
        setting.say(&[3, input as u64], format_args!("the sink takes {delivery:?}"));
        let taken = self.sink.take(input, delivery, &mut setting.output, &mut setting.marks);
        match taken {
            Ok(part) => self.tell(part, setting),
            Err(SinkError::Output(_)) => self.fail_sink(setting),
            Err(SinkError::Barrier(error)) => return Err(check::protocol(error).into()),
        }
        check::output::committed(setting)?;
        Ok(())
    }

    /// Tells the coordinator of the sink's part of a checkpoint.
    pub(super) fn tell(&self, part: Option<Part>, setting: &mut Setting) {
        match part {
            None => {}
            Some(Part::Ack(id, report)) => setting.send(Letter::Ack(SINK, id, report)),
            Some(Part::Decline(id)) => {
                let reason = "the output does not answer".to_owned();
                setting.send(Letter::Decline(SINK, id, reason));
            }
        }
    }

    /// Tasks and sink take note of the time.
    pub(super) fn tick(&mut self, setting: &mut Setting) -> Result<(), Stop> {
        let (step, marks) = (setting.step, &mut setting.marks);
        for (task, out) in self.tasks.iter_mut().zip(&mut self.results) {
            task.tick(step, out, marks).map_err(failed)?;
        }
        match self.sink.tick(step, &mut setting.output, marks) {
            Ok(part) => self.tell(part, setting),
            Err(_) => self.fail_sink(setting),
        }
        check::output::committed(setting)?;
        Ok(())
    }

    /// Returns everything that is being written.
    pub(super) fn uploads(&self) -> impl Iterator<Item = &Upload> {
        self.tasks.iter().flat_map(|task| &task.uploads).chain(&self.sink.uploads)
    }

    /// A task, or behind all of them the sink, writes on at a snapshot.
    pub(super) fn upload(&mut self, index: usize, setting: &mut Setting) -> Result<(), Stop> {
        let of_task = self.tasks.get(index).map(|task| task.uploads.len());
        let count = of_task.unwrap_or(self.sink.uploads.len());
        let place = setting.random.index(Stream::Schedule, count);
        let (task, upload, totals) = match self.tasks.get_mut(index) {
            Some(task) => {
                let Some((upload, totals)) = task.upload(place) else { return Ok(()) };
                (TaskId { operator: 1, index: index as u16 }, upload, Some(totals))
            }
            None => (SINK, &mut self.sink.uploads[place], None),
        };
        let id = upload.barrier().id;
        let mut next = upload.next(totals);
        if let Next::Storage(request) = next {
            let reply = setting.perform(Asker::Task, &request)?;
            let Some(followed) = upload.reply(&reply) else { return Ok(()) };
            next = followed;
        }
        match next {
            Next::Storage(_) => {}
            Next::Report(report) => setting.send(Letter::Ack(task, id, report)),
            Next::Decline(reason) => setting.send(Letter::Decline(task, id, reason)),
            Next::End => {
                match self.tasks.get_mut(index) {
                    Some(task) => task.uploads.remove(place),
                    None => self.sink.uploads.remove(place),
                };
            }
        }
        Ok(())
    }
}
