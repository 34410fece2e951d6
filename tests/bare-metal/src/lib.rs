//! Meters whose readings are summed up in windows: a job that goes on anywhere, from a host to a
//! microcontroller and back.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

mod expected;
mod meters;
mod nor;
mod readings;

pub use expected::{Difference, Tally, verify};
pub use meters::{Load, Meter, Meters};
pub use nor::{IMAGE_LEN, Image, Nor, PAGES};
pub use readings::{METERS, Reading, reading, scramble};

use holdwater::key::KeyGroups;
use holdwater::snapshot::{Owner, Workspace};

/// How many key groups there are.
pub const GROUPS_MAX: usize = 4;
/// The key groups of the job.
pub const GROUPS: KeyGroups = KeyGroups::all(GROUPS_MAX as u16);
/// Whose states they are.
pub const OWNER: Owner<'static> =
    Owner { job: 0x6d65_7465_7273, operator: "meters", groups: GROUPS };
/// How many states [`Meters`] has.
const STATES: usize = 4;
/// How many rows a state has at most.
pub const ROWS: usize = 20;
/// What snapshots are written and read in.
pub type Work = Workspace<1024, { STATES * GROUPS_MAX }>;
/// How many snapshots are kept.
pub const RETAIN: usize = 2;
/// How many readings lie between two snapshots.
pub const SAVE_EVERY: u32 = 20;

/// How many readings there were when the firmware takes over from the host.
pub const TAKE_OVER: u32 = 600;
/// How many there were when it hands back.
pub const HAND_OVER: u32 = 1_200;
/// How many there are.
pub const READINGS: u32 = 1_800;

/// The firmware ends with this code when its power is cut.
pub const POWER_LOST: i32 = 3;
