//! A job counts on a store that fails: each record counts once, whatever fails and however often
//! the job begins anew.

#![allow(clippy::result_large_err, reason = "a test moves few errors")]

use holdwater::checkpoint::{Config, Solo, SoloError, SoloJob};
use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Value};
use holdwater::storage::Storage;
use holdwater_heap::Heap;
use holdwater_objects::{Objects, ObjectsError, Patience};

use crate::faulty::Faulty;
use crate::{PATIENT, objects};

holdwater::states! {
    /// How often each key came.
    struct Counts<B> {
        count: Value<u32, u64>,
    }
}

const GROUPS: u16 = 4;
const KEYS: u64 = 10;

type Ended<T> = Result<T, SoloError<ObjectsError, <Heap as Backend>::Error>>;

/// One process that runs the job.
struct Process {
    solo: Solo<Objects>,
    counts: Counts<Heap>,
    next: u64,
}

impl Process {
    fn start(objects: Objects) -> Ended<Self> {
        let groups = KeyGroups::all(GROUPS);
        let mut counts = Counts::open(&mut Heap::new(groups))?;
        let job = SoloJob {
            id: 7,
            operator: "counts".to_owned(),
            key_groups: GROUPS,
            config: Config { retain: 2, full_every: 3 },
        };
        let solo = Solo::open(objects, job, &mut counts)?;
        let next = solo.position().map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        Ok(Self { solo, counts, next })
    }

    /// Processes records up to `end` and takes a checkpoint.
    fn go_on(&mut self, end: u64) -> Ended<()> {
        let groups = KeyGroups::all(GROUPS);
        for record in self.next..end {
            let at = groups.locate::<u32>((record % KEYS) as u32);
            self.counts.count.update(at, || 0, |count| *count += 1)?;
        }
        self.next = self.next.max(end);
        self.solo.checkpoint(&mut self.counts, &self.next.to_le_bytes(), 0).map(drop)
    }

    fn count(&mut self) -> u64 {
        let groups = KeyGroups::all(GROUPS);
        let count = |key| {
            let count = self.counts.count.get(groups.locate::<u32>(key)).unwrap();
            count.map_or(0, |count| *count)
        };
        (0..KEYS as u32).map(count).sum()
    }
}

/// Runs the job to record 200, beginning anew whenever it cannot go on.
fn run(faulty: &Faulty, patience: Patience) -> (u64, usize) {
    let mut starts = 0;
    loop {
        starts += 1;
        assert!(starts < 1000, "it never ends");
        let started = Process::start(objects(faulty, patience).with_part_bytes(200));
        let Ok(mut process) = started else { continue };
        let halted = loop {
            if process.next >= 200 {
                break false;
            }
            match process.go_on(process.next + 10) {
                Ok(()) | Err(SoloError::Aborted(..)) => {}
                Err(SoloError::Halted(..)) => break true,
                Err(error) => panic!("{error}"),
            }
        };
        if !halted {
            return (process.count(), starts);
        }
    }
}

#[test]
fn each_record_counts_once_though_requests_fail_and_replies_are_lost() {
    let mut starts = 0;
    for seed in 0..100 {
        for patience in [Patience::NONE, PATIENT] {
            let faulty = Faulty::new(seed);
            faulty.faults(|faults| (faults.before, faults.after) = (seed % 7, seed % 5));
            let (count, begun) = run(&faulty, patience);
            assert_eq!(count, 200, "seed {seed}, {patience:?}");
            assert!(begun == 1 || patience == Patience::NONE, "seed {seed}: patience is enough");
            starts += begun;
            let twice = faulty.faults(|faults| faults.created.values().copied().max());
            assert_eq!(twice, Some(1), "seed {seed}: no object is created twice");
            // What the store holds in the end is what a new process finds.
            let mut found = Process::start(objects(&faulty.sound(), PATIENT)).unwrap();
            assert!(found.count() == found.next && found.next <= 200, "seed {seed}");
        }
    }
    assert!(starts > 300, "the faults should have made jobs begin anew: {starts}");
}

#[test]
fn of_two_processes_on_one_place_the_newer_goes_on_and_the_older_halts() {
    for patience in [Patience::NONE, PATIENT] {
        let faulty = Faulty::new(1);
        let mut old = Process::start(objects(&faulty, patience)).unwrap();
        old.go_on(50).unwrap();
        let mut new = Process::start(objects(&faulty, patience)).unwrap();
        assert_eq!(new.next, 50);
        let halted = old.go_on(60);
        assert!(matches!(halted, Err(SoloError::Halted(..))), "{:?}", halted.err());
        new.go_on(70).unwrap();
        assert_eq!(new.count(), 70);
        let mut objects = objects(&faulty, patience);
        let mut listed = Vec::new();
        objects.list(holdwater::storage::Area::Manifests, &mut |id| listed.push(id.epoch)).unwrap();
        assert!(listed.contains(&2), "{listed:?}");
        let mut found = Process::start(objects).unwrap();
        assert_eq!((found.next, found.count()), (70, 70));
    }
}
