//! What the meters say: the same at each start, on any machine.

/// How many meters there are.
pub const METERS: u32 = 5;

/// When the first reading is due: 2025-01-01.
pub(crate) const START: i64 = 1_735_689_600_000;
/// How far two readings are apart.
const STEP: i64 = 20_000;
/// By how much a reading comes late at most.
const DELAY_MAX: u64 = 15 * 60_000;

/// What a meter says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The meter.
    pub meter: u32,
    /// When it was read, in milliseconds since 1970 UTC.
    pub time: i64,
    /// The power.
    pub watts: u16,
}

/// Returns a reading by its number: most come in order, some late, a few too late.
pub fn reading(number: u32) -> Reading {
    let chance = scramble(u64::from(number));
    let delay = if chance % 4 == 0 { (chance >> 8) % DELAY_MAX } else { 0 };
    Reading {
        meter: (chance >> 32) as u32 % METERS,
        time: START + i64::from(number) * STEP - delay as i64,
        watts: (chance >> 48) as u16,
    }
}

/// Returns a number that looks random (SplitMix64).
pub fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
