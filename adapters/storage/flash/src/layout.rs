//! Where what stands on a page (docs/flash.md 2).

use embedded_storage::nor_flash::NorFlash;
use holdwater::codec::Reader;
use holdwater::page::{Checksum, Compact};
use holdwater::storage::{ObjectId, ObjectKind};

use crate::FlashError;

/// What an erased byte reads as.
pub(crate) const ERASED: u8 = 0xff;
/// The length of a head, and of the longest word: what is read and programmed at a time.
pub(crate) const HEAD_LEN: usize = 64;
/// The length of a commit, and of the mark of a retired page.
pub(crate) const COMMIT_LEN: usize = 16;
/// What a retired page is marked with.
pub(crate) const RETIRED: [u8; COMMIT_LEN] = *b"holdwater: bad\r\n";

const MAGIC: [u8; 3] = *b"\x8dHF";
const VERSION: u8 = 1;
/// Stands for no page.
const NO_PAGE: u16 = u16::MAX;
const PAGE_MIN: usize = 256;

/// The geometry of a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// How many pages there are.
    pub(crate) pages: u16,
    page_len: u32,
    word: u32,
}

impl Layout {
    /// Takes the geometry of a driver, if it has `most` pages at most.
    pub(crate) fn of<F: NorFlash>(flash: &F, most: usize) -> Result<Self, FlashError> {
        let (word, page_len) = (F::WRITE_SIZE, F::ERASE_SIZE);
        let is_word = |size: usize| size.is_power_of_two() && size <= HEAD_LEN;
        if !is_word(word) || !is_word(F::READ_SIZE) {
            return Err(FlashError::Word { write: word, read: F::READ_SIZE });
        }
        if page_len < PAGE_MIN || page_len % HEAD_LEN != 0 {
            return Err(FlashError::Page { bytes: page_len });
        }
        let pages = flash.capacity() / page_len;
        let limit = most.min(usize::from(NO_PAGE) - 1);
        if pages < 2 || pages > limit {
            return Err(FlashError::Pages { pages, limit });
        }
        let page_len = u32::try_from(page_len).map_err(|_| FlashError::Page { bytes: page_len })?;
        Ok(Self { pages: pages as u16, page_len, word: word as u32 })
    }

    /// Returns the length of a page.
    pub(crate) const fn page_len(&self) -> u32 {
        self.page_len
    }

    /// Returns the length of a word.
    pub(crate) const fn word(&self) -> usize {
        self.word as usize
    }

    /// Returns how many bytes of an object a page holds.
    pub(crate) const fn payload_len(&self) -> u32 {
        self.page_len - HEAD_LEN as u32 - 3 * self.cell()
    }

    /// Returns where a page begins.
    pub(crate) fn page(&self, page: u16) -> u32 {
        u32::from(page) * self.page_len
    }

    /// Returns where the payload of a page begins.
    pub(crate) fn payload(&self, page: u16) -> u32 {
        self.page(page) + HEAD_LEN as u32
    }

    /// Returns where the two commits of a page stand.
    pub(crate) fn commits(&self, page: u16) -> [u32; 2] {
        let end = self.page(page) + self.page_len;
        [end - 3 * self.cell(), end - 2 * self.cell()]
    }

    /// Returns where the mark of a retired page stands.
    pub(crate) fn mark(&self, page: u16) -> u32 {
        self.page(page) + self.page_len - self.cell()
    }

    /// Returns the room of a commit or a mark.
    const fn cell(&self) -> u32 {
        (COMMIT_LEN as u32).next_multiple_of(self.word)
    }
}

/// A page, and the serial that it was written with: no other content ever had both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) page: u16,
    pub(crate) serial: u32,
}

/// What a page is a part of (docs/flash.md 2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) at: Link,
    pub(crate) id: ObjectId,
    /// How many pages of the object are in front.
    pub(crate) place: u32,
    /// The page in front.
    pub(crate) front: Option<Link>,
    /// The page that this one is in place of, once it is committed.
    pub(crate) replaces: Option<Link>,
}

impl Head {
    pub(crate) fn encode(&self, layout: &Layout) -> [u8; HEAD_LEN] {
        let page = |link: &Option<Link>| link.map_or(NO_PAGE, |link| link.page).to_le_bytes();
        let serial = |link: &Option<Link>| link.map_or(0, |link| link.serial).to_le_bytes();
        let Self { at, id, place, front, replaces } = self;
        let mut bytes = [0; HEAD_LEN];
        let mut rest = &mut bytes[..];
        for field in [
            &MAGIC[..],
            &[VERSION],
            &layout.page_len.to_le_bytes(),
            &(layout.word as u16).to_le_bytes(),
            &at.page.to_le_bytes(),
            &at.serial.to_le_bytes(),
            &place.to_le_bytes(),
            &page(front),
            &page(replaces),
            &serial(front),
            &serial(replaces),
            &id.checkpoint.to_le_bytes(),
            &id.epoch.to_le_bytes(),
            &id.attempt.to_le_bytes(),
            &id.part.to_le_bytes(),
            &[code(id.kind), 0, 0, 0],
        ] {
            let (free, behind) = rest.split_at_mut(field.len());
            free.copy_from_slice(field);
            rest = behind;
        }
        let crc = checksum(&bytes[..HEAD_LEN - 4]);
        bytes[HEAD_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the head of `page`; none if there is none, an error if it is one of a region that
    /// this program does not read.
    pub(crate) fn decode(
        bytes: &[u8; HEAD_LEN],
        layout: &Layout,
        page: u16,
    ) -> Result<Option<Self>, FlashError> {
        let (covered, crc) = bytes.split_at(HEAD_LEN - 4);
        if bytes[..3] != MAGIC || checksum(covered).to_le_bytes() != *crc {
            return Ok(None);
        }
        if bytes[3] != VERSION {
            return Err(FlashError::Version(bytes[3]));
        }
        let mut reader = Reader::new(&covered[4..]);
        let fields = (|| {
            let geometry = (reader.u32()?, reader.u16()?);
            let (number, serial, place) = (reader.u16()?, reader.u32()?, reader.u32()?);
            let pages = [reader.u16()?, reader.u16()?];
            let serials = [reader.u32()?, reader.u32()?];
            let id = ObjectId {
                checkpoint: reader.u64()?,
                epoch: reader.u64()?,
                attempt: reader.u32()?,
                part: reader.u32()?,
                kind: ObjectKind::Data,
            };
            let kind = kind(reader.byte()?);
            let [front, replaces] = [0, 1].map(|link| {
                let (page, serial) = (pages[link], serials[link]);
                (page != NO_PAGE).then_some(Link { page, serial })
            });
            Ok::<_, holdwater::error::Malformed>((
                geometry, number, serial, place, id, kind, front, replaces,
            ))
        })();
        let Ok((geometry, number, serial, place, id, Some(kind), front, replaces)) = fields else {
            return Ok(None);
        };
        if geometry != (layout.page_len, layout.word as u16) || number != page {
            return Err(FlashError::Geometry { page: geometry.0, word: geometry.1, number });
        }
        let inside = |link: Option<Link>| link.is_none_or(|link| link.page < layout.pages);
        if !inside(front) || !inside(replaces) || front.is_none() != (place == 0) {
            return Ok(None);
        }
        let id = ObjectId { kind, ..id };
        Ok(Some(Self { at: Link { page, serial }, id, place, front, replaces }))
    }
}

/// That an object ends with this page (docs/flash.md 2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Commit {
    /// How many bytes of the object stand in the payload of the page.
    pub(crate) used: u32,
    /// Their checksum.
    pub(crate) crc: u32,
}

impl Commit {
    pub(crate) fn encode(&self, head: &[u8; HEAD_LEN]) -> [u8; COMMIT_LEN] {
        let mut bytes = [0; COMMIT_LEN];
        bytes[..4].copy_from_slice(&self.used.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.crc.to_le_bytes());
        let crc = Compact.of([&head[HEAD_LEN - 4..], &bytes[..12], &[], &[]]);
        bytes[12..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a commit, if it is sound and that of a page with this head.
    pub(crate) fn decode(
        bytes: &[u8; COMMIT_LEN],
        head: &[u8; HEAD_LEN],
        layout: &Layout,
    ) -> Option<Self> {
        let word = |at: usize| bytes[at..].first_chunk().copied().map(u32::from_le_bytes);
        let commit = Self { used: word(0)?, crc: word(4)? };
        let sound = commit.encode(head) == *bytes && commit.used <= layout.payload_len();
        sound.then_some(commit)
    }
}

/// Returns the CRC-32C of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    Compact.extend(0, bytes)
}

const fn code(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Data => 1,
        ObjectKind::Manifest => 2,
        ObjectKind::Claim => 3,
        ObjectKind::Record => 4,
        ObjectKind::Draft => 5,
    }
}

const fn kind(code: u8) -> Option<ObjectKind> {
    match code {
        1 => Some(ObjectKind::Data),
        2 => Some(ObjectKind::Manifest),
        3 => Some(ObjectKind::Claim),
        4 => Some(ObjectKind::Record),
        5 => Some(ObjectKind::Draft),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { pages: 8, page_len: 512, word: 4 };

    fn head() -> Head {
        Head {
            at: Link { page: 3, serial: 77 },
            id: ObjectId::data(5, 2, 1, 9),
            place: 1,
            front: Some(Link { page: 2, serial: 76 }),
            replaces: None,
        }
    }

    #[test]
    fn a_head_reads_back_as_it_was_written_and_no_other_way() {
        for id in [ObjectId::data(5, 2, 1, 9), ObjectId::draft(5, 2), ObjectId::claim(1)] {
            let head = Head { id, replaces: Some(Link { page: 7, serial: 70 }), ..head() };
            let bytes = head.encode(&LAYOUT);
            assert_eq!(Head::decode(&bytes, &LAYOUT, 3), Ok(Some(head)));
            for bit in 0..HEAD_LEN * 8 {
                let mut bytes = bytes;
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Head::decode(&bytes, &LAYOUT, 3), Ok(None), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_head_of_a_newer_version_or_of_another_geometry_is_refused_and_not_passed_over() {
        let mut newer = head().encode(&LAYOUT);
        newer[3] = 2;
        let crc = checksum(&newer[..HEAD_LEN - 4]);
        newer[HEAD_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Head::decode(&newer, &LAYOUT, 3), Err(FlashError::Version(2)));
        let bytes = head().encode(&LAYOUT);
        let moved = FlashError::Geometry { page: 512, word: 4, number: 3 };
        assert_eq!(Head::decode(&bytes, &LAYOUT, 4), Err(moved));
        let other = Layout { word: 8, ..LAYOUT };
        assert_eq!(Head::decode(&bytes, &other, 3), Err(moved));
    }

    #[test]
    fn a_commit_is_that_of_one_head() {
        let bytes = head().encode(&LAYOUT);
        let commit = Commit { used: 100, crc: 5 };
        let encoded = commit.encode(&bytes);
        assert_eq!(Commit::decode(&encoded, &bytes, &LAYOUT), Some(commit));
        let other = Head { at: Link { page: 3, serial: 78 }, ..head() }.encode(&LAYOUT);
        assert_eq!(Commit::decode(&encoded, &other, &LAYOUT), None);
        let beyond = Commit { used: LAYOUT.payload_len() + 1, crc: 5 }.encode(&bytes);
        assert_eq!(Commit::decode(&beyond, &bytes, &LAYOUT), None);
    }

    #[test]
    fn nothing_on_a_page_overlaps_whatever_the_word() {
        for word in [1, 2, 4, 8, 16, 32, 64] {
            let layout = Layout { word, page_len: 320, pages: 2 };
            let [first, second] = layout.commits(1);
            assert_eq!(layout.payload(1) + layout.payload_len(), first);
            assert!(second - first >= 16 && layout.mark(1) - second >= 16);
            assert!(640 - layout.mark(1) >= 16);
            for at in [layout.payload(1), first, second, layout.mark(1)] {
                assert_eq!(at % word, 0);
            }
        }
    }
}
