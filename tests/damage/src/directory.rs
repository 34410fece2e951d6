//! A checkpoint directory in memory that costs little to copy and to damage.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use holdwater::storage::{Area, Failure, ObjectId, Storage};

/// A checkpoint directory; a copy shares the bytes of its objects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Directory {
    /// The objects by name.
    pub objects: BTreeMap<ObjectId, Rc<Vec<u8>>>,
}

impl Directory {
    /// Copies what is in `storage`.
    pub fn copy_of<S: Storage>(storage: &mut S) -> Self {
        let mut names = Vec::new();
        for area in Area::ALL {
            storage.list(area, &mut |id| names.push(id)).expect("the area is listed");
        }
        let objects = names.into_iter().map(|id| {
            let length = storage.length(id).expect("the object is there");
            let mut bytes = vec![0; length as usize];
            let read = storage.read(id, 0, &mut bytes).expect("the object is read");
            assert_eq!(read, bytes.len());
            (id, Rc::new(bytes))
        });
        Self { objects: objects.collect() }
    }

    /// Returns how many bytes all objects have.
    pub fn bytes(&self) -> usize {
        self.objects.values().map(|bytes| bytes.len()).sum()
    }

    /// Returns a copy in which `id` has other bytes.
    #[must_use]
    pub fn with(&self, id: ObjectId, bytes: Vec<u8>) -> Self {
        let mut copy = self.clone();
        copy.objects.insert(id, Rc::new(bytes));
        copy
    }

    /// Returns a copy without `id`.
    #[must_use]
    pub fn without(&self, id: ObjectId) -> Self {
        let mut copy = self.clone();
        copy.objects.remove(&id);
        copy
    }

    /// Returns a storage that holds a copy.
    pub fn storage(&self) -> Held {
        Held(Rc::new(RefCell::new(self.clone())))
    }
}

/// A directory as a storage; clones are one.
#[derive(Clone, Debug)]
pub struct Held(Rc<RefCell<Directory>>);

impl Storage for Held {
    type Error = Infallible;
    type File = ObjectId;

    fn create(&mut self, id: ObjectId) -> Result<ObjectId, Failure<Infallible>> {
        let objects = &mut self.0.borrow_mut().objects;
        if objects.contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        objects.insert(id, Rc::default());
        Ok(id)
    }

    fn write(&mut self, file: &mut ObjectId, bytes: &[u8]) -> Result<(), Failure<Infallible>> {
        let objects = &mut self.0.borrow_mut().objects;
        let object = objects.get_mut(file).ok_or(Failure::Missing(*file))?;
        Rc::make_mut(object).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, _: ObjectId) -> Result<(), Failure<Infallible>> {
        Ok(())
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Infallible>> {
        let objects = &mut self.0.borrow_mut().objects;
        if objects.contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        let bytes = objects.remove(&draft).ok_or(Failure::Missing(draft))?;
        objects.insert(id, bytes);
        Ok(())
    }

    fn sync_area(&mut self, _: Area) -> Result<(), Failure<Infallible>> {
        Ok(())
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<Infallible>> {
        let objects = &self.0.borrow().objects;
        objects.keys().filter(|id| id.area() == area).for_each(|id| found(*id));
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Infallible>> {
        let objects = &self.0.borrow().objects;
        objects.get(&id).map(|bytes| bytes.len() as u64).ok_or(Failure::Missing(id))
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<Infallible>> {
        let objects = &self.0.borrow().objects;
        let object = objects.get(&id).ok_or(Failure::Missing(id))?;
        let from = object.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(buffer.len());
        buffer[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Infallible>> {
        self.0.borrow_mut().objects.remove(&id);
        Ok(())
    }
}
