//! What the memory of a store is bounded by.
#![cfg(feature = "rocksdb")]
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;

use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Descriptor, List, Map, Value};
use holdwater_rocksdb::{Memory, RocksDbOptions};

/// Returns how much memory of its own the process has, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// The only test of this program: no other takes memory meanwhile.
#[test]
fn a_loop_of_puts_to_several_states_stays_within_the_memory_limit() {
    let (groups, memory) = (KeyGroups::all(16), Memory::new(LIMIT));
    let directory = tempfile::tempdir().unwrap();
    let options = RocksDbOptions::new(directory.path()).with_memory(memory.clone());
    let before = resident();
    let store = options.open(groups).unwrap();
    let mut states = store.states();
    let names: Vec<String> = (0..5).map(|number| format!("value {number}")).collect();
    let values = names.iter().map(|name| states.value::<u64, Vec<u8>>(Descriptor::new(name)));
    let mut values: Vec<_> = values.collect::<Result<_, _>>().unwrap();
    let mut list = states.list::<u64, Vec<u8>>(Descriptor::new("list")).unwrap();
    let mut map = states.map::<u64, u64, Vec<u8>>(Descriptor::new("map")).unwrap();
    let (mut highest, mut highest_used, mut written) = (0, 0, 0);
    for key in 0.. {
        let at = groups.locate::<u64>(key);
        let bytes = vec![key as u8; 4000];
        for value in &mut values {
            value.put(at, bytes.clone()).unwrap();
        }
        list.push(groups.locate::<u64>(key % 100), bytes.clone()).unwrap();
        map.put(groups.locate::<u64>(key % 100), key, bytes).unwrap();
        written += (values.len() + 2) * 4000;
        if key % 100 == 0 {
            highest = highest.max(resident().saturating_sub(before));
            highest_used = highest_used.max(store.metrics().memory);
        }
        if written > 5 * LIMIT {
            break;
        }
    }
    assert!(highest_used as usize <= LIMIT, "{highest_used} bytes of {LIMIT}");
    assert!(highest_used > 0 && store.metrics().files > 0);
    // Beside what is counted: buffers of compactions, and what the allocator keeps.
    assert!(highest < LIMIT + SLACK, "{highest} bytes of {LIMIT}");
    for key in [0, 50, 99] {
        let at = groups.locate::<u64>(key);
        assert_eq!(values[0].get(at).unwrap().as_deref(), Some(&vec![key as u8; 4000]));
        assert!(list.len(at).unwrap() > 1 && map.get(at, key).unwrap().is_some());
    }
}

const LIMIT: usize = 24 << 20;
const SLACK: usize = 64 << 20;
