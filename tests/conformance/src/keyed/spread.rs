//! Numbers in windows to be joined, as Flink's tests of merging have them.

/// The numbers of one key.
pub(super) struct Spread {
    pub(super) key: &'static str,
    /// Windows 1 to 3, and the numbers in each.
    pub(super) windows: &'static [(u8, &'static [i32])],
}

/// Five numbers of 165 in all, spread over the windows of five keys in five ways.
pub(super) const SPREAD: [Spread; 5] = [
    Spread { key: "abc", windows: &[(1, &[33, 55]), (2, &[22, 11]), (3, &[44])] },
    Spread { key: "def", windows: &[(1, &[11, 44]), (3, &[22, 55, 33])] },
    Spread { key: "ghi", windows: &[] },
    Spread { key: "jkl", windows: &[(1, &[11, 22, 33, 44, 55])] },
    Spread { key: "mno", windows: &[(3, &[11, 22, 33, 44, 55])] },
];
