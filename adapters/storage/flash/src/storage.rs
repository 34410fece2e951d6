//! The region as a storage of the checkpoint protocol, one step at a time.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;
use holdwater::storage::{Area, Failure, ObjectId, Storage};

use crate::flash::{Flash, Role};
use crate::{FlashError, NewObject};

type Outcome<T> = Result<T, Failure<FlashError>>;

impl<F: NorFlash, const P: usize> Storage for Flash<F, P> {
    type Error = FlashError;
    type File = NewObject;

    fn create(&mut self, id: ObjectId) -> Outcome<NewObject> {
        match self.find(id).map_err(Failure::NotDone)? {
            Some(_) => Err(Failure::Exists(id)),
            None => self.begin(id).map_err(Failure::NotDone),
        }
    }

    fn write(&mut self, file: &mut NewObject, bytes: &[u8]) -> Outcome<()> {
        self.append(file, bytes).map_err(Failure::NotDone)
    }

    /// Commits the object: its name is durable with it.
    fn sync(&mut self, mut file: NewObject) -> Outcome<()> {
        self.commit(&mut file).map_err(|error| failure(error, file.is_committing()))
    }

    /// Writes the last page of the draft anew, under the other name.
    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Outcome<()> {
        let old = self.readable(draft)?;
        if self.find(id).map_err(Failure::NotDone)?.is_some() {
            return Err(Failure::Exists(id));
        }
        let commits = self.commits(old).map_err(Failure::NotDone)?;
        let commit = commits.into_iter().flatten().next();
        let commit = commit.ok_or(Failure::NotDone(FlashError::Lost { page: old }))?;
        self.replace(old, commit, id).map_err(|(error, unknown)| failure(error, unknown))?;
        // What is replaced counts no more; if it does not erase now, it is tried at the next start.
        if self.wipe(old).is_err() {
            self.set(old, Role::Bad);
        }
        Ok(())
    }

    fn sync_area(&mut self, _: Area) -> Outcome<()> {
        Ok(())
    }

    fn list(&mut self, area: Area, found: &mut dyn FnMut(ObjectId)) -> Outcome<()> {
        for page in 0..self.medium.layout().pages {
            let id = self.object_at(page).map_err(Failure::NotDone)?;
            id.filter(|id| id.area() == area).into_iter().for_each(&mut *found);
        }
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Outcome<u64> {
        let last = self.readable(id)?;
        self.length_at(last).map_err(Failure::NotDone)
    }

    fn read(&mut self, id: ObjectId, offset: u64, buffer: &mut [u8]) -> Outcome<usize> {
        let last = self.readable(id)?;
        self.read_at(last, offset, buffer).map_err(Failure::NotDone)
    }

    fn remove(&mut self, id: ObjectId) -> Outcome<()> {
        match self.find(id).map_err(Failure::NotDone)? {
            // Whether a page that a driver failed to erase still counts, the next start shows.
            Some(last) => self.remove_at(last).map_err(Failure::Unknown),
            None => Ok(()),
        }
    }
}

impl<F: NorFlash, const P: usize> Flash<F, P> {
    /// Returns the last page of an object that was synced.
    fn readable(&mut self, id: ObjectId) -> Outcome<u16> {
        let last = self.find(id).map_err(Failure::NotDone)?;
        last.filter(|page| self.role(*page) != Role::Writing).ok_or(Failure::Missing(id))
    }
}

/// A region that is shared by several handles: what the checkpoint protocol takes.
///
/// ```
/// # use core::cell::RefCell;
/// # use embedded_storage::nor_flash::NorFlash;
/// # use holdwater::checkpoint::{Config, Solo, SoloJob};
/// # use holdwater::state::States;
/// use holdwater_flash::{Flash, Shared};
///
/// # fn run<F: NorFlash, S: States>(driver: F, job: SoloJob, states: &mut S)
/// # -> Result<(), Box<dyn std::error::Error>>
/// # where S::Error: holdwater::error::StateError {
/// let region = RefCell::new(Flash::<_, 64>::open(driver)?);
/// let mut solo = Solo::open(Shared::new(&region), job, states)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Shared<'r, F, const P: usize>(&'r RefCell<Flash<F, P>>);

impl<'r, F, const P: usize> Shared<'r, F, P> {
    /// Shares `region`.
    pub const fn new(region: &'r RefCell<Flash<F, P>>) -> Self {
        Self(region)
    }
}

impl<F, const P: usize> Clone for Shared<'_, F, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, const P: usize> Copy for Shared<'_, F, P> {}

impl<F: NorFlash, const P: usize> Storage for Shared<'_, F, P> {
    type Error = FlashError;
    type File = NewObject;

    fn create(&mut self, id: ObjectId) -> Outcome<NewObject> {
        self.0.borrow_mut().create(id)
    }

    fn write(&mut self, file: &mut NewObject, bytes: &[u8]) -> Outcome<()> {
        self.0.borrow_mut().write(file, bytes)
    }

    fn sync(&mut self, file: NewObject) -> Outcome<()> {
        self.0.borrow_mut().sync(file)
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Outcome<()> {
        self.0.borrow_mut().publish(draft, id)
    }

    fn sync_area(&mut self, area: Area) -> Outcome<()> {
        self.0.borrow_mut().sync_area(area)
    }

    fn list(&mut self, area: Area, found: &mut dyn FnMut(ObjectId)) -> Outcome<()> {
        let pages = self.0.borrow().medium.layout().pages;
        for page in 0..pages {
            // Given back before it is shown: who is shown it may take a step.
            let id = self.0.borrow_mut().object_at(page).map_err(Failure::NotDone)?;
            id.filter(|id| id.area() == area).into_iter().for_each(&mut *found);
        }
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Outcome<u64> {
        self.0.borrow_mut().length(id)
    }

    fn read(&mut self, id: ObjectId, offset: u64, buffer: &mut [u8]) -> Outcome<usize> {
        self.0.borrow_mut().read(id, offset, buffer)
    }

    fn remove(&mut self, id: ObjectId) -> Outcome<()> {
        self.0.borrow_mut().remove(id)
    }
}

fn failure(error: FlashError, unknown: bool) -> Failure<FlashError> {
    if unknown { Failure::Unknown(error) } else { Failure::NotDone(error) }
}
