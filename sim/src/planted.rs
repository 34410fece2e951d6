//! Planted bugs: what each is, and which must be found. A bug that survives shows a hole in the
//! fault model or in the checks.

use std::fmt;

/// A planted bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bug {
    /// Its number.
    pub number: u8,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{} {}", self.number, self.what)
    }
}

/// Every bug that can be planted.
pub const BUGS: [Bug; 30] = {
    const fn bug(number: u8, what: &'static str) -> Bug {
        Bug { number, what }
    }
    [
        bug(1, "inputs are not blocked while barriers are brought together"),
        bug(2, "a task acknowledges before its file is synced"),
        bug(3, "a manifest is published without being synced"),
        bug(4, "a checkpoint is complete without its name being synced"),
        bug(5, "a transaction is committed when it is prepared"),
        bug(6, "a restore does not commit what the checkpoint names"),
        bug(7, "a restore does not abort the other transactions"),
        bug(8, "acknowledgements are counted, not kept as a set"),
        bug(9, "the number in an acknowledgement is ignored"),
        bug(10, "the parent is removed before the new checkpoint is published"),
        bug(11, "a snapshot is written from the state as it is by then"),
        bug(12, "the position of a source is one too far"),
        bug(13, "a recovery gives up at the first damaged manifest"),
        bug(14, "files are named without their epoch"),
        bug(15, "the epoch in an acknowledgement is ignored"),
        bug(16, "an alignment that was given up leaves its marks"),
        bug(17, "a barrier overtakes results that wait to be sent"),
        bug(18, "a notice commits everything that is pending"),
        bug(20, "the last key group of a share is not read"),
        bug(21, "an error of syncing a file is ignored"),
        bug(24, "a notice commits its own checkpoint alone"),
        bug(25, "files that an older checkpoint shares are removed"),
        bug(27, "the position of a source is one too near"),
        bug(28, "an alignment that was given up leaves inputs blocked"),
        bug(34, "a publication of unknown outcome is taken for failed"),
        bug(37, "what is in flight in one channel is stored as that of another"),
        bug(63, "files are named again that were not read whole"),
        bug(65, "each task restores what was in flight to all"),
        bug(66, "what was taken before the freeze is not logged"),
        bug(67, "the log of what is in flight ends with the first barrier"),
    ]
};

/// How a planted bug was found.
#[cfg(holdwater_planted)]
#[derive(Clone, Debug)]
pub struct Kill {
    /// How many seeds it took, or how many crash points behind all seeds.
    pub runs: u64,
    /// Whether a crash point found it, and no seed did.
    pub by_point: bool,
    /// What did not hold.
    pub violation: crate::check::Violation,
}

/// Plants a bug in the whole process, and searches `seeds` seeds and then the crash points for
/// a run that fails.
#[cfg(holdwater_planted)]
pub fn hunt(bug: &Bug, seeds: u64) -> Option<Kill> {
    use crate::points::{Extent, enumerate};
    use crate::story::Story;
    use crate::world::run_seed;

    holdwater::planted::plant(bug.number);
    let by_seed = (0..seeds).find_map(|seed| {
        let violation = run_seed(seed, Story::default()).violation?;
        Some(Kill { runs: seed + 1, by_point: false, violation })
    });
    let kill = by_seed.or_else(|| {
        let points = enumerate(Extent::ALL, None, |_| ());
        let (_, violation) = points.failed?;
        Some(Kill { runs: points.runs, by_point: true, violation })
    });
    holdwater::planted::plant(0);
    kill
}

/// What stands in front of the rows of docs/planted-bugs.md.
pub const TABLE: &str = "\
# Planted bugs

Each of these bugs is in the code, behind a cfg that no other build has, and is planted alone; the
simulator then has to find it. Which place each stands at is in protocol.md 8. This page is written
by `make planted-table`: how many seeds, or crash points behind all seeds, it took until a property
of `sim/src/check` did not hold, and which one.

| | what is wrong | found after | by the check of |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_planted_bugs_tells_how_each_was_found() {
        let page = include_str!("../../docs/planted-bugs.md");
        let rows = page.strip_prefix(TABLE).expect("`make planted-table` writes it");
        assert_eq!(rows.lines().count(), BUGS.len());
        for (row, bug) in rows.lines().zip(&BUGS) {
            assert!(row.starts_with(&format!("| P{} | {} | ", bug.number, bug.what)), "{row}");
        }
    }
}
