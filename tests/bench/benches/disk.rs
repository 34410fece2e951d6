//! State on disk: what an increment writes, what is resident, and how soon a restored state reads.
//!
//! `cargo bench -p holdwater-bench --bench disk -- ROWS` fills ROWS rows of 1 KiB (a million unless
//! said) under a budget of 1 GiB, or a quarter of the rows if that is less. The disk needs room for
//! twice the rows, in the directory that `TMPDIR` names.

#![allow(clippy::unwrap_used, reason = "a measurement that fails says why")]

use std::time::Instant;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Descriptor, State, States, Value, Visitor};
use holdwater_bench::checkpoint::{freeze_state, save};
use holdwater_bench::{Sequence, scatter};
use holdwater_files::Files;
use holdwater_heap::Heap;
use holdwater_mmap::{Mmap, MmapError, MmapValue};

const GROUPS: u16 = 128;

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    // First: what other work leaves behind is resident too.
    larger_than_memory(asked.unwrap_or(1 << 20));
    increments();
}

/// Changes one row in a hundred of a million with keys of 16 bytes and values of 100.
fn increments() {
    let groups = KeyGroups::all(GROUPS);
    let directory = tempfile::tempdir().unwrap();
    let mut mmap = Mmap::new(groups, directory.path()).with_budget(256 << 20);
    println!(
        "\nbytes of an increment after 1 % of a million rows changed, of those of a full one:"
    );
    report("heap", increment(&mut Heap::new(groups)), 3.0);
    report("mmap", increment(&mut mmap), 6.0);
}

fn report(store: &str, share: f64, limit: f64) {
    println!("{store}: {share:.2} %, at most {limit} %");
    assert!(share <= limit, "{store} writes {share} %");
}

fn increment<B: Backend>(store: &mut B) -> f64 {
    const ROWS: u64 = 1_000_000;
    let groups = store.groups();
    let key = |row: u64| (scatter(row), row);
    let value = |row: u64| (std::array::from_fn(|part| scatter(row ^ part as u64)), 7);
    let descriptor = Descriptor::<(u64, u64), ([u64; 12], u32)>::new("state");
    let mut state = store.value(descriptor).unwrap();
    for row in 0..ROWS {
        state.put(groups.locate::<(u64, u64)>(key(row)), value(row)).unwrap();
    }
    let full = save(&freeze_state(&mut state, 1, None).unwrap());
    state.completed(1);
    let mut sequence = Sequence::new(1);
    for round in 0..ROWS / 100 {
        let row = sequence.below(ROWS);
        state.put(groups.locate::<(u64, u64)>(key(row)), value(row + round)).unwrap();
    }
    let delta = save(&freeze_state(&mut state, 2, Some(1)).unwrap());
    delta as f64 * 100.0 / full as f64
}

/// A row of 1 KiB.
type Page = [[u64; 16]; 8];

fn page(row: u64) -> Page {
    [[scatter(row); 16]; 8]
}

/// Fills a state, saves it, restores it, and reads and changes rows anywhere in it.
fn larger_than_memory(rows: u64) {
    let (groups, bytes) = (KeyGroups::all(GROUPS), rows << 10);
    let budget = (bytes / 4).min(1 << 30);
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let mut store = Mmap::new(groups, directory.path()).with_budget(budget);
        let state = Sole(store.value::<u64, Page>(Descriptor::new("pages")).unwrap());
        (store, state)
    };
    let mut most = Resident::now();
    println!("{} MiB of rows, {} MiB of memory:", bytes >> 20, budget >> 20);
    let (store, mut state) = open();
    let mut solo = solo(&directory, &mut state);
    for row in 0..rows {
        state.0.put(groups.locate::<u64>(scatter(row)), page(row)).unwrap();
        most.sample(row);
    }
    solo.checkpoint(&mut state, b"", 0).unwrap();
    most.sample(0);
    drop((solo, state, store));

    let begun = Instant::now();
    let (store, mut state) = open();
    let mut solo = self::solo(&directory, &mut state);
    let opened = begun.elapsed();
    let read = state.0.get(groups.locate::<u64>(scatter(rows / 2))).unwrap();
    let read = read.map(|value| *value);
    println!("restore {opened:.1?}, with the first read {:.1?}", begun.elapsed());
    assert_eq!(read, Some(page(rows / 2)));

    let mut sequence = Sequence::new(2);
    for number in 0..rows / 10 {
        let row = sequence.below(rows);
        let changed = state.0.update(
            groups.locate::<u64>(scatter(row)),
            || [[0; 16]; 8],
            |value| {
                assert_eq!(value[0], page(row)[0]);
                value[7][15] = number;
            },
        );
        changed.unwrap();
        most.sample(number);
    }
    solo.checkpoint(&mut state, b"", 0).unwrap();
    most.sample(0);
    let Resident { own, files } = most;
    println!("store {} MiB in the end", store.memory() >> 20);
    println!("most resident: {} MiB of its own, {} MiB of clean files", own >> 10, files >> 10);
    assert!(own << 10 <= budget + budget / 2, "more than one and a half of the budget is resident");
}

fn solo(directory: &tempfile::TempDir, state: &mut Sole) -> Solo<Files> {
    let config = Config { retain: 1, full_every: 10 };
    let job = SoloJob { id: 1, operator: "bench".into(), key_groups: GROUPS, config };
    let files = Files::open(directory.path().join("checkpoints")).unwrap();
    Solo::open(files, job, state).unwrap()
}

/// An operator with one state.
struct Sole(MmapValue<u64, Page>);

impl States for Sole {
    type Error = MmapError;

    fn each<V: Visitor<MmapError>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)
    }
}

/// The most KiB that were resident: what only this process has, and pages of files.
struct Resident {
    own: u64,
    files: u64,
}

impl Resident {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let of = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap()
        };
        Self { own: of("RssAnon:") + of("RssShmem:"), files: of("RssFile:") }
    }

    /// Looks now and then.
    fn sample(&mut self, number: u64) {
        if number.is_multiple_of(1 << 14) {
            let now = Self::now();
            (self.own, self.files) = (self.own.max(now.own), self.files.max(now.files));
        }
    }
}
