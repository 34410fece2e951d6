//! RocksDB: what a checkpoint that keeps its files writes, and what a change of tasks does.
//!
//! `cargo bench --profile dev -p holdwater-bench --features rocksdb --bench rocksdb -- MIB` fills
//! MIB mebibytes of rows (2,048 unless said). Bytes are what counts, and RocksDB is compiled with
//! optimisations in every profile: this one shares it with the tests. The disk needs room for three
//! times the rows, in the directory that `TMPDIR` names.

#![allow(clippy::unwrap_used, reason = "a measurement that fails says why")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use holdwater::checkpoint::{
    Command, Config, Coordinator, Job, OperatorShape, Performer, Recovered, RestorePolicy, Target,
    TaskId, load, save,
};
use holdwater::key::{HASH_FUNCTION, KeyGroups};
use holdwater::manifest::{CheckpointKind, Manifest};
use holdwater::snapshot::freeze;
use holdwater::state::{Backend, Cut, State, States, Value};
use holdwater_bench::{Sequence, scatter};
use holdwater_bytes::Bytes;
use holdwater_files::Files;
use holdwater_rocksdb::{Memory, RocksDb, RocksDbOptions};
use rocksdb::checkpoint::Checkpoint;

const GROUPS: u16 = 128;
const OPERATOR: &str = "bench";
const MEMORY: usize = 256 << 20;

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    increment();
    rescale(asked.unwrap_or(2048));
}

/// A key of 16 bytes, and a value of 100.
type Key = (u64, u64);
type Small = ([u64; 12], u32);
/// A value of 1 KiB.
type Page = [[u64; 16]; 8];

holdwater::states! {
    struct Smalls<B> {
        rows: Value<(u64, u64), ([u64; 12], u32)>,
    }
}

holdwater::states! {
    struct Pages<B> {
        rows: Value<u64, [[u64; 16]; 8]>,
    }
}

fn key(row: u64) -> Key {
    (scatter(row), row)
}

fn small(row: u64) -> Small {
    (std::array::from_fn(|part| scatter(row << 4 | part as u64)), 7)
}

/// Nothing that compression could take hold of.
fn page(row: u64) -> Page {
    std::array::from_fn(|line| {
        std::array::from_fn(|part| scatter(row << 7 | (line << 4 | part) as u64))
    })
}

/// Changes one row in a hundred of a million, here and in a database beside it.
fn increment() {
    const ROWS: u64 = 1_000_000;
    let directory = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::<Smalls<Store>>::begin(directory.path(), Smalls::open);
    let peer = Peer::open(&directory.path().join("peer"));
    let groups = KeyGroups::all(GROUPS);
    let put = |fleet: &mut Fleet<Smalls<Store>>, row: u64, content: Small| {
        let at = groups.locate::<Key>(key(row));
        peer.put(at.group().index(), key(row), &content);
        fleet.tasks[0].rows.put(at, content).unwrap();
    };
    (0..ROWS).for_each(|row| put(&mut fleet, row, small(row)));
    fleet.checkpoint();
    let (full, _) = (fleet.bytes(), peer.checkpoint("first"));
    let mut sequence = Sequence::new(1);
    for round in 0..ROWS / 100 {
        put(&mut fleet, sequence.below(ROWS), small(ROWS + round));
    }
    let before = fleet.bytes();
    fleet.checkpoint();
    let (ours, theirs) = (fleet.bytes_but(&before), peer.checkpoint("second"));
    let full: u64 = full.iter().map(|(_, length)| length).sum();
    println!("1 % of a million rows changed; a full checkpoint is {} KiB:", full >> 10);
    println!("written {} KiB, added by RocksDB's own checkpoint {} KiB", ours >> 10, theirs >> 10);
    assert!(ours <= theirs, "more than RocksDB alone");
}

/// Fills one task, and goes on as two, and as three.
fn rescale(mebibytes: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::<Pages<Store>>::begin(directory.path(), Pages::open);
    let groups = KeyGroups::all(GROUPS);
    for row in 0..mebibytes << 10 {
        fleet.tasks[0].rows.put(groups.locate::<u64>(row), page(row)).unwrap();
    }
    // What is not in order yet RocksDB writes anew by itself, whoever opens it: without this, a GiB
    // had five files in level 0, and 115 MiB of compactions were counted as if they were copies.
    fleet.stores[0].compact().unwrap();
    let begun = Instant::now();
    fleet.checkpoint();
    let state: u64 = fleet.bytes().iter().map(|(_, length)| length).sum();
    println!("\n{} MiB of state; its checkpoint took {:.1?}", state >> 20, begun.elapsed());
    for tasks in [2, 3] {
        let (files, begun, before) = (fleet.bytes(), Instant::now(), written());
        fleet.restore(tasks);
        let restored = begun.elapsed();
        for row in 0..1000 {
            let row = scatter(row) % (mebibytes << 10);
            let at = groups.locate::<u64>(row);
            let owner = KeyGroups::owner(at.group(), GROUPS, tasks);
            let found = fleet.tasks[usize::from(owner)].rows.get(at).unwrap();
            assert_eq!(found.as_deref(), Some(&page(row)));
        }
        let written = written() - before;
        fleet.checkpoint();
        let saved = fleet.bytes_but(&files);
        println!(
            "{tasks} tasks: restored in {restored:.1?}, {} KiB written until a thousand rows were \
             read, {} KiB by the next checkpoint",
            written >> 10,
            saved >> 10
        );
        assert!(written < state / 50, "rows are copied");
    }
    let (begun, before) = (Instant::now(), written());
    let databases = fleet.stores.iter().map(|store| store.metrics().databases).sum::<u64>();
    while fleet.tasks.iter_mut().any(|states| states.rows.sweep(0, 1000).unwrap() > 0) {}
    println!(
        "{databases} databases became 3 in {:.1?}, {} MiB written",
        begun.elapsed(),
        (written() - before) >> 20
    );
}

/// Returns how many bytes this process has written to files.
fn written() -> u64 {
    let counted = fs::read_to_string("/proc/self/io").unwrap();
    let line = counted.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.unwrap().parse().unwrap()
}

/// RocksDB with the same options and rows, and nothing around it.
struct Peer {
    db: rocksdb::DB,
    directory: std::path::PathBuf,
}

impl Peer {
    fn open(directory: &Path) -> Self {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
        options.set_max_background_jobs(2);
        options.set_write_buffer_size(MEMORY / 6);
        let mut blocks = rocksdb::BlockBasedOptions::default();
        blocks.set_bloom_filter(10.0, false);
        blocks.set_optimize_filters_for_memory(true);
        blocks.set_data_block_index_type(rocksdb::DataBlockIndexType::BinaryAndHash);
        options.set_block_based_table_factory(&blocks);
        let db = rocksdb::DB::open(&options, directory.join("db")).unwrap();
        Self { db, directory: directory.into() }
    }

    fn put(&self, group: u16, (first, second): Key, (parts, last): &Small) {
        let key = [&group.to_be_bytes()[..], &first.to_le_bytes(), &second.to_le_bytes()].concat();
        let mut value: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
        value.extend(last.to_le_bytes());
        let mut unlogged = rocksdb::WriteOptions::default();
        unlogged.disable_wal(true);
        self.db.put_opt(key, value, &unlogged).unwrap();
    }

    /// Takes a checkpoint; returns how many bytes its files have that no other checkpoint has.
    fn checkpoint(&self, name: &str) -> u64 {
        let path = self.directory.join(name);
        Checkpoint::new(&self.db).unwrap().create_checkpoint(&path).unwrap();
        let known: BTreeSet<_> = fs::read_dir(&self.directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|other| *other != path && !other.ends_with("db"))
            .flat_map(|other| fs::read_dir(other).unwrap())
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().ends_with(".sst"))
            .collect();
        let files = fs::read_dir(&path).unwrap().map(Result::unwrap);
        let added = files.filter(|file| !known.contains(&file.file_name()));
        added.map(|file| file.metadata().unwrap().len()).sum()
    }
}

type Store = Bytes<RocksDb>;
/// Declares the states of a task.
type Open<S> = fn(&mut Store) -> Result<S, <Store as Backend>::Error>;

/// The tasks of a job of one operator.
struct Fleet<S> {
    tasks: Vec<S>,
    stores: Vec<RocksDb>,
    open: Open<S>,
    options: RocksDbOptions,
    files: Files,
    coordinator: Coordinator,
}

impl<S: States<Error = <Store as Backend>::Error>> Fleet<S> {
    fn begin(directory: &Path, open: Open<S>) -> Self {
        let options = RocksDbOptions::new(directory.join("work"))
            .with_memory(Memory::new(MEMORY))
            .with_native_checkpoints();
        let files = Files::open(directory.join("checkpoints")).unwrap();
        let coordinator = coordinator(1, 1, None);
        let mut fleet =
            Self { tasks: Vec::new(), stores: Vec::new(), open, options, files, coordinator };
        fleet.restore(1);
        fleet
    }

    /// Goes on from the newest checkpoint, if there is one, with `tasks` tasks.
    fn restore(&mut self, tasks: u16) {
        let newest = self.coordinator.newest().cloned();
        self.tasks.clear();
        self.stores.clear();
        for index in 0..tasks {
            let groups = KeyGroups::share(GROUPS, tasks, index);
            let store = self.options.open(groups).unwrap();
            let mut states = (self.open)(&mut store.states()).unwrap();
            self.stores.push(store);
            if let Some(manifest) = &newest {
                let policy = RestorePolicy::Fail;
                load(manifest, OPERATOR, groups, &self.files, policy, &mut states).unwrap();
            }
            self.tasks.push(states);
        }
        self.coordinator = coordinator(tasks, u64::from(tasks), newest);
    }

    fn checkpoint(&mut self) {
        self.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
        let Some(Command::Barrier(barrier)) = self.coordinator.poll() else { panic!("a barrier") };
        let base = barrier.base.map(|base| base.checkpoint);
        let cut = Cut { checkpoint: barrier.id.checkpoint, base, now: 0, watermark: 0 };
        let tasks = self.tasks.len() as u16;
        for (index, states) in (0..).zip(&mut self.tasks) {
            let frozen = freeze(states, KeyGroups::share(GROUPS, tasks, index), cut).unwrap();
            let part = u32::from(index);
            let target = Target { job: 1, operator: OPERATOR, barrier: &barrier, part };
            let report = save(&mut self.files, target, &frozen, &|| true).unwrap();
            self.coordinator.ack(TaskId { operator: 0, index }, barrier.id, report);
        }
        let mut performer = Performer::new(self.files.clone());
        while let Some(command) = self.coordinator.poll() {
            match command {
                Command::Storage(request) => {
                    self.coordinator.reply(performer.perform(&request));
                }
                Command::Completed(id) => {
                    self.tasks.iter_mut().for_each(|states| states.completed(id.checkpoint));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the files of the newest checkpoint, its manifest too, and their lengths.
    fn bytes(&self) -> BTreeSet<(String, u64)> {
        let Some(manifest) = self.coordinator.newest() else { return BTreeSet::new() };
        let own = (manifest.id.to_string(), manifest.to_file().len() as u64);
        let files = manifest.files.iter().map(|file| (file.id.to_string(), file.length));
        files.chain([own]).collect()
    }

    /// Returns how many bytes the newest checkpoint has beside others.
    fn bytes_but(&self, others: &BTreeSet<(String, u64)>) -> u64 {
        self.bytes().difference(others).map(|(_, length)| length).sum()
    }
}

fn coordinator(tasks: u16, epoch: u64, restored: Option<Manifest>) -> Coordinator {
    let operators = vec![OperatorShape { name: OPERATOR.to_owned(), parallelism: tasks }];
    let (signature, key_groups) = (Vec::new(), GROUPS);
    let job = Job { id: 1, signature, key_groups, hash_function: HASH_FUNCTION, operators };
    let recovered = Recovered::from(epoch, restored);
    Coordinator::new(Config { retain: 1, full_every: 100 }, job, recovered)
}
