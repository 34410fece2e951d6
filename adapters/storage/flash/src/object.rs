//! Objects: written page by page, committed, replaced, read (docs/flash.md 3).

use embedded_storage::nor_flash::NorFlash;
use holdwater::page::{Checksum, Compact};
use holdwater::storage::ObjectId;

use crate::FlashError;
use crate::flash::{Flash, Page, Role};
use crate::layout::{Commit, HEAD_LEN, Head, Link};
use crate::medium::Failed;

/// An object that is being written.
#[derive(Debug)]
pub struct NewObject {
    /// The head of the page that is being written.
    head: Head,
    /// How many bytes of its payload are programmed: whole words.
    used: u32,
    /// The checksum of these.
    crc: u32,
    /// What does not make a word yet.
    tail: [u8; HEAD_LEN],
    tail_len: usize,
    /// Whether a commit may stand on the flash.
    is_committing: bool,
}

impl<F: NorFlash, const P: usize> Flash<F, P> {
    /// Begins an object.
    pub(crate) fn begin(&mut self, id: ObjectId) -> Result<NewObject, FlashError> {
        self.begin_page(Head {
            at: Link { page: 0, serial: 0 },
            id,
            place: 0,
            front: None,
            replaces: None,
        })
    }

    /// Appends `bytes`: programs whole words, and keeps what is left over.
    pub(crate) fn append(
        &mut self,
        object: &mut NewObject,
        mut bytes: &[u8],
    ) -> Result<(), FlashError> {
        let (word, room) = (self.medium.layout().word(), self.medium.layout().payload_len());
        while !bytes.is_empty() {
            if object.used == room {
                self.turn_page(object)?;
            }
            if object.tail_len > 0 || bytes.len() < word {
                let (now, later) = bytes.split_at(bytes.len().min(word - object.tail_len));
                object.tail[object.tail_len..][..now.len()].copy_from_slice(now);
                object.tail_len += now.len();
                bytes = later;
                if object.tail_len == word {
                    let tail = object.tail;
                    self.fill(object, &tail[..word])?;
                    object.tail_len = 0;
                }
            } else {
                let whole = bytes.len() - bytes.len() % word;
                let (now, later) = bytes.split_at(whole.min((room - object.used) as usize));
                self.fill(object, now)?;
                bytes = later;
            }
        }
        Ok(())
    }

    /// Ends an object: when this returns, there is one, whatever happens.
    pub(crate) fn commit(&mut self, object: &mut NewObject) -> Result<(), FlashError> {
        self.check_current(object)?;
        object.is_committing = true;
        while let Err(failed) = self.program_end(object) {
            self.move_page(object, failed)?;
        }
        self.set(object.head.at.page, Role::Last);
        Ok(())
    }

    /// Puts another last page in the place of `old`, which ends with `commit`: for the same object,
    /// or for one of another `id`. The old one is to be erased then.
    ///
    /// On failure the old one holds, unless the flag says that the new one may.
    pub(crate) fn replace(
        &mut self,
        old: u16,
        commit: Commit,
        id: ObjectId,
    ) -> Result<(), (FlashError, bool)> {
        let sure = |error| (error, false);
        let lost = FlashError::Lost { page: old };
        let head = self.head(old).map_err(sure)?.ok_or(sure(lost))?;
        let head = Head { id, replaces: Some(head.at), ..head };
        let mut object = self.begin_copy(head, old, commit.used).map_err(sure)?;
        let is_whole = object.checksum() == commit.crc;
        let ended = if is_whole { self.commit(&mut object) } else { Err(lost) };
        let page = object.head.at.page;
        match ended {
            Ok(()) => {
                self.relink(old, page, head.front);
                Ok(())
            }
            Err(error) => {
                if self.role(page) == Role::Writing {
                    self.set(page, Role::Left);
                }
                Err((error, object.is_committing))
            }
        }
    }

    /// Removes the object that ends at `last`.
    pub(crate) fn remove_at(&mut self, last: u16) -> Result<(), FlashError> {
        let is_chain = self.role(last) != Role::Broken;
        let wiped = self.wipe(last);
        if is_chain && !matches!(wiped, Err(FlashError::Driver(_))) {
            self.free_chain(last);
        }
        wiped
    }

    /// Returns the length of the object that ends at `last`.
    pub(crate) fn length_at(&mut self, last: u16) -> Result<u64, FlashError> {
        let place = self.head(last)?.map_or(0, |head| head.place);
        let used = self.commits(last)?.into_iter().flatten().next().map_or(0, |commit| commit.used);
        Ok(u64::from(place) * u64::from(self.medium.layout().payload_len()) + u64::from(used))
    }

    /// Reads of the object that ends at `last`; nothing of one that is broken.
    pub(crate) fn read_at(
        &mut self,
        last: u16,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FlashError> {
        let left = self.length_at(last)?.saturating_sub(offset);
        if self.role(last) != Role::Last || left == 0 {
            return Ok(0);
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let room = u64::from(self.medium.layout().payload_len());
        let mut page = self.pages[usize::from(last)].next;
        for _ in 0..offset / room {
            page = self.pages[usize::from(page)].next;
        }
        let (mut skip, mut rest) = ((offset % room) as u32, &mut buffer[..count]);
        while !rest.is_empty() {
            let now = rest.len().min(room as usize - skip as usize);
            let (place, behind) = rest.split_at_mut(now);
            self.medium.read(self.medium.layout().payload(page) + skip, place)?;
            (rest, skip, page) = (behind, 0, self.pages[usize::from(page)].next);
        }
        Ok(count)
    }

    /// Takes a page and programs its head, which is given but for place and serial.
    fn begin_page(&mut self, head: Head) -> Result<NewObject, FlashError> {
        let mut why = None;
        loop {
            let page = self.take_page(&mut why)?;
            let at = Link { page, serial: self.serial };
            self.serial = self.serial.checked_add(1).ok_or(FlashError::Serials)?;
            let head = Head { at, ..head };
            let bytes = head.encode(self.medium.layout());
            match self.medium.program(self.medium.layout().page(page), &bytes) {
                Ok(()) => {
                    self.pages[usize::from(page)] = Page { role: Role::Writing, next: page };
                    let (tail, is_committing) = ([0; HEAD_LEN], false);
                    return Ok(NewObject {
                        head,
                        used: 0,
                        crc: 0,
                        tail,
                        tail_len: 0,
                        is_committing,
                    });
                }
                Err(failed) => self.pass_over(page, failed, &mut why),
            }
        }
    }

    /// Takes the next page that belongs to no object, and erases it.
    ///
    /// Where there is none, `why` a driver failed is told first.
    fn take_page(&mut self, why: &mut Option<FlashError>) -> Result<u16, FlashError> {
        let pages = self.medium.layout().pages;
        for _ in 0..pages {
            self.taken = if self.taken + 1 < pages { self.taken + 1 } else { 0 };
            let page = self.taken;
            match self.role(page) {
                Role::Blank => return Ok(page),
                Role::Left => match self.medium.erase(page) {
                    Ok(()) => return Ok(page),
                    Err(failed) => self.pass_over(page, failed, why),
                },
                _ => {}
            }
        }
        let bad = self.free_pages().1 as u16;
        Err(why.unwrap_or(FlashError::Full { pages, bad }))
    }

    /// Retires a page that nothing counts on. Unmarked, it is found again after the next start.
    fn pass_over(&mut self, page: u16, failed: Failed, why: &mut Option<FlashError>) {
        if let Err(error @ FlashError::Driver(_)) = self.retire(page, failed) {
            *why = Some(error);
        }
    }

    /// Goes on with the next page; the one so far is full.
    fn turn_page(&mut self, object: &mut NewObject) -> Result<(), FlashError> {
        self.check_current(object)?;
        let full = object.head.at;
        let place = object.head.place + 1;
        let next = self.begin_page(Head { place, front: Some(full), ..object.head })?;
        let first = self.pages[usize::from(full.page)].next;
        let page = next.head.at.page;
        self.pages[usize::from(full.page)] = Page { role: Role::Within, next: page };
        self.pages[usize::from(page)].next = first;
        (object.head, object.used, object.crc) = (next.head, 0, 0);
        Ok(())
    }

    /// Programs whole words behind what is there; moves to another page if this one fails.
    fn fill(&mut self, object: &mut NewObject, words: &[u8]) -> Result<(), FlashError> {
        self.check_current(object)?;
        loop {
            let at = self.medium.layout().payload(object.head.at.page) + object.used;
            match self.medium.program(at, words) {
                Ok(()) => break,
                Err(failed) => self.move_page(object, failed)?,
            }
        }
        object.used += words.len() as u32;
        object.crc = Compact.extend(object.crc, words);
        Ok(())
    }

    /// Programs what is left over of a word, and both commits.
    fn program_end(&mut self, object: &NewObject) -> Result<(), Failed> {
        let layout = *self.medium.layout();
        let page = object.head.at.page;
        let tail = &object.tail[..object.tail_len];
        let used = object.used + tail.len() as u32;
        let commit = Commit { used, crc: object.checksum() };
        let bytes = commit.encode(&object.head.encode(&layout));
        if !tail.is_empty() {
            self.medium.program_padded(layout.payload(page) + object.used, tail)?;
        }
        let [first, second] = layout.commits(page);
        self.medium.program_padded(first, &bytes)?;
        self.medium.program_padded(second, &bytes)
    }

    /// Moves what is written of a page that failed to another one.
    fn move_page(&mut self, object: &mut NewObject, failed: Failed) -> Result<(), FlashError> {
        let old = object.head.at;
        let replaces = object.head.replaces.or(Some(old));
        let copy = self.begin_copy(Head { replaces, ..object.head }, old.page, object.used)?;
        if copy.crc != object.crc {
            self.set(copy.head.at.page, Role::Left);
            return Err(FlashError::Lost { page: old.page });
        }
        self.relink(old.page, copy.head.at.page, object.head.front);
        object.head = copy.head;
        // Unmarked, it holds no commit that would count: it is replaced, or takes nothing at all.
        let _ = self.retire(old.page, failed);
        Ok(())
    }

    /// Begins a page with the first `used` bytes of the payload of another.
    fn begin_copy(&mut self, head: Head, from: u16, used: u32) -> Result<NewObject, FlashError> {
        let layout = *self.medium.layout();
        let whole = used - used % layout.word() as u32;
        'page: loop {
            let mut copy = self.begin_page(head)?;
            let page = copy.head.at.page;
            for offset in (0..whole).step_by(HEAD_LEN) {
                let mut words = [0; HEAD_LEN];
                let words = &mut words[..HEAD_LEN.min((whole - offset) as usize)];
                self.medium.read(layout.payload(from) + offset, words)?;
                if let Err(failed) = self.medium.program(layout.payload(page) + offset, words) {
                    self.pass_over(page, failed, &mut None);
                    continue 'page;
                }
                copy.used += words.len() as u32;
                copy.crc = Compact.extend(copy.crc, words);
            }
            copy.tail_len = (used - whole) as usize;
            self.medium.read(layout.payload(from) + whole, &mut copy.tail[..copy.tail_len])?;
            return Ok(copy);
        }
    }

    /// Puts `new` where `old` stood in the chain of its object.
    fn relink(&mut self, old: u16, new: u16, front: Option<Link>) {
        let Some(Link { page: front, .. }) = front else { return };
        // One that replaces another stands in no chain until it is committed.
        if self.pages[usize::from(front)].next == old {
            self.pages[usize::from(new)].next = self.pages[usize::from(old)].next;
            self.pages[usize::from(front)].next = new;
        }
    }

    /// Refuses to go on with an object that was removed meanwhile.
    fn check_current(&mut self, object: &NewObject) -> Result<(), FlashError> {
        let Head { at, .. } = object.head;
        let is_ours = self.role(at.page) == Role::Writing
            && self.head(at.page)?.is_some_and(|head| head.at == at);
        if is_ours { Ok(()) } else { Err(FlashError::Stale) }
    }
}

impl NewObject {
    /// Returns the checksum of what is written of the page, the tail included.
    fn checksum(&self) -> u32 {
        Compact.extend(self.crc, &self.tail[..self.tail_len])
    }

    /// Returns whether a commit may stand on the flash, though it failed.
    pub(crate) const fn is_committing(&self) -> bool {
        self.is_committing
    }
}
