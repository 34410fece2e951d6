//! Chance: every decision of a run follows from one seed, and can be put on a tape.
//!
//! The seed is split into named streams, so that drawing once more in one domain leaves the others
//! as they were. A [`Tape`] holds every draw; replaying it gives the same run without the seed.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// What a draw is for; each has a generator of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stream {
    /// The job, its sizes, and how often what fails.
    Config,
    /// The records.
    Workload,
    /// What happens next.
    Schedule,
    /// Messages lost, repeated, late.
    Network,
    /// Steps of storage that fail.
    Faults,
    /// Steps of the output that fail.
    Outputs,
    /// When the job crashes.
    Crashes,
    /// What is left on the disk after a power loss.
    Remains,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 8] = [
        Self::Config,
        Self::Workload,
        Self::Schedule,
        Self::Network,
        Self::Faults,
        Self::Outputs,
        Self::Crashes,
        Self::Remains,
    ];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Workload => "workload",
            Self::Schedule => "schedule",
            Self::Network => "network",
            Self::Faults => "faults",
            Self::Outputs => "outputs",
            Self::Crashes => "crashes",
            Self::Remains => "remains",
        }
    }
}

/// One decision: a number below a bound.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Draw {
    /// What it was for.
    pub stream: Stream,
    /// The number is below it.
    pub bound: u32,
    /// The number.
    pub value: u32,
}

/// Every decision of a run, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tape {
    /// The decisions.
    pub draws: Vec<Draw>,
}

/// Writes a line for each stream, its name and its numbers: what [`FromStr`] reads.
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TAPE}")?;
        for stream in Stream::ALL {
            write!(f, "{}", stream.name())?;
            for draw in self.draws.iter().filter(|draw| draw.stream == stream) {
                write!(f, " {}", draw.value)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl FromStr for Tape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(TAPE) {
            return Err(format!("no tape: its first line is not {TAPE:?}"));
        }
        let mut tape = Self::default();
        for line in lines {
            let mut words = line.split_whitespace();
            let Some(name) = words.next() else { continue };
            let stream = Stream::ALL.into_iter().find(|stream| stream.name() == name);
            let stream = stream.ok_or_else(|| format!("no stream is called {name:?}"))?;
            for word in words {
                let value: u32 =
                    word.parse().map_err(|_| format!("{name}: {word:?} is no decision"))?;
                let bound = value.saturating_add(1);
                tape.draws.push(Draw { stream, bound, value });
            }
        }
        Ok(tape)
    }
}

/// The first line of a tape.
const TAPE: &str = "holdwater-sim tape 1";

/// The source of every decision of a run.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    origin: Origin,
    tape: Option<Tape>,
}

impl Random {
    /// Decides by `seed`.
    pub fn new(seed: u64) -> Self {
        let mut split = SplitMix(seed);
        let streams = Stream::ALL.map(|stream| Pcg::new(split.next(), stream as u64));
        Self { seed, origin: Origin::Seed(streams), tape: None }
    }

    /// Decides as `tape` says. Where it has no more draws, the least eventful is chosen: 0.
    pub fn replay(seed: u64, tape: &Tape) -> Self {
        let streams = Stream::ALL.map(|stream| {
            let draws = tape.draws.iter().filter(|draw| draw.stream == stream);
            draws.map(|draw| draw.value).collect()
        });
        Self { seed, origin: Origin::Tape(streams), tape: None }
    }

    /// Decides in one stream as if the seed were another.
    #[must_use]
    pub fn with_stream(mut self, stream: Stream, seed: u64) -> Self {
        let other = Self::new(seed);
        if let (Origin::Seed(streams), Origin::Seed(others)) = (&mut self.origin, other.origin) {
            streams[stream as usize] = others[stream as usize];
        }
        self
    }

    /// Puts every draw from here on on a tape.
    #[must_use]
    pub fn recording(self) -> Self {
        Self { tape: Some(Tape::default()), ..self }
    }

    /// Returns the tape, if one was asked for.
    pub const fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    /// Returns the seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Draws a number below `bound`; the likeliest to be without consequence should be 0.
    ///
    /// # Panics
    ///
    /// If `bound` is 0.
    pub fn below(&mut self, stream: Stream, bound: u32) -> u32 {
        assert!(bound > 0, "a number below 0 was asked for");
        let value = match &mut self.origin {
            Origin::Seed(streams) => {
                let wide = u64::from(streams[stream as usize].next()) * u64::from(bound);
                (wide >> 32) as u32
            }
            // A tape of another version of the program may hold a number that is too large.
            Origin::Tape(streams) => {
                streams[stream as usize].pop_front().unwrap_or(0).min(bound - 1)
            }
        };
        if let Some(tape) = &mut self.tape {
            tape.draws.push(Draw { stream, bound, value });
        }
        value
    }

    /// Draws a number from `low` to `high`, both included.
    pub fn between(&mut self, stream: Stream, low: u32, high: u32) -> u32 {
        low + self.below(stream, high - low + 1)
    }

    /// Draws an index of something that has `count` places.
    pub fn index(&mut self, stream: Stream, count: usize) -> usize {
        self.below(stream, u32::try_from(count).unwrap_or(u32::MAX)) as usize
    }

    /// Draws whether something with that chance happens.
    pub fn happens(&mut self, stream: Stream, chance: Chance) -> bool {
        // What never happens draws nothing: faults that are off cost no time.
        chance.0 > 0 && self.below(stream, Chance::UNIT) >= Chance::UNIT - chance.0
    }
}

/// How likely something is, in millionths.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self(0);
    const UNIT: u32 = 1_000_000;

    /// Returns the chance of one in `times`.
    pub const fn one_in(times: u32) -> Self {
        Self(Self::UNIT / times)
    }

    /// Draws a chance between one in `often` and one in `seldom`, every order of magnitude alike.
    pub fn draw(random: &mut Random, often: u32, seldom: u32) -> Self {
        let doublings = (seldom / often).max(1).ilog2();
        let times = often << random.between(Stream::Config, 0, doublings);
        Self::one_in(times)
    }
}

/// Where draws come from.
#[derive(Clone, Debug)]
enum Origin {
    Seed([Pcg; Stream::ALL.len()]),
    Tape([VecDeque<u32>; Stream::ALL.len()]),
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads one seed over many.
#[derive(Clone, Copy, Debug)]
struct SplitMix(u64);

impl SplitMix {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// PCG XSH RR 64/32 (O'Neill 2014): small, fast, and with many independent streams.
#[derive(Clone, Copy, Debug)]
struct Pcg {
    state: u64,
    increment: u64,
}

impl Pcg {
    const fn new(seed: u64, stream: u64) -> Self {
        let mut pcg = Self { state: 0, increment: (stream << 1) | 1 };
        pcg.next();
        pcg.state = pcg.state.wrapping_add(seed);
        pcg.next();
        pcg
    }

    const fn next(&mut self) -> u32 {
        let state = self.state;
        self.state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(self.increment);
        let shifted = (((state >> 18) ^ state) >> 27) as u32;
        shifted.rotate_right((state >> 59) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementations, pcg-c-basic's demo and splitmix64.c.
    #[test]
    fn the_generators_are_the_published_ones() {
        let mut pcg = Pcg::new(42, 54);
        let drawn = [(); 6].map(|()| pcg.next());
        let published =
            [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e];
        assert_eq!(drawn, published);
        let mut split = SplitMix(1_234_567);
        let drawn = [(); 3].map(|()| split.next());
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(drawn, published);
    }

    #[test]
    fn a_draw_in_one_stream_leaves_the_others_as_they_were() {
        let (mut one, mut two) = (Random::new(7), Random::new(7));
        two.below(Stream::Network, 10);
        for _ in 0..100 {
            assert_eq!(one.below(Stream::Schedule, 1000), two.below(Stream::Schedule, 1000));
        }
    }

    #[test]
    fn a_tape_replays_the_draws_it_was_made_of_and_then_rests() {
        let mut random = Random::new(3).recording();
        let drawn: Vec<_> =
            (1..50).map(|bound| random.below(Stream::ALL[bound as usize % 8], bound)).collect();
        let mut replay = Random::replay(3, random.tape().unwrap());
        let again: Vec<_> =
            (1..50).map(|bound| replay.below(Stream::ALL[bound as usize % 8], bound)).collect();
        assert_eq!(again, drawn);
        assert_eq!(replay.below(Stream::Schedule, 1000), 0);
    }

    #[test]
    fn a_tape_is_read_as_it_was_written_and_nothing_else_is() {
        let mut random = Random::new(3).recording();
        for bound in 1..50 {
            random.below(Stream::ALL[bound as usize % 8], bound);
        }
        let tape = random.tape().unwrap();
        let read: Tape = tape.to_string().parse().unwrap();
        for stream in Stream::ALL {
            let of = |tape: &Tape| -> Vec<u32> {
                let draws = tape.draws.iter().filter(|draw| draw.stream == stream);
                draws.map(|draw| draw.value).collect()
            };
            assert_eq!(of(&read), of(tape));
        }
        for text in ["", "tape", "holdwater-sim tape 1\nwhat 1", "holdwater-sim tape 1\nconfig -1"]
        {
            assert!(text.parse::<Tape>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_number_below_the_bound_is_drawn_about_as_often() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 8];
        for _ in 0..8000 {
            counts[random.below(Stream::Config, 8) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        let happened =
            (0..9000).filter(|_| random.happens(Stream::Faults, Chance::one_in(9))).count();
        assert!((900..1100).contains(&happened), "{happened}");
        assert!(!random.happens(Stream::Faults, Chance::NEVER));
    }
}
