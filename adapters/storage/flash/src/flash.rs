//! The region: which page is whose, found by looking at all of them (docs/flash.md 4).

use embedded_storage::nor_flash::NorFlash;
use holdwater::storage::ObjectId;

use crate::FlashError;
use crate::layout::{COMMIT_LEN, Commit, Head, Layout, RETIRED};
use crate::medium::{Failed, Medium};

/// A region of a NOR flash that keeps objects, in up to `P` pages.
///
/// It is a [`Storage`](holdwater::storage::Storage). A cut of the power at any byte of a program or
/// an erase loses nothing that was synced, published or removed. It takes 4 bytes of memory a page.
#[derive(Debug)]
pub struct Flash<F, const P: usize> {
    pub(crate) medium: Medium<F>,
    pub(crate) pages: [Page; P],
    /// The serial of the page that is written next.
    pub(crate) serial: u32,
    /// The page that was taken last.
    pub(crate) taken: u16,
    /// The last page of the object that was looked for last.
    found: u16,
}

/// What is known of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) role: Role,
    /// The next page of the object; of its last page the first.
    pub(crate) next: u16,
}

/// What a page is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Nobody may use it.
    Bad,
    /// It was erased since the power came.
    Blank,
    /// It is the last of an object that cannot be read.
    Broken,
    /// It is the last of an object.
    Last,
    /// What stands on it counts for nothing. Erased before it is used, whatever it reads as.
    Left,
    /// It ends an object that another page is in place of: to be erased.
    Replaced,
    /// It may read as committed the next time, though it was not: to be erased.
    Torn,
    /// It is of an object, and not the last.
    Within,
    /// It is the last, so far, of an object that is being written.
    Writing,
}

impl Role {
    /// Returns whether there is one such page for each object.
    const fn is_object(self) -> bool {
        matches!(self, Self::Broken | Self::Last | Self::Writing)
    }
}

impl<F: NorFlash, const P: usize> Flash<F, P> {
    /// Opens a region: all of `flash`.
    ///
    /// Looks at each page once, and settles what a cut of the power left open. A region that was
    /// never used, or for something else, is an empty one.
    pub fn open(flash: F) -> Result<Self, FlashError> {
        let layout = Layout::of(&flash, P)?;
        let mut flash = Self {
            medium: Medium::new(flash, layout),
            pages: [Page { role: Role::Bad, next: 0 }; P],
            serial: 1,
            taken: layout.pages - 1,
            found: 0,
        };
        for page in 0..layout.pages {
            let role = flash.look_at(page)?;
            flash.set(page, role);
        }
        flash.settle()?;
        Ok(flash)
    }

    /// Gives the driver back.
    pub fn into_inner(self) -> F {
        self.medium.into_flash()
    }

    /// Returns how many pages hold no object, and how many are bad.
    pub fn free_pages(&self) -> (usize, usize) {
        let pages = &self.pages[..usize::from(self.medium.layout().pages)];
        let count = |roles: &[Role]| pages.iter().filter(|page| roles.contains(&page.role)).count();
        (count(&[Role::Blank, Role::Left]), count(&[Role::Bad]))
    }

    pub(crate) const fn role(&self, page: u16) -> Role {
        self.pages[page as usize].role
    }

    pub(crate) const fn set(&mut self, page: u16, role: Role) {
        self.pages[page as usize].role = role;
    }

    /// Returns the head of `page`, if it has one.
    pub(crate) fn head(&mut self, page: u16) -> Result<Option<Head>, FlashError> {
        let bytes = self.medium.head(page)?;
        Head::decode(&bytes, self.medium.layout(), page)
    }

    /// Returns which of the two commits of `page` are sound.
    pub(crate) fn commits(&mut self, page: u16) -> Result<[Option<Commit>; 2], FlashError> {
        let (head, layout) = (self.medium.head(page)?, *self.medium.layout());
        let [first, second] = layout.commits(page);
        let mut commit = |at| Ok(Commit::decode(&self.medium.cell(at)?, &head, &layout));
        Ok([commit(first)?, commit(second)?])
    }

    /// Returns the last page of the object `id`.
    pub(crate) fn find(&mut self, id: ObjectId) -> Result<Option<u16>, FlashError> {
        let pages = self.medium.layout().pages;
        for page in core::iter::once(self.found).chain(0..pages) {
            if self.object_at(page)? == Some(id) {
                self.found = page;
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// Returns the object whose last page `page` is.
    pub(crate) fn object_at(&mut self, page: u16) -> Result<Option<ObjectId>, FlashError> {
        if !self.role(page).is_object() {
            return Ok(None);
        }
        Ok(self.head(page)?.map(|head| head.id))
    }

    /// Erases a page, so that what stands on it counts no more; retires it if it does not erase.
    pub(crate) fn wipe(&mut self, page: u16) -> Result<(), FlashError> {
        match self.medium.erase(page) {
            Ok(()) => {
                self.set(page, Role::Blank);
                Ok(())
            }
            Err(Failed::Page) => self.retire(page, Failed::Page),
            Err(Failed::Driver(error)) => Err(error),
        }
    }

    /// Passes over a page from now on; one that does not read back is marked (docs/flash.md 5).
    pub(crate) fn retire(&mut self, page: u16, failed: Failed) -> Result<(), FlashError> {
        self.set(page, Role::Bad);
        if let Failed::Driver(error) = failed {
            return Err(error);
        }
        let mark = self.medium.layout().mark(page);
        let is_marked = self.medium.is_blank::<COMMIT_LEN>(mark)?
            && self.medium.program_padded(mark, &RETIRED).is_ok();
        if is_marked { Ok(()) } else { Err(FlashError::Stuck { page }) }
    }

    /// Frees the pages of the object that ends at `last`, but for that one itself.
    pub(crate) fn free_chain(&mut self, last: u16) {
        let mut page = self.pages[usize::from(last)].next;
        while page != last && self.role(page) == Role::Within {
            self.set(page, Role::Left);
            page = self.pages[usize::from(page)].next;
        }
    }

    /// Looks at a page: what it is by itself.
    fn look_at(&mut self, page: u16) -> Result<Role, FlashError> {
        let layout = *self.medium.layout();
        if self.medium.cell(layout.mark(page))? == RETIRED {
            return Ok(Role::Bad);
        }
        let Some(head) = self.head(page)? else { return Ok(Role::Left) };
        if head.at.serial >= self.serial {
            self.serial = head.at.serial.checked_add(1).ok_or(FlashError::Serials)?;
            self.taken = page;
        }
        let commits = self.commits(page)?;
        let [first, second] = layout.commits(page).map(|at| self.medium.is_blank::<COMMIT_LEN>(at));
        Ok(match (first?, second?) {
            (true, true) => Role::Left,
            (_, false) if commits != [None; 2] => Role::Last,
            _ => Role::Torn,
        })
    }

    /// Settles what a cut of the power left open, in the order of docs/flash.md 4.
    fn settle(&mut self) -> Result<(), FlashError> {
        let pages = self.medium.layout().pages;
        while self.mark_replaced()? {}
        for page in 0..pages {
            match self.role(page) {
                Role::Torn => self.wipe_if_it_erases(page)?,
                Role::Last => self.link(page)?,
                _ => {}
            }
        }
        for page in 0..pages {
            if self.role(page) == Role::Last
                && let [Some(commit), None] | [None, Some(commit)] = self.commits(page)?
                && let Some(Head { id, .. }) = self.head(page)?
            {
                match self.replace(page, commit, id) {
                    Ok(()) => self.set(page, Role::Replaced),
                    // It holds as it is.
                    Err((FlashError::Lost { .. }, _)) => {}
                    Err((FlashError::Full { .. }, _)) => return Ok(()),
                    Err((error, _)) => return Err(error),
                }
            }
        }
        while let Some(page) = self.oldest_replaced()? {
            self.wipe_if_it_erases(page)?;
        }
        Ok(())
    }

    /// Finds pages that a committed one is in place of; returns whether there were more.
    fn mark_replaced(&mut self) -> Result<bool, FlashError> {
        let mut more = false;
        for page in 0..self.medium.layout().pages {
            // One that is replaced itself was committed.
            if matches!(self.role(page), Role::Last | Role::Replaced)
                && let Some(Head { replaces: Some(old), .. }) = self.head(page)?
                && matches!(self.role(old.page), Role::Last | Role::Torn)
                && self.head(old.page)?.is_some_and(|head| head.at == old)
            {
                self.set(old.page, Role::Replaced);
                more = true;
            }
        }
        Ok(more)
    }

    /// Returns the replaced page that was written first: the others tell that it was replaced.
    fn oldest_replaced(&mut self) -> Result<Option<u16>, FlashError> {
        let mut oldest = None;
        for page in 0..self.medium.layout().pages {
            if self.role(page) == Role::Replaced {
                let serial = self.head(page)?.map(|head| head.at.serial);
                if oldest.is_none_or(|(least, _)| serial < least) {
                    oldest = Some((serial, page));
                }
            }
        }
        Ok(oldest.map(|(_, page)| page))
    }

    /// Marks the pages of the object that ends at `last`; if they are not all there, it is broken.
    fn link(&mut self, last: u16) -> Result<(), FlashError> {
        let mut first = last;
        let mut behind = self.head(last)?;
        while let Some(Head { place, front: Some(front), .. }) = behind {
            let is_free = self.role(front.page) == Role::Left;
            behind = if is_free { self.head(front.page)? } else { None };
            behind = behind.filter(|head| head.at == front && head.place + 1 == place);
            if behind.is_some() {
                self.pages[usize::from(front.page)] = Page { role: Role::Within, next: first };
                first = front.page;
            }
        }
        self.pages[usize::from(last)].next = first;
        if behind.is_none() {
            self.free_chain(last);
            self.set(last, Role::Broken);
        }
        Ok(())
    }

    /// Erases a page; one that does not erase is no reason not to open the region.
    fn wipe_if_it_erases(&mut self, page: u16) -> Result<(), FlashError> {
        match self.wipe(page) {
            Ok(()) | Err(FlashError::Stuck { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
