//! State of an operator is verified, inspected and dumped like that of keys.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::path::Path;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater::key::KeyGroups;
use holdwater::operator::{Broadcast, Split, Task};
use holdwater::state::{Backend, Descriptor, States, Visitor};
use holdwater_cli::arguments::{Arguments, Command};
use holdwater_cli::{dump, inspect, verify};
use holdwater_files::Files;
use holdwater_heap::Heap;

type List = <Heap as Backend>::List<u16, u64>;
type Map = <Heap as Backend>::Map<u16, String, i64>;

struct Rules {
    files: Split<List, u64>,
    limits: Broadcast<Map, String, i64>,
}

impl States for Rules {
    type Error = <Heap as Backend>::Error;

    fn each<V: Visitor<Self::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.files)?;
        visitor.state(&mut self.limits)
    }
}

fn checkpoint(directory: &Path) {
    let (mut lone, task) = (Heap::new(KeyGroups::all(1)), Task::new(0, 1));
    let mut rules = Rules {
        files: Split::open(&mut lone, Descriptor::new("files"), task).unwrap(),
        limits: Broadcast::open(&mut lone, Descriptor::new("limits"), task).unwrap(),
    };
    let config = Config { retain: 1, full_every: 1 };
    let job = SoloJob { id: 1, operator: "rules".to_owned(), key_groups: 4, config };
    let mut solo = Solo::open(Files::open(directory).unwrap(), job, &mut rules).unwrap();
    rules.files.set([7, 8]).unwrap();
    rules.limits.put("speed", 130).unwrap();
    solo.checkpoint(&mut rules, b"", 0).unwrap();
}

fn shown(directory: &Path, line: &str) -> String {
    let line = line.replace("DIR", directory.to_str().unwrap());
    let mut out = Vec::new();
    match Arguments::read(line.split_whitespace()) {
        Ok(Command::Dump(arguments)) => dump::dump(&arguments, &mut out).unwrap(),
        Ok(Command::Inspect(arguments)) => inspect::inspect(&arguments, &mut out).unwrap(),
        Ok(Command::Verify(arguments)) => verify::verify(&arguments, &mut out).unwrap(),
        _ => panic!("{line}"),
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn state_of_an_operator_is_shown_by_task() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path();
    checkpoint(directory);
    let verified = shown(directory, "holdwater verify DIR --deep");
    assert!(verified.contains("3 rows"), "{verified}");
    let tree = shown(directory, "holdwater inspect DIR");
    assert!(tree.contains("state files: split list, u16 -> [u64]"), "{tree}");
    assert!(tree.contains("state limits: broadcast map, u16 -> String -> i64"), "{tree}");
    assert!(tree.contains("1 of 1 tasks"), "{tree}");
    let files = shown(directory, "holdwater dump DIR --state files");
    assert_eq!(files, "{\"key\":0,\"value\":[7,8]}\n");
    let limits = shown(directory, "holdwater dump DIR --state limits");
    assert_eq!(limits, "{\"key\":0,\"value\":{\"speed\":130}}\n");
}
