//! Who is next, of all who could go on.

use crate::random::{Random, Stream};

/// Somebody who can take a step.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Actor {
    /// Triggers checkpoints, and gives up on those that take too long.
    Clock,
    /// Carries out what the coordinator asks for.
    Coordinator,
    /// Delivers a message.
    Network,
    /// Reads a record.
    Source(usize),
    /// Takes what comes first in a channel.
    Task(usize),
    /// Writes a snapshot.
    Upload(usize),
    /// Takes results.
    Sink,
}

/// How the next one is chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Everyone has the same chance.
    Uniform,
    /// The one with the highest priority, which changes now and then.
    Priority,
    /// The same one for as long as it can go on, most of the time.
    Burst,
    /// Some are left out for as long as others can go on.
    Starve,
}

impl Mode {
    /// Draws a mode.
    pub fn draw(random: &mut Random) -> Self {
        let modes = [Self::Uniform, Self::Uniform, Self::Priority, Self::Burst, Self::Starve];
        modes[random.index(Stream::Config, modes.len())]
    }
}

/// Chooses who is next.
#[derive(Clone, Debug)]
pub struct Scheduler {
    mode: Mode,
    last: Option<Actor>,
    /// Shifts the priorities, and who is starved.
    turn: u32,
}

impl Scheduler {
    /// Chooses as `mode` says.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, last: None, turn: 0 }
    }

    /// Chooses one of `ready`, of whom there is at least one.
    pub fn choose(&mut self, ready: &[Actor], random: &mut Random) -> Actor {
        if random.below(Stream::Schedule, TURN_STEPS) == TURN_STEPS - 1 {
            self.turn = random.below(Stream::Schedule, 1 << 16);
        }
        let chosen = match (self.mode, self.last) {
            (Mode::Burst, Some(last)) if ready.contains(&last) => {
                if random.below(Stream::Schedule, 16) > 0 { last } else { any(ready, random) }
            }
            (Mode::Priority, _) => {
                *ready.iter().max_by_key(|actor| self.rank(**actor)).unwrap_or(&ready[0])
            }
            (Mode::Starve, _) => {
                let is_fed = |actor: &Actor| !self.rank(*actor).is_multiple_of(3);
                let fed: Vec<_> = ready.iter().copied().filter(is_fed).collect();
                any(if fed.is_empty() { ready } else { &fed }, random)
            }
            _ => any(ready, random),
        };
        self.last = Some(chosen);
        chosen
    }

    /// Returns the priority of an actor in this turn.
    const fn rank(&self, actor: Actor) -> u32 {
        let number = match actor {
            // Time passes only when it has to: a clock that goes first leaves no time to others.
            Actor::Clock => return 0,
            Actor::Coordinator => 1,
            Actor::Network => 2,
            Actor::Sink => 3,
            Actor::Source(index) => 4 + index as u32,
            Actor::Task(index) => 8 + index as u32,
            Actor::Upload(index) => 16 + index as u32,
        };
        // An odd multiplier shuffles the numbers without ties.
        1 + ((number + self.turn).wrapping_mul(0x9e37_79b1) >> 8)
    }
}

fn any(ready: &[Actor], random: &mut Random) -> Actor {
    ready[random.index(Stream::Schedule, ready.len())]
}

/// How many steps a turn has on average.
const TURN_STEPS: u32 = 200;
