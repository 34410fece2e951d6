//! Meters that report what they have counted: the total and the last readings of each, kept on the
//! heap and checkpointed to a directory by the thread that processes the records.
//!
//! `cargo run -p holdwater-heap --example meters -- DIR` resumes where the last run ended.

use std::error::Error;
use std::ops::ControlFlow;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater::key::{At, KeyGroups};
use holdwater::state::{Backend, List, Value};
use holdwater_files::Files;
use holdwater_heap::Heap;

const KEY_GROUPS: u16 = 128;
const RECORDS: u64 = 1000;

holdwater::states! {
    /// What is known of each meter.
    struct Meters<B> {
        total: Value<u32, u64>,
        readings: List<u32, u16>,
    }
}

impl<B: Backend> Meters<B> {
    /// Adds a reading of the meter at `at`; returns its total.
    fn read(&mut self, at: At<'_, u32>, reading: u16) -> Result<u64, B::Error> {
        self.readings.push(at, reading)?;
        self.total.update(
            at,
            || 0,
            |total| {
                *total += u64::from(reading);
                *total
            },
        )
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("give a directory for checkpoints")?;
    let files = Files::open(directory)?;
    let _lock = files.lock()?;

    let groups = KeyGroups::all(KEY_GROUPS);
    let mut meters = Meters::open(&mut Heap::new(groups))?;
    let job = SoloJob {
        id: 0x6d65_7465_7273,
        operator: "meters".to_owned(),
        key_groups: KEY_GROUPS,
        config: Config { retain: 3, full_every: 10 },
    };
    let mut solo = Solo::open(files, job, &mut meters)?;
    let from = solo.position().map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?;

    for record in from..from + RECORDS {
        let (meter, reading) = ((record % 10) as u32, (record % 100) as u16);
        meters.read(groups.locate::<u32>(meter), reading)?;
    }
    let id = solo.checkpoint(&mut meters, &(from + RECORDS).to_le_bytes(), 0)?;

    let at = groups.locate::<u32>(7);
    let total = meters.total.get(at)?.map_or(0, |total| *total);
    let mut count = 0;
    meters.readings.items(at, |_| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    println!("checkpoint {id}: {} records; meter 7 counts {total} in {count}", from + RECORDS);
    Ok(())
}
