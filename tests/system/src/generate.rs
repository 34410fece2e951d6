//! Rows that follow from a seed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::expected::Expected;
use crate::rows::Rows;

/// The columns of generated rows: a key, a second one of few values, whole numbers, multiples of a
/// quarter (whose sums are exact in any order), and words; the last three are empty at times.
pub const COLUMNS: [&str; 5] = ["key", "shop", "amount", "price", "word"];

/// Numbers that follow from a seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins the sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns one of `choices`.
    pub fn choose<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % limit
    }
}

/// Returns rows of [`COLUMNS`], of at most so many keys; low keys are frequent.
pub fn rows(seed: u64, count: u64, keys: u64) -> Rows {
    let mut random = Random::new(seed);
    let mut rows = Rows::new(&COLUMNS);
    rows.rows = (0..count).map(|_| row(&mut random, keys).to_vec()).collect();
    rows
}

/// Writes such rows to a CSV file and adds them to what is expected of them.
pub fn write_rows(path: &Path, seed: u64, count: u64, keys: u64, expected: &mut Expected) {
    let mut random = Random::new(seed);
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "{}", COLUMNS.join(",")).unwrap();
    for _ in 0..count {
        let row = row(&mut random, keys);
        writeln!(file, "{}", row.join(",")).unwrap();
        expected.add(&row);
    }
    file.into_inner().unwrap();
}

fn row(random: &mut Random, keys: u64) -> [String; 5] {
    let bound = random.below(keys) + 1;
    let key = format!("k{}", random.below(bound));
    let shop = format!("s{}", random.below(5));
    // One of so many is empty.
    let mut unless_empty = |one_of: u64, cell: fn(&mut Random) -> String| {
        if random.below(one_of) == 0 { String::new() } else { cell(random) }
    };
    let amount = unless_empty(10, |random| (random.below(20_001) as i64 - 10_000).to_string());
    let price = unless_empty(20, |random| {
        let (whole, part) = (random.below(500), random.below(3));
        format!("{whole}.{}", ["25", "5", "75"][part as usize])
    });
    let word =
        unless_empty(5, |random| WORDS[random.below(WORDS.len() as u64) as usize].to_owned());
    [key, shop, amount, price, word]
}

const WORDS: [&str; 12] = [
    "anchor", "bilge", "cleat", "dinghy", "ensign", "fender", "galley", "halyard", "jib", "keel",
    "luff", "mast",
];
