//! Rows of CSV in which nothing is quoted, found many at a time.

use crate::input::stream::Stream;

/// Where the cells of the next rows end, as far as all of them is ASCII and nothing is quoted:
/// there a comma ends a cell, a line end a row, and nothing else has a meaning.
///
/// Most rows are such, and the parser takes several times as long for them.
#[derive(Default)]
pub(super) struct PlainRows {
    /// The offset in the input that `ends` count from, and the text that begins there.
    origin: u64,
    text: String,
    /// Where the commas and line ends stand.
    ends: Vec<u32>,
    /// The first of them that is not passed.
    next: usize,
}

/// A row that is at hand with its end.
pub(super) struct PlainRow<'a> {
    /// Its cells, and the commas between them.
    pub(super) text: &'a str,
    /// Where it begins, by the count of `ends`.
    start: u32,
    ends: &'a [u32],
}

impl PlainRow<'_> {
    /// Returns where in the text a cell stands.
    pub(super) fn cell(&self, number: usize) -> (usize, usize) {
        let start = number.checked_sub(1).map_or(self.start, |before| self.ends[before] + 1);
        ((start - self.start) as usize, (self.ends[number] - self.start) as usize)
    }
}

impl PlainRows {
    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.next = 0;
    }

    /// Returns the row that begins with the first unread byte, which is no line end, if it is at
    /// hand, nothing in it is quoted, and it has `width` cells.
    pub(super) fn next(&mut self, stream: &Stream, width: usize) -> Option<PlainRow<'_>> {
        let offset = stream.offset();
        while self.ends.get(self.next).is_some_and(|end| self.origin + u64::from(*end) < offset) {
            self.next += 1;
        }
        if self.ends.len() - self.next < width {
            self.origin = offset;
            self.find(stream.unread());
        }
        let start = u32::try_from(offset - self.origin).ok()?;
        let ends = self.ends.get(self.next..self.next + width)?;
        let (last, others) = ends.split_last()?;
        let text = self.text.as_bytes();
        let ends_row = |end: &u32| text[*end as usize] != b',';
        if !ends_row(last) || others.iter().any(ends_row) {
            return None;
        }
        self.next += width;
        Some(PlainRow { text: &self.text[start as usize..*last as usize], start, ends })
    }

    /// Finds the ends in the first of these bytes, up to the first that is not plain.
    fn find(&mut self, bytes: &[u8]) {
        self.clear();
        let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
        for (at, chunk) in (0..).step_by(8).zip(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            let mut ends = equal(word, b',') | equal(word, b'\n') | equal(word, b'\r');
            let other = equal(word, b'"') | word & HIGH;
            if other != 0 {
                // What stands before the first that is not plain.
                ends &= (other & other.wrapping_neg()) - 1;
            }
            while ends != 0 {
                self.ends.push(at + ends.trailing_zeros() / 8);
                ends &= ends - 1;
            }
            if other != 0 {
                break;
            }
        }
        let plain = self.ends.last().map_or(0, |end| *end as usize + 1);
        self.text.push_str(str::from_utf8(&bytes[..plain]).expect("it is ASCII"));
    }
}

/// Returns the highest bit of each byte of `word` that is `byte`, which is ASCII.
///
/// Bytes with their highest bit set are equal to none. See H. S. Warren, Hacker's Delight, 6-1.
const fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ u64::from_le_bytes([byte; 8]);
    // No carry leaves its byte.
    !(((other & !HIGH) + !HIGH) | other) & HIGH
}

const HIGH: u64 = 0x8080_8080_8080_8080;

/// In how many bytes rows are looked for at once: they and their ends lie in the first cache.
const BYTES_MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_ends(word: [u8; 8]) -> Vec<usize> {
        let found = equal(u64::from_le_bytes(word), b'\n');
        (0..8).filter(|at| found >> (8 * at) & 0xff != 0).collect()
    }

    proptest! {
        #[test]
        fn a_byte_is_found_wherever_it_is_and_no_other(word: [u8; 8], at in 0..8usize) {
            let mut word = word;
            word[at] = b'\n';
            let places = (0..8).filter(|at| word[*at] == b'\n').collect::<Vec<_>>();
            prop_assert_eq!(line_ends(word), places);
        }

        #[test]
        fn plain_rows_and_others_are_read_as_the_csv_crate_reads_them(
            rows in prop::collection::vec(row(), 0..50),
            last in "\r?\n?",
        ) {
            let text = format!("k,n,t\n{}{last}", rows.concat());
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
            let whole = reader.byte_records().map(|row| row.unwrap()).filter_map(|row| {
                let cells = row.iter().map(|cell| str::from_utf8(cell).ok().map(str::to_owned));
                cells.collect::<Option<Vec<_>>>().filter(|cells| cells.len() == 3)
            });
            prop_assert_eq!(crate::input::tests::rows(&text), whole.collect::<Vec<_>>());
        }
    }

    /// Some rows, most of them plain and of three cells.
    fn row() -> impl Strategy<Value = String> {
        let plain = "[a-z]{0,9},[0-9]{0,3},[ -!#-+\\--~]{0,40}(\r?\n|\r)";
        prop_oneof![
            20 => plain,
            1 => "[a-z\u{e9}]{0,3},[0-9]{0,2},\"[a-z,\n]{0,6}\"\n",
            1 => "[a-z\u{e9}]{1,3},,\u{e9}\n",
            1 => "[a-z]{1,3}(,[a-z]){0,4}\n",
            1 => "[a-z]{3},1,x\n".prop_map(|row| "y".repeat(5000) + &row),
        ]
    }
}
