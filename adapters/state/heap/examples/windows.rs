//! Visits to a site: how many pages each visitor read before a pause of half an hour, from pages
//! that come out of order; checkpointed by the thread that processes them.
//!
//! `cargo run -p holdwater-heap --example windows -- DIR` goes on where the last run ended.

use std::error::Error;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater::key::KeyGroups;
use holdwater::state::Aggregate;
use holdwater::timer::{Sweep, Watermark};
use holdwater::window::{Assigner, WindowedAggregate};
use holdwater_files::Files;
use holdwater_heap::Heap;

const MINUTE: i64 = 60_000;
const PAGES: u64 = 500;

/// How many pages there were.
struct Pages;

impl Aggregate for Pages {
    type Input = ();
    type Accumulator = u64;
    type Output = u64;

    fn start(&self) -> u64 {
        0
    }

    fn add(&self, pages: &mut u64, (): ()) {
        *pages += 1;
    }

    fn result(&self, pages: &u64) -> u64 {
        *pages
    }

    fn merge(&self, pages: &mut u64, other: u64) {
        *pages += other;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("give a directory for checkpoints")?;
    let files = Files::open(directory)?;
    let _lock = files.lock()?;

    let groups = KeyGroups::all(128);
    let sessions = Assigner::session(30 * MINUTE)?;
    let mut visits = WindowedAggregate::open(&mut Heap::new(groups), sessions, Pages)?;
    let job = SoloJob {
        id: 0x7669_7369_7473,
        operator: "visits".to_owned(),
        key_groups: 128,
        config: Config { retain: 3, full_every: 10 },
    };
    let mut solo = Solo::open(files, job, &mut visits)?;
    let from = solo.position().map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?;

    // Watermarks are in no checkpoint: who reads the input again knows how far its time had come.
    let mut watermark = Watermark::new(5 * MINUTE);
    for page in 0..from {
        watermark.observe(time_of(page));
    }
    for page in from..from + PAGES {
        let (visitor, time) = (page / 20 % 7, time_of(page));
        visits.add(groups.locate::<u64>(visitor), time, watermark.time(), ())?;
        watermark.observe(time);
        let mut sweep = Sweep::new(watermark.time(), 100);
        while let Some(visit) = visits.due(&mut sweep)? {
            let minutes = (visit.window.start / MINUTE, visit.window.end / MINUTE - 30);
            println!("visitor {} in minutes {minutes:?}: {} pages", visit.key, visit.output);
        }
    }
    let id = solo.checkpoint(&mut visits, &(from + PAGES).to_le_bytes(), 0)?;
    println!("checkpoint {id}: {} pages, {} late", from + PAGES, visits.late());
    Ok(())
}

/// Returns when a page was read: one a minute, some a little before those in front of them.
fn time_of(page: u64) -> i64 {
    (page as i64 - (page * 7 % 4) as i64) * MINUTE
}
