//! Measurements against peers and limits, as ratios in one run.
//!
//! Absolute figures say more of the machine than of the program; peers are measured beside it, in
//! turn, and the median of several rounds counts.

#![forbid(unsafe_code)]

pub mod checkpoint;

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Numbers that look random and are the same in each run: splitmix64.
#[derive(Clone, Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// Begins at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(scatter(self.0)) * u128::from(bound)) >> 64) as u64
    }
}

/// Returns the key of row `index`: spread over all 64 bits, and never twice the same.
pub const fn scatter(index: u64) -> u64 {
    let mut bits = index;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Returns how many nanoseconds each of `count` steps takes, if `work` does them all.
pub fn nanoseconds_each(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Returns the median.
///
/// # Panics
///
/// If there are no `samples`.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// What time is taken by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clock {
    /// The time that all threads of this process ran.
    Process,
    /// The time that this thread ran: what others do with the processor is left out.
    Processor,
    /// The time that passed.
    Wall,
}

impl Clock {
    /// Returns the time since some moment that is the same for all calls.
    pub fn now(self) -> Duration {
        let clock = match self {
            Self::Process => ClockId::ProcessCPUTime,
            Self::Processor => ClockId::ThreadCPUTime,
            Self::Wall => ClockId::Monotonic,
        };
        let now = clock_gettime(clock);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
    }
}

/// How long steps took: how many of them, by time.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    nanoseconds: Vec<u32>,
}

impl Latencies {
    /// Takes note of one step.
    pub fn add(&mut self, took: Duration) {
        self.nanoseconds.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Takes note of all that `other` has.
    pub fn extend(&mut self, other: Self) {
        self.nanoseconds.extend(other.nanoseconds);
    }

    /// Returns the microseconds within which each share of the steps was done.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn microseconds(&mut self, shares: &[f64]) -> Vec<f64> {
        self.nanoseconds.sort_unstable();
        let last = self.nanoseconds.len() - 1;
        let at = |share: &f64| f64::from(self.nanoseconds[(last as f64 * share) as usize]) / 1e3;
        shares.iter().map(at).collect()
    }

    /// Returns how many steps took longer than `limit`.
    pub fn over(&self, limit: Duration) -> usize {
        let limit = limit.as_nanos();
        self.nanoseconds.iter().filter(|took| u128::from(**took) > limit).count()
    }
}

/// Prints a table: a head, and rows with a label and cells.
pub fn print_table(head: &[&str], rows: &[(String, Vec<String>)]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
    for (label, cells) in rows {
        let cells = core::iter::once(label).chain(cells);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    line(head.to_vec());
    let rule = |(column, width): (usize, &usize)| {
        let end = if column == 0 { "-" } else { ":" };
        "-".repeat(width + 1) + end
    };
    println!("|{}|", widths.iter().enumerate().map(rule).collect::<Vec<_>>().join("|"));
    for (label, cells) in rows {
        line(core::iter::once(label.as_str()).chain(cells.iter().map(String::as_str)).collect());
    }
    println!();
}
