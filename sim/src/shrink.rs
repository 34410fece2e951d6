//! Shrinks a run that fails: decisions are taken back, as long as the same property still does not
//! hold, until what is left is about what it takes.
//!
//! The idea is that of delta debugging (Zeller, Hildebrandt 2002) on the decisions instead of the
//! input: on a [`Tape`] 0 is the decision that is likeliest to be without consequence, and behind
//! its end all are 0.

use crate::check::Check;
use crate::random::{Random, Stream, Tape};
use crate::story::Story;
use crate::world::Outcome;

/// A run that fails with few decisions.
#[derive(Debug)]
pub struct Shrunk {
    /// What is left of the decisions.
    pub tape: Tape,
    /// What they lead to, told.
    pub outcome: Outcome,
    /// How many runs it took.
    pub runs: u64,
}

/// Shrinks the decisions of a run that fails, in at most `runs_max` runs; `tell` is told how many
/// there were. Returns nothing if the run does not fail.
pub fn shrink(
    tape: &Tape,
    run: impl Fn(Random, Story) -> Outcome,
    runs_max: u64,
    tell: impl FnMut(u64),
) -> Option<Shrunk> {
    let first = run(Random::replay(0, tape).recording(), Story::default());
    let check = first.violation?.check;
    let mut search = Search { run, tell, check, best: first.tape?, runs: 1, runs_max };
    loop {
        let before = weight(&search.best);
        for (stream, acts) in ORDER {
            for act in acts {
                search.pass(stream, *act);
            }
        }
        if weight(&search.best) == before || search.runs >= runs_max {
            break;
        }
    }
    let Search { run, best: tape, runs, .. } = search;
    let outcome = run(Random::replay(0, &tape), Story::told());
    Some(Shrunk { tape, outcome, runs })
}

struct Search<R, T> {
    run: R,
    tell: T,
    check: Check,
    best: Tape,
    runs: u64,
    runs_max: u64,
}

/// What is done to some decisions of a stream that stand side by side.
#[derive(Clone, Copy)]
enum Act {
    /// They become the least eventful ones.
    Calm,
    /// They are left out, and those behind them come earlier.
    LeaveOut,
}

impl<R: Fn(Random, Story) -> Outcome, T: FnMut(u64)> Search<R, T> {
    /// Tries an act on more and more, smaller and smaller pieces of a stream.
    fn pass(&mut self, stream: Stream, act: Act) {
        let places = |tape: &Tape| -> Vec<usize> {
            let draws = tape.draws.iter().enumerate();
            draws.filter(|(_, draw)| draw.stream == stream).map(|(place, _)| place).collect()
        };
        let mut size = places(&self.best).len();
        while size > 0 && self.runs < self.runs_max {
            let mut start = 0;
            loop {
                let places = places(&self.best);
                let Some(piece) = places.get(start..).filter(|rest| !rest.is_empty()) else {
                    break;
                };
                let piece = &piece[..size.min(piece.len())];
                let improved = self.attempt(changed(&self.best, piece, act));
                // What was left out made room for what stands behind it.
                start += if improved && matches!(act, Act::LeaveOut) { 0 } else { size };
                if self.runs >= self.runs_max {
                    break;
                }
            }
            size /= 2;
        }
    }

    /// Keeps a tape if it fails the same way and weighs less.
    fn attempt(&mut self, candidate: Option<Tape>) -> bool {
        let Some(candidate) = candidate else { return false };
        self.runs += 1;
        (self.tell)(self.runs);
        let outcome = (self.run)(Random::replay(0, &candidate).recording(), Story::default());
        let fails = outcome.violation.is_some_and(|violation| violation.check == self.check);
        match outcome.tape {
            // As it was drawn: without what nobody asked for.
            Some(tape) if fails && weight(&tape) < weight(&self.best) => {
                self.best = tape;
                true
            }
            _ => false,
        }
    }
}

/// Returns the tape with the act done, or nothing if that changes nothing.
fn changed(tape: &Tape, piece: &[usize], act: Act) -> Option<Tape> {
    let mut tape = tape.clone();
    match act {
        Act::Calm => {
            if piece.iter().all(|place| tape.draws[*place].value == 0) {
                return None;
            }
            piece.iter().for_each(|place| tape.draws[*place].value = 0);
        }
        Act::LeaveOut => {
            let (mut place, mut left_out) = (0, piece.iter().peekable());
            tape.draws.retain(|_| {
                let is_left_out = left_out.next_if_eq(&&place).is_some();
                place += 1;
                !is_left_out
            });
        }
    }
    Some(tape)
}

/// Returns how much a run is to be understood: decisions, and once more those with consequences.
fn weight(tape: &Tape) -> usize {
    tape.draws.len() + tape.draws.iter().filter(|draw| draw.value != 0).count()
}

/// First what fails, then how large the job is, then who is next.
const ORDER: [(Stream, &[Act]); 8] = [
    (Stream::Config, &[Act::Calm]),
    (Stream::Crashes, &[Act::Calm]),
    (Stream::Faults, &[Act::Calm]),
    (Stream::Network, &[Act::Calm, Act::LeaveOut]),
    (Stream::Outputs, &[Act::Calm]),
    (Stream::Remains, &[Act::Calm]),
    (Stream::Workload, &[Act::Calm]),
    (Stream::Schedule, &[Act::LeaveOut, Act::Calm]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::site::SITES;
    use crate::world::World;

    /// Runs what `random` says, without the sync of a file before it is acknowledged.
    fn broken(mut random: Random, story: Story) -> Outcome {
        let mut config = Config::draw(&mut random);
        config.without_sync = SITES.into_iter().find(|site| site.is_sync());
        World::new(config, random, story).run()
    }

    #[test]
    fn a_run_that_fails_shrinks_to_a_small_one_that_fails_the_same_way_and_is_replayed() {
        let failed = (0..500).find_map(|seed| {
            let outcome = broken(Random::new(seed).recording(), Story::default());
            outcome.violation.is_some().then_some(outcome)
        });
        let failed = failed.unwrap();
        let (tape, violation) = (failed.tape.unwrap(), failed.violation.unwrap());
        let mut told = 0;
        let shrunk = shrink(&tape, broken, 400, |runs| told = runs).unwrap();
        assert!(shrunk.runs <= 400 && told == shrunk.runs, "{told} {}", shrunk.runs);
        assert!(
            weight(&shrunk.tape) * 2 < weight(&tape),
            "{} {}",
            weight(&shrunk.tape),
            weight(&tape)
        );
        assert_eq!(
            shrunk.outcome.violation.map(|violation| violation.check),
            Some(violation.check)
        );
        let text = shrunk.tape.to_string();
        let again = broken(Random::replay(0, &text.parse().unwrap()), Story::default());
        assert_eq!(again.story.hash(), shrunk.outcome.story.hash());
    }

    #[test]
    fn a_run_that_does_not_fail_does_not_shrink() {
        let fine = crate::world::run_random(Random::new(1).recording(), Story::default());
        let shrunk = shrink(&fine.tape.unwrap(), crate::world::run_random, 10, |_| ());
        assert!(shrunk.is_none());
    }
}
