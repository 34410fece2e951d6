//! How far event time has come: of one input, and of several together.

/// How far the event time of one input has come: its highest time so far, minus the lateness that
/// is allowed for.
///
/// A row is judged by the watermark before it. After a restore it begins anew: whoever reads the
/// input again knows the highest time, and keeps it with the position.
///
/// ```
/// use holdwater::timer::Watermark;
///
/// let mut watermark = Watermark::new(10);
/// assert_eq!(watermark.time(), i64::MIN);
/// assert!(watermark.observe(100));
/// assert!(!watermark.observe(95));
/// assert_eq!(watermark.time(), 90);
/// watermark.end();
/// assert_eq!(watermark.time(), i64::MAX);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watermark {
    lateness: i64,
    time: i64,
}

impl Watermark {
    /// Stands before all times. `lateness` is in milliseconds; below zero counts as zero.
    pub const fn new(lateness: i64) -> Self {
        let lateness = if lateness < 0 { 0 } else { lateness };
        Self { lateness, time: i64::MIN }
    }

    /// Returns the watermark, in milliseconds since 1970 UTC: `i64::MIN` before the first row,
    /// `i64::MAX` at the end.
    #[inline]
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Takes note of a row's time; returns whether the watermark went on. It never goes back.
    #[inline]
    pub const fn observe(&mut self, time: i64) -> bool {
        let reached = time.saturating_sub(self.lateness);
        let later = reached > self.time;
        if later {
            self.time = reached;
        }
        later
    }

    /// Takes note that the input has ended: no more rows come.
    pub const fn end(&mut self) {
        self.time = i64::MAX;
    }
}

/// How far the event time of several inputs has come together: as far as that of the last of them.
///
/// `T` holds a time for each input: an array, or a vector.
///
/// ```
/// use holdwater::timer::Watermarks;
///
/// let mut watermarks = Watermarks::new([i64::MIN; 2]);
/// assert_eq!(watermarks.advance(0, 70), None);
/// assert_eq!(watermarks.advance(1, 50), Some(50));
/// assert_eq!(watermarks.advance(1, i64::MAX), Some(70));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watermarks<T> {
    inputs: T,
    lowest: i64,
}

impl<T: AsRef<[i64]> + AsMut<[i64]>> Watermarks<T> {
    /// Begins with the watermark of each input, at least one: `i64::MIN` for one that is not known.
    ///
    /// # Panics
    ///
    /// Without an input.
    pub fn new(inputs: T) -> Self {
        let lowest = lowest(inputs.as_ref());
        Self { inputs, lowest }
    }

    /// Returns the watermark of all inputs together.
    pub const fn time(&self) -> i64 {
        self.lowest
    }

    /// Takes note of the watermark of one input, which never goes back; returns the one of all
    /// inputs if that went on.
    ///
    /// # Panics
    ///
    /// If there is no such input.
    pub fn advance(&mut self, input: usize, time: i64) -> Option<i64> {
        let inputs = self.inputs.as_mut();
        let known = inputs.get_mut(input).expect("a watermark comes from one of the inputs");
        let was_last = *known == self.lowest;
        *known = time.max(*known);
        if !was_last {
            return None;
        }
        let reached = lowest(inputs);
        let later = reached > self.lowest;
        self.lowest = reached;
        later.then_some(reached)
    }
}

fn lowest(inputs: &[i64]) -> i64 {
    *inputs.iter().min().expect("there is at least one input")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_never_goes_back_and_stays_within_the_times_there_are() {
        let mut watermark = Watermark::new(5);
        assert!(!watermark.observe(i64::MIN + 3));
        assert_eq!(watermark.time(), i64::MIN);
        assert!(watermark.observe(0) && !watermark.observe(-1));
        assert_eq!(watermark.time(), -5);
        watermark.end();
        assert!(!watermark.observe(7));
        assert_eq!(watermark.time(), i64::MAX);
        assert_eq!(Watermark::new(-3), Watermark::new(0));
    }

    #[test]
    fn the_last_input_holds_all_back() {
        let mut watermarks = Watermarks::new([i64::MIN; 3]);
        let steps = [(0, 10), (1, 5), (2, 7), (1, 9), (2, 3), (2, 20), (1, 20), (0, 15)];
        let mut expected = [i64::MIN; 3];
        for (input, time) in steps {
            let before = *expected.iter().min().unwrap();
            expected[input] = expected[input].max(time);
            let after = *expected.iter().min().unwrap();
            let advanced = watermarks.advance(input, time);
            assert_eq!(advanced, (after > before).then_some(after));
            assert_eq!(watermarks.time(), after);
        }
    }
}
