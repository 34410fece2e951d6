//! Any bytes as a schema and a value of it, which is read as types of today.

#![no_main]

use std::alloc::System;

use holdwater_damage::schemas;
use libfuzzer_sys::fuzz_target;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

fuzz_target!(|data: &[u8]| {
    MEMORY.reset_peak_memory();
    let most = schemas::evolving(data);
    let peak = MEMORY.get_peak_memory();
    assert!(peak <= most, "{peak} bytes of memory for {} bytes: {most} are granted", data.len());
});
