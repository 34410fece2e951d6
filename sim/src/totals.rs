//! The operator of the job: keeps a value, a list and a map for each key.

use std::fmt;
use std::ops::ControlFlow;

use holdwater::key::{At, KeyGroups};
use holdwater::state::{Backend, List, Map, State, Value};

use crate::model::{Model, result};
use crate::workload::{Change, Record};

holdwater::states! {
    /// What is kept of a key.
    pub struct Totals<B> {
        sum: Value<u64, i64>,
        list: List<u64, u32>,
        parties: Map<u64, u32, u64>,
    }
}

impl<B: Backend> Totals<B> {
    /// Applies one record; returns what the job gives out for it.
    pub fn apply(&mut self, at: At<'_, u64>, record: &Record) -> Result<i64, B::Error> {
        match record.change {
            Change::Add(amount) => self.sum.update(at, || 0, |sum| *sum += amount)?,
            Change::Count(party) => self.parties.update(at, party, || 0, |times| *times += 1)?,
            Change::Push(item) => self.list.push(at, item)?,
            Change::Shorten(count) => {
                let mut items = self.items(at)?;
                items.truncate(count as usize);
                self.list.set(at, items)?;
            }
            Change::Forget(party) => {
                self.parties.remove(at, party)?;
            }
            Change::Drop => {
                self.sum.remove(at)?;
                self.list.remove(at)?;
                self.parties.remove_all(at)?;
            }
        }
        let sum = self.sum.get(at)?.map(|sum| *sum);
        Ok(result(record.key, sum, self.list.len(at)?, self.parties.len(at)?))
    }

    /// Returns all rows of `groups`.
    pub fn read(&self, groups: KeyGroups) -> Result<Model, B::Error> {
        let mut model = Model::default();
        for group in groups.iter() {
            self.sum.visit(group, |key, sum| {
                model.sums.insert(*key, *sum);
                ControlFlow::Continue(())
            })?;
            let (mut listed, mut mapped) = (Vec::new(), Vec::new());
            self.list.keys(group, |key| {
                listed.push(*key);
                ControlFlow::Continue(())
            })?;
            self.parties.keys(group, |key| {
                mapped.push(*key);
                ControlFlow::Continue(())
            })?;
            for key in listed {
                let items = self.items(groups.locate(key))?;
                model.lists.insert(key, items);
            }
            for key in mapped {
                let entries = model.parties.entry(key).or_default();
                self.parties.entries(groups.locate(key), |party, times| {
                    entries.insert(*party, *times);
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(model)
    }

    fn items(&self, at: At<'_, u64>) -> Result<Vec<u32>, B::Error> {
        let mut items = Vec::new();
        self.list.items(at, |item| {
            items.push(*item);
            ControlFlow::Continue(())
        })?;
        Ok(items)
    }
}

impl<B: Backend> fmt::Debug for Totals<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totals").field("keys", &self.sum.rows()).finish_non_exhaustive()
    }
}
