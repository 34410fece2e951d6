//! Every input that the fuzz targets have kept, and each of its bytes changed and sealed again:
//! nothing panics, and no more memory is taken than is published.
//!
//! One test, so that nothing else allocates while memory is measured.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::path::Path;

use holdwater_damage::reseal::reseal;
use holdwater_damage::{hostile, schemas};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Its name, what is done to a file, which returns how much memory that may take, and what makes a
/// changed file one that is looked into.
type Target = (&'static str, fn(&[u8]) -> usize, fn(&mut [u8]));

#[test]
fn what_was_found_once_is_found_no_more() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let targets: [Target; 4] = [
        ("evolving", schemas::evolving, |_| ()),
        ("manifest", manifest, reseal),
        ("snapshot", snapshot, reseal),
        ("walker", schemas::walker, |_| ()),
    ];
    for (target, run, seal) in targets {
        let (mut files, mut peak) = (0, 0);
        for entry in std::fs::read_dir(corpus.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let mut check = |bytes: &[u8]| {
                MEMORY.reset_peak_memory();
                let most = run(bytes);
                let memory = MEMORY.get_peak_memory();
                assert!(memory <= most, "{}: {memory} bytes", path.display());
                peak = peak.max(memory);
            };
            check(&bytes);
            for at in 0..bytes.len() {
                for byte in [bytes[at] ^ 1, bytes[at] ^ 0x80, 0, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] = byte;
                    seal(&mut changed);
                    check(&changed);
                }
            }
            files += 1;
        }
        println!("{target}: {files} files, at most {peak} bytes of memory");
        assert!(files >= 3, "{target}");
    }
}

fn manifest(bytes: &[u8]) -> usize {
    hostile::manifest(bytes);
    hostile::manifest_memory(bytes.len())
}

fn snapshot(bytes: &[u8]) -> usize {
    hostile::snapshot(bytes);
    hostile::snapshot_memory(bytes.len())
}
