//! What rows take in memory, as the README says.

use core::mem::size_of;

use holdwater::key::In;
use holdwater::state::Backend;
use holdwater::window::Window;
use holdwater_fixed::Fixed;

/// A store of so many rows, and of tasks that own one group.
type Store<const N: usize> = Fixed<N, 1>;

/// Bytes that each row takes, given what a state of 64 rows takes, and one of 128.
fn per_row(less: usize, more: usize) -> usize {
    (more - less) / 64
}

#[test]
fn a_row_takes_what_the_readme_says() {
    macro_rules! row {
        ($kind:ident<$($of:ty),*>) => {
            (
                stringify!($kind<$($of),*>).replace(' ', "").replace(',', ", "),
                per_row(
                    size_of::<<Store<64> as Backend>::$kind<$($of),*>>(),
                    size_of::<<Store<128> as Backend>::$kind<$($of),*>>(),
                ),
            )
        };
    }
    let rows = [
        row!(Value<u32, i64>),
        row!(Value<In<u32, Window>, i64>),
        row!(List<u32, u32>),
        row!(Map<u32, u32, i64>),
        row!(OrderedMap<u32, u32, i64>),
        row!(Timers<u32>),
    ];
    let said: Vec<_> = include_str!("../README.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .map(|(state, bytes)| (state.to_owned(), bytes.parse().unwrap_or(0)))
        .collect();
    assert_eq!(said, rows);
}

#[test]
fn a_state_takes_a_little_for_each_group_beside_its_rows() {
    let of_groups = |less: usize, more: usize| (more - less) as f64 / 64.0;
    let less = size_of::<<Fixed<64, 64> as Backend>::Value<u32, i64>>();
    let more = size_of::<<Fixed<64, 128> as Backend>::Value<u32, i64>>();
    let said = include_str!("../README.md");
    let words = format!("{} bytes for each of `G` groups", of_groups(less, more));
    assert!(said.contains(&words), "{words}");
}
