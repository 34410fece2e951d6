//! Every input that the fuzz targets have kept, and each of its bytes changed and sealed again:
//! nothing panics, and no more memory is taken than is published.
//!
//! One test, so that nothing else allocates while memory is measured.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::path::Path;

use holdwater_damage::hostile;
use holdwater_damage::reseal::reseal;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Its name, what is done to a file, and how much memory that may take, by the file's length.
type Target = (&'static str, fn(&[u8]), fn(usize) -> usize);

#[test]
fn what_was_found_once_is_found_no_more() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let manifest: Target = ("manifest", hostile::manifest, hostile::manifest_memory);
    let snapshot: Target = ("snapshot", hostile::snapshot, hostile::snapshot_memory);
    for (target, run, most) in [manifest, snapshot] {
        let (mut files, mut peak) = (0, 0);
        for entry in std::fs::read_dir(corpus.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let mut check = |bytes: &[u8]| {
                MEMORY.reset_peak_memory();
                run(bytes);
                let memory = MEMORY.get_peak_memory();
                assert!(memory <= most(bytes.len()), "{}: {memory} bytes", path.display());
                peak = peak.max(memory);
            };
            check(&bytes);
            for at in 0..bytes.len() {
                for byte in [bytes[at] ^ 1, bytes[at] ^ 0x80, 0, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] = byte;
                    reseal(&mut changed);
                    check(&changed);
                }
            }
            files += 1;
        }
        println!("{target}: {files} files, at most {peak} bytes of memory");
        assert!(files >= 3, "{target}");
    }
}
