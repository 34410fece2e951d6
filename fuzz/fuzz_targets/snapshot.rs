//! Any bytes as a snapshot file: most are sealed again after they were changed, to get past
//! the checksums.

#![no_main]

use std::alloc::System;

use holdwater_damage::{hostile, reseal::reseal};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed % 8 != 0 {
        reseal(&mut data[..size]);
    }
    size
});

fuzz_target!(|data: &[u8]| {
    MEMORY.reset_peak_memory();
    hostile::snapshot(data);
    let (peak, most) = (MEMORY.get_peak_memory(), hostile::snapshot_memory(data.len()));
    assert!(peak <= most, "{peak} bytes of memory for {} bytes: {most} are granted", data.len());
});
