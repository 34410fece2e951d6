//! The job on the heap, as a module of WebAssembly: checkpoints, crashes and restores, all in its
//! own memory.
//!
//! It ends with 0 if all its states are right. There is nowhere to say more; on a host it does.

#![forbid(unsafe_code)]

use std::error::Error;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater_bare_metal::{GROUPS, Meters, OWNER, READINGS, SAVE_EVERY, Tally, verify};
use holdwater_heap::Heap;
use holdwater_memory::Memory;

/// How many readings a start processes; the last of them are in no checkpoint.
const PER_START: u32 = 7 * SAVE_EVERY + SAVE_EVERY / 2;

fn main() -> Result<(), Box<dyn Error>> {
    let storage = Memory::default();
    for starts in 1.. {
        if let Some(tally) = start(&storage)? {
            println!("heap: {tally}, in {starts} starts");
            break;
        }
    }
    Ok(())
}

/// Goes on from the newest checkpoint; returns what was found to be right at the end.
fn start(storage: &Memory) -> Result<Option<Tally>, Box<dyn Error>> {
    let mut meters = Meters::open(&mut Heap::new(GROUPS))?;
    let job = SoloJob {
        id: OWNER.job,
        operator: OWNER.operator.to_owned(),
        key_groups: GROUPS.total(),
        config: Config { retain: 2, full_every: 5 },
    };
    let mut solo = Solo::open(storage.clone(), job, &mut meters)?;
    let position = solo.position().map_or(Ok(0), |bytes| bytes.try_into().map(u32::from_le_bytes));
    let (position, first) = (position?, meters.resume()?);
    if position != first {
        return Err(format!("there are {first} readings in the states, not {position}").into());
    }
    let last = READINGS.min(first + PER_START);
    for number in first..last {
        meters.read(number)?;
        let next = number + 1;
        if next % SAVE_EVERY == 0 {
            solo.checkpoint(&mut meters, &next.to_le_bytes(), 0)?;
        }
    }
    if last < READINGS {
        return Ok(None);
    }
    Ok(Some(verify(&mut meters, READINGS).map_err(|difference| difference.to_string())?))
}
