//! A disk that forgets, at a crash, whatever was not synced.

use core::fmt;
use std::collections::BTreeMap;
use std::vec::Vec;

use crate::storage::{Area, Failure, ObjectId, Storage};

/// How one step is made to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    NotDone,
    /// It took effect, and an error is reported.
    UnknownYes,
    /// It took no effect, and nobody knows.
    UnknownNo,
}

#[derive(Debug)]
pub(super) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("injected")
    }
}

impl core::error::Error for Failed {}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    contents: Vec<Content>,
    names: BTreeMap<ObjectId, usize>,
    durable_names: BTreeMap<ObjectId, usize>,
    /// Steps until the fault; steps done so far.
    pub(super) fault: Option<(usize, Fault)>,
    pub(super) steps: usize,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

impl Disk {
    /// Loses power: what was not synced is gone.
    pub(super) fn crash(&mut self) {
        self.names = self.durable_names.clone();
        for content in &mut self.contents {
            content.bytes = content.durable.clone();
        }
        (self.fault, self.steps) = (None, 0);
    }

    /// Returns a copy that does not fail.
    pub(super) fn intact(&self) -> Self {
        Self { fault: None, ..self.clone() }
    }

    pub(super) fn names(&self) -> Vec<ObjectId> {
        self.names.keys().copied().collect()
    }

    pub(super) fn contains(&self, id: ObjectId) -> bool {
        self.names.contains_key(&id)
    }

    pub(super) fn durably_contains(&self, id: ObjectId) -> bool {
        self.durable_names.get(&id).is_some_and(|content| {
            let content = &self.contents[*content];
            content.durable == content.bytes
        })
    }

    /// Changes one byte of an object on the medium.
    pub(super) fn rot(&mut self, id: ObjectId) {
        let content = &mut self.contents[self.names[&id]];
        let middle = content.bytes.len() / 2;
        content.bytes[middle] ^= 1;
        content.durable = content.bytes.clone();
    }

    /// Puts an object there, durably.
    pub(super) fn put(&mut self, id: ObjectId, bytes: Vec<u8>) {
        self.contents.push(Content { durable: bytes.clone(), bytes });
        self.names.insert(id, self.contents.len() - 1);
        self.durable_names.insert(id, self.contents.len() - 1);
    }

    /// Lets the name of an object be there, but not durably.
    pub(super) fn unsync(&mut self, id: ObjectId) {
        self.durable_names.remove(&id);
    }

    fn step(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), Failure<Failed>>,
    ) -> Result<(), Failure<Failed>> {
        self.steps += 1;
        match self.fault {
            Some((at, Fault::NotDone)) if at == self.steps => Err(Failure::NotDone(Failed)),
            Some((at, Fault::UnknownNo)) if at == self.steps => Err(Failure::Unknown(Failed)),
            Some((at, Fault::UnknownYes)) if at == self.steps => {
                step(self)?;
                Err(Failure::Unknown(Failed))
            }
            _ => step(self),
        }
    }
}

impl Storage for Disk {
    type Error = Failed;
    type File = usize;

    fn create(&mut self, id: ObjectId) -> Result<usize, Failure<Failed>> {
        self.step(|disk| {
            if disk.names.contains_key(&id) {
                return Err(Failure::Exists(id));
            }
            disk.contents.push(Content::default());
            disk.names.insert(id, disk.contents.len() - 1);
            Ok(())
        })?;
        Ok(self.contents.len() - 1)
    }

    fn write(&mut self, file: &mut usize, bytes: &[u8]) -> Result<(), Failure<Failed>> {
        self.step(|disk| {
            disk.contents[*file].bytes.extend(bytes);
            Ok(())
        })
    }

    fn sync(&mut self, file: usize) -> Result<(), Failure<Failed>> {
        self.step(|disk| {
            disk.contents[file].durable = disk.contents[file].bytes.clone();
            Ok(())
        })
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Failed>> {
        self.step(|disk| {
            if disk.names.contains_key(&id) {
                return Err(Failure::Exists(id));
            }
            let content = disk.names.remove(&draft).ok_or(Failure::Missing(draft))?;
            disk.names.insert(id, content);
            Ok(())
        })
    }

    fn sync_area(&mut self, area: Area) -> Result<(), Failure<Failed>> {
        self.step(|disk| {
            disk.durable_names.retain(|id, _| id.area() != area);
            let names = disk.names.iter().filter(|(id, _)| id.area() == area);
            disk.durable_names.extend(names.map(|(id, content)| (*id, *content)));
            Ok(())
        })
    }

    fn list(&mut self, area: Area, found: &mut dyn FnMut(ObjectId)) -> Result<(), Failure<Failed>> {
        self.step(|_| Ok(()))?;
        self.names.keys().filter(|id| id.area() == area).for_each(|id| found(*id));
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Failed>> {
        let content = self.names.get(&id).ok_or(Failure::Missing(id))?;
        Ok(self.contents[*content].bytes.len() as u64)
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<Failed>> {
        self.step(|_| Ok(()))?;
        let content = self.names.get(&id).ok_or(Failure::Missing(id))?;
        let rest = &self.contents[*content].bytes[offset as usize..];
        // Short, as media may be.
        let count = rest.len().min(buffer.len()).min(50);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Failed>> {
        self.step(|disk| {
            disk.names.remove(&id);
            Ok(())
        })
    }
}
