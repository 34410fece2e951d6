//! Runs the firmware in an emulator and cuts its power until its job is done, then measures it.
//!
//! `emulate FIRMWARE` works in a folder beside the firmware. It prints the verdict and the sizes.

#![forbid(unsafe_code)]

mod elf;
mod emulator;
mod host;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use elf::Elf;
use emulator::{Board, End};
use holdwater_bare_metal::{HAND_OVER, SAVE_EVERY, TAKE_OVER, scramble};

/// The power goes after fewer bytes than this; a save programs and erases some 10,000.
const CUT_MAX: u64 = 16_000;
/// How often it goes at least.
const CUTS_MIN: u32 = 20;
/// How exactly the stack is measured, in bytes.
const STACK_STEP: u32 = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of the firmware")?;
    let firmware = Elf::read(fs::read(&path)?)?;
    let mut board = Board::new(&Path::new(&path).with_extension("board"))?;
    let first = host::save()?;
    let (starts, verdict) = lose_power(&board, &firmware, &first)?;
    println!("firmware: {verdict}");
    println!("firmware: the power was cut {} times, and nothing was lost", starts - 1);
    println!("heap: {}", host::go_on(board.flash()?)?);
    let stack = stack(&mut board, &firmware, &first)?;
    println!("code: {} bytes of flash", firmware.code());
    println!("data: {} bytes of RAM, and {stack} of stack", firmware.data());
    Ok(())
}

/// Runs the job to its end with many cuts of the power; returns how often it was started, and what
/// it says.
fn lose_power(
    board: &Board,
    firmware: &Elf,
    first: &[u8],
) -> Result<(u32, String), Box<dyn Error>> {
    board.program(&firmware.with_stack(firmware.stack()))?;
    board.put_flash(first)?;
    // The last snapshot whose save returned, and how many readings it holds.
    let (mut last, mut starts) = ((1, TAKE_OVER), 0);
    loop {
        let chance = scramble(starts.into());
        let start = board.start((chance % CUT_MAX) as u32, (chance >> 32) as u32)?;
        starts += 1;
        let (checkpoint, next) = last;
        let is_next = start.restored == Some((checkpoint + 1, next + SAVE_EVERY));
        if start.restored.is_some_and(|restored| restored != last) && !is_next {
            return Err(format!("start {starts}: {last:?} was saved\n{}", start.output).into());
        }
        last = start.saved.or(start.restored).unwrap_or(last);
        match start.end {
            End::PowerLost => {}
            End::Verdict(verdict) if starts > CUTS_MIN && last.1 == HAND_OVER => {
                return Ok((starts, verdict));
            }
            _ => return Err(format!("start {starts} failed\n{}", start.output).into()),
        }
    }
}

/// Returns how much stack the job needs, by giving it less and less.
fn stack(board: &mut Board, firmware: &Elf, first: &[u8]) -> Result<u32, Box<dyn Error>> {
    let (mut low, mut high) = (0, firmware.stack() / STACK_STEP);
    let passes = |board: &Board, steps: u32| {
        board.program(&firmware.with_stack(steps * STACK_STEP))?;
        board.put_flash(first)?;
        board.start(10 * CUT_MAX as u32, 0)?;
        Ok::<_, Box<dyn Error>>(matches!(board.start(u32::MAX, 0)?.end, End::Verdict(_)))
    };
    let begun = Instant::now();
    if !passes(board, high)? {
        return Err("the job does not end after one cut".into());
    }
    // Where the stack has no memory the host is not told what to write, and may be asked again.
    board.patience = 3 * begun.elapsed() + Duration::from_secs(1);
    while high - low > 1 {
        let middle = low.midpoint(high);
        (low, high) = if passes(board, middle)? { (low, middle) } else { (middle, high) };
    }
    Ok(high * STACK_STEP)
}
