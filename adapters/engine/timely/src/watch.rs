//! Who is silent: beats that are not answered.

use std::time::{Duration, Instant};

/// Beats that the first worker sends, and who has answered which.
///
/// Silence is counted in beats, not by the clock: a process that was itself suspended for a while
/// has sent none meanwhile, and blames nobody.
#[derive(Debug)]
pub(crate) struct Watch {
    interval: Duration,
    last: Option<Instant>,
    sent: u64,
    /// By each worker, the newest beat.
    answered: Vec<u64>,
    is_armed: bool,
}

impl Watch {
    /// Watches `workers` workers, each of which may be silent for `patience`.
    pub(crate) fn new(workers: usize, patience: Duration) -> Self {
        let interval = interval(patience);
        Self { interval, last: None, sent: 0, answered: vec![0; workers], is_armed: false }
    }

    /// Returns the number of the beat that is due, if one is.
    pub(crate) fn beat(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            return None;
        }
        self.last = Some(now);
        self.sent += 1;
        Some(self.sent)
    }

    /// Takes note that a worker has answered a beat.
    pub(crate) fn answered(&mut self, worker: usize, beat: u64) {
        if let Some(answered) = self.answered.get_mut(worker) {
            *answered = beat.max(*answered);
        }
    }

    /// Begins to count, once every worker has loaded its states: it answers nothing meanwhile.
    pub(crate) fn arm(&mut self) {
        self.is_armed = true;
        self.answered.fill(self.sent);
    }

    /// Counts no more, while workers load.
    pub(crate) fn disarm(&mut self) {
        self.is_armed = false;
    }

    /// Returns the worker that has been silent for too long.
    pub(crate) fn silent(&self) -> Option<usize> {
        let is_silent = |answered: &u64| self.sent - answered > BEATS;
        self.answered.iter().position(is_silent).filter(|_| self.is_armed)
    }
}

/// Beats of the first worker, as another process hears them.
#[derive(Debug)]
pub(crate) struct Heard {
    interval: Duration,
    last: Option<Instant>,
    beat: u64,
    missed: u64,
}

impl Heard {
    /// Listens to beats that may not stay away for `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { interval: interval(patience), last: None, beat: 0, missed: 0 }
    }

    /// Returns, once, that the beats have stayed away for too long; `beat` is the newest one heard.
    pub(crate) fn is_silent(&mut self, now: Instant, beat: u64) -> bool {
        if self.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            return false;
        }
        self.last = Some(now);
        self.missed = if beat == self.beat { self.missed + 1 } else { 0 };
        self.beat = beat;
        // One more than the first process has patience for: it knows better who is silent.
        self.missed == BEATS + 2
    }
}

fn interval(patience: Duration) -> Duration {
    patience / BEATS as u32
}

/// How many beats may stay away.
const BEATS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_worker_that_answers_nothing_is_named_after_the_patience() {
        let (start, mut watch) = (Instant::now(), Watch::new(3, PATIENCE));
        watch.arm();
        for second in 0..=10 {
            assert_eq!(watch.silent(), None, "after {second} s");
            let beat = watch.beat(start + Duration::from_secs(second)).unwrap();
            watch.answered(0, beat);
            watch.answered(2, beat);
        }
        assert_eq!(watch.silent(), Some(1));
    }

    #[test]
    fn nobody_is_blamed_by_a_process_that_was_suspended_or_while_states_are_loaded() {
        let (start, mut watch) = (Instant::now(), Watch::new(1, PATIENCE));
        for second in 0..100 {
            watch.beat(start + Duration::from_secs(second));
        }
        assert_eq!(watch.silent(), None, "workers load");
        watch.arm();
        watch.beat(start + Duration::from_secs(5000)).unwrap();
        assert_eq!(watch.silent(), None, "one beat is not answered yet");
        assert_eq!(watch.beat(start + Duration::from_secs(5000)), None);
    }

    #[test]
    fn a_first_worker_that_is_silent_is_noticed() {
        let (start, mut heard) = (Instant::now(), Heard::new(PATIENCE));
        let at = |second| start + Duration::from_secs(second);
        assert!((0..30).all(|second| !heard.is_silent(at(second), second + 1)));
        let silent = (30..60).position(|second| heard.is_silent(at(second), 30)).unwrap();
        assert_eq!(silent, 11);
    }
}
