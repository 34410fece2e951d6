//! What released versions wrote is read for ever, by every store.

use std::collections::BTreeMap;

use holdwater_bytes::Bytes;
use holdwater_conformance::golden::{
    VERSION, folder, golden_checkpoints_are_restored, golden_files_are_whole, written,
};
use holdwater_fixed::Fixed;
use holdwater_heap::Heap;
use holdwater_mmap::Mmap;

#[test]
fn each_golden_file_is_whole_and_small() {
    golden_files_are_whole();
}

#[test]
fn golden_checkpoints_are_restored_on_bytes() {
    golden_checkpoints_are_restored(Bytes::in_memory);
}

#[test]
fn golden_checkpoints_are_restored_on_fixed() {
    golden_checkpoints_are_restored(|groups| Fixed::<64>::new(groups).expect("16 groups at most"));
}

#[test]
fn golden_checkpoints_are_restored_on_heap() {
    golden_checkpoints_are_restored(Heap::new);
}

#[test]
fn golden_checkpoints_are_restored_on_mmap() {
    golden_checkpoints_are_restored(|groups| Mmap::new(groups, std::env::temp_dir()));
}

#[test]
fn what_the_newest_golden_version_holds_is_written_as_it_was() {
    let files = std::fs::read_dir(folder(VERSION)).expect("a folder").map(|entry| {
        let entry = entry.expect("a file");
        let name = entry.file_name().into_string().expect("a name");
        (name, std::fs::read(entry.path()).expect("bytes"))
    });
    let written = BTreeMap::from_iter(written(Heap::new));
    assert_eq!(BTreeMap::from_iter(files), written, "the format has changed: see docs/format.md 1");
}
