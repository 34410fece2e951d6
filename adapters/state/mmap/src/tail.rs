//! The tail of the log: rows of one key group in memory, changed in place while nobody shares them.
//!
//! ```text
//! page   := record*
//! record := length u32  room u32  hash u32  content  (room - length) bytes
//! ```

use std::sync::Arc;

/// The rows of a group that lie in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// What was frozen shares pages; a page that is shared is not written to.
    pages: Vec<Arc<Page>>,
    /// What the pages take.
    bytes: usize,
    /// What records take that were not dropped.
    live: usize,
}

/// Bytes that never move: their capacity is fixed.
type Page = Vec<u8>;

impl Tail {
    /// Returns how many bytes the pages take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many bytes the records take that were not dropped.
    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    /// Returns how many bytes of pages what was frozen shares.
    pub(crate) fn shared(&self) -> usize {
        let shared = self.pages.iter().filter(|page| Arc::strong_count(page) > 1);
        shared.map(|page| page.capacity()).sum()
    }

    /// Returns how many bytes more the pages take once a record with that room is appended.
    pub(crate) fn growth(&self, room: usize) -> usize {
        let fits = self.pages.last().is_some_and(|page| {
            Arc::strong_count(page) == 1 && page.capacity() - page.len() >= HEAD_LEN + room
        });
        if fits { 0 } else { self.page_len(room) }
    }

    fn page_len(&self, room: usize) -> usize {
        self.bytes.clamp(PAGE_MIN, PAGE_MAX).max(HEAD_LEN + room)
    }

    /// Appends a record; returns its offset.
    ///
    /// # Panics
    ///
    /// If the content is longer than the room, or 4 GiB long.
    pub(crate) fn append(&mut self, hash: u32, content: &[&[u8]], room: usize) -> u64 {
        let length = content.iter().map(|piece| piece.len()).sum::<usize>();
        assert!(length <= room, "a record has room for its content");
        let [length, room_] =
            [length, room].map(|bytes| u32::try_from(bytes).expect("below 4 GiB"));
        if self.growth(room) > 0 {
            let page = Page::with_capacity(self.page_len(room));
            self.bytes += page.capacity();
            self.pages.push(Arc::new(page));
        }
        let number = self.pages.len() - 1;
        let page = Arc::get_mut(&mut self.pages[number]).expect("a page with room is not shared");
        let at = page.len();
        for field in [length, room_, hash] {
            page.extend_from_slice(&field.to_le_bytes());
        }
        content.iter().for_each(|piece| page.extend_from_slice(piece));
        page.resize(at + HEAD_LEN + room, 0);
        self.live += HEAD_LEN + room;
        (number as u64) << PAGE_BITS | at as u64
    }

    /// Returns the content of the record at `offset`.
    pub(crate) fn content(&self, offset: u64) -> &[u8] {
        let (number, at) = split(offset);
        let page = &self.pages[number];
        let start = at + HEAD_LEN;
        &page[start..start + field(page, at)]
    }

    /// Takes note that nobody names the record at `offset` any more.
    pub(crate) fn drop(&mut self, offset: u64) {
        let (number, at) = split(offset);
        self.live -= HEAD_LEN + field(&self.pages[number], at + 4);
    }

    /// Replaces the content of a record from byte `keep` on; returns whether that was possible.
    pub(crate) fn rewrite(&mut self, offset: u64, keep: usize, rest: &[u8]) -> bool {
        let (number, at) = split(offset);
        let Some(page) = Arc::get_mut(&mut self.pages[number]) else { return false };
        let (length, start) = (keep + rest.len(), at + HEAD_LEN + keep);
        if length > field(page, at + 4) {
            return false;
        }
        page[start..start + rest.len()].copy_from_slice(rest);
        page[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        true
    }

    /// Appends to the content of a record; returns whether there was room.
    pub(crate) fn extend(&mut self, offset: u64, more: &[u8]) -> bool {
        let (number, at) = split(offset);
        let length = field(&self.pages[number], at);
        self.rewrite(offset, length, more)
    }

    /// Returns the hashes of all records ever appended, each once.
    pub(crate) fn hashes(&self) -> Vec<u32> {
        let mut hashes = Vec::new();
        for page in &self.pages {
            let mut at = 0;
            while at < page.len() {
                hashes.push(field(page, at + 8) as u32);
                at += HEAD_LEN + field(page, at + 4);
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }
}

fn split(offset: u64) -> (usize, usize) {
    ((offset >> PAGE_BITS) as usize, (offset & ((1 << PAGE_BITS) - 1)) as usize)
}

fn field(page: &[u8], at: usize) -> usize {
    let bytes = page[at..].first_chunk().expect("a record has a head");
    u32::from_le_bytes(*bytes) as usize
}

/// The bytes in front of the content of a record.
pub(crate) const HEAD_LEN: usize = 12;

/// How many bits of an offset count the bytes within a page: records begin below that.
const PAGE_BITS: u32 = 17;

/// The shortest page.
const PAGE_MIN: usize = 256;

/// The longest page that holds more than one record.
pub(crate) const PAGE_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_again_and_changed_in_place_while_not_shared() {
        let mut tail = Tail::default();
        let one = tail.append(1, &[b"key", b"value"], 10);
        let two = tail.append(2, &[b"other"], 5);
        assert!(tail.rewrite(one, 3, b"longer!"));
        assert!(!tail.rewrite(one, 3, b"too long"));
        assert!(!tail.extend(two, b"x"));
        assert_eq!((tail.content(one), tail.content(two)), (&b"keylonger!"[..], &b"other"[..]));
        let frozen = tail.clone();
        assert!(!tail.rewrite(one, 3, b"short"));
        let three = tail.append(1, &[b"key"], 20);
        assert!(tail.extend(three, b"items"));
        assert_eq!(frozen.content(one), b"keylonger!");
        assert_eq!((tail.shared(), frozen.bytes()), (PAGE_MIN, PAGE_MIN));
        drop(frozen);
        assert!(tail.rewrite(one, 3, b"short"));
        assert_eq!((tail.content(one), tail.content(three)), (&b"keyshort"[..], &b"keyitems"[..]));
        assert_eq!(tail.hashes(), [1, 2]);
        tail.drop(two);
        assert_eq!(tail.live(), HEAD_LEN + 10 + HEAD_LEN + 20);
    }

    #[test]
    fn pages_grow_with_the_tail_and_a_long_record_has_its_own() {
        let mut tail = Tail::default();
        let long = vec![7; 3 * PAGE_MAX];
        let offsets: Vec<_> =
            (0..1000u32).map(|n| tail.append(n, &[&n.to_le_bytes()], 4)).collect();
        let far = tail.append(0, &[&long], long.len());
        assert_eq!(tail.content(far), long);
        for (number, offset) in (0u32..).zip(offsets) {
            assert_eq!(tail.content(offset), number.to_le_bytes());
        }
        assert!(tail.bytes() < 2 * 16_000 + long.len() + 2 * HEAD_LEN, "{}", tail.bytes());
        assert_eq!(tail.hashes().len(), 1000);
    }
}
