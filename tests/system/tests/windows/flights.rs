//! Windows over real flights.

use holdwater_system::generate::Random;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};
use holdwater_system::windows::{DAY, HOUR, MINUTE, Windows, disordered, windows};

const SPECS: [&str; 9] = [
    "count",
    "sum:delay",
    "min:delay",
    "max:delay",
    "mean:distance",
    "last:date",
    "distinct:destination",
    "collect:delay",
    "min:destination",
];

const KINDS: [(&str, Windows); 4] = [
    ("--window 1d", Windows::Tumbling(DAY)),
    ("--window 1d --slide 12h", Windows::Sliding(DAY, 12 * HOUR)),
    ("--window 10h --slide 7h", Windows::Sliding(10 * HOUR, 7 * HOUR)),
    ("--session 90m", Windows::Session(90 * MINUTE)),
];

fn job(specs: &[&str], flags: &str, more: &str) -> String {
    let specs = specs.join(" ");
    format!("run --input flights.csv --key origin --agg {specs} --time date {flags} {more}")
}

#[test]
fn windows_over_flights_equal_an_independent_computation_at_any_parallelism() {
    let (place, flights) = Place::with_flights();
    for (index, (flags, kind)) in KINDS.into_iter().enumerate() {
        let wanted = windows(&[&flights], &["origin"], &SPECS, "date", (kind, 0));
        assert_eq!(wanted.late, 0, "flights are in order");
        assert!(wanted.rows.rows.len() > 3_000, "{}", wanted.rows.rows.len());
        let checkpoints = format!("--checkpoints dir{index} --checkpoint-every 1700rows");
        let mut first = None;
        for more in ["--parallelism 1", &format!("{checkpoints} --full-every 3 --parallelism 3")] {
            let done = place.holdwater(&job(&SPECS, flags, more)).succeed();
            assert_same(&done.rows(), &wanted.rows);
            assert_eq!(*first.get_or_insert(done.stdout.clone()), done.stdout, "{flags} {more}");
        }
    }
}

#[test]
fn out_of_order_flights_within_the_lateness_come_to_the_same_as_in_order() {
    let (place, flights) = Place::with_flights();
    let input = disordered(&flights, "date", 3 * HOUR, &mut Random::new(7));
    assert_ne!(input, flights);
    place.write("flights.csv", &input.to_csv());
    // What does not depend on the order of rows; and what does.
    let (sums, lists) =
        (["count", "sum:delay", "distinct:destination"], ["last:date", "collect:delay"]);
    for (flags, kind) in KINDS {
        let in_order = windows(&[&flights], &["origin"], &sums, "date", (kind, 0));
        let more = "--lateness 3h --parallelism 2";
        let done = place.holdwater(&job(&sums, flags, more)).succeed();
        assert_same(&done.rows(), &in_order.rows);
        assert_eq!(done.stderr, "");
        let wanted = windows(&[&input], &["origin"], &lists, "date", (kind, 3 * HOUR));
        let done = place.holdwater(&job(&lists, flags, more)).succeed();
        assert_same(&done.rows(), &wanted.rows);
        assert_eq!((wanted.late, done.stderr.as_str()), (0, ""));
    }
}

#[test]
fn late_flights_are_left_out_and_counted_exactly_at_any_parallelism() {
    let (place, flights) = Place::with_flights();
    let input = disordered(&flights, "date", 2 * DAY, &mut Random::new(8));
    place.write("flights.csv", &input.to_csv());
    let specs = ["count", "collect:delay"];
    for (flags, kind) in &KINDS[..3] {
        for (parallelism, minutes) in [(1, 0), (4, 0), (3, 45)] {
            let lateness = (*kind, minutes * MINUTE);
            let wanted = windows(&[&input], &["origin"], &specs, "date", lateness);
            assert!(wanted.late > 500, "{}", wanted.late);
            let more = format!("--lateness {minutes}m --parallelism {parallelism}");
            let done = place.holdwater(&job(&specs, flags, &more)).succeed();
            assert_same(&done.rows(), &wanted.rows);
            assert_eq!(done.stderr, format!("late rows: {}\n", wanted.late));
        }
    }
}

#[test]
fn flights_as_json_lines_come_to_the_same_and_are_written_too() {
    let (place, flights) = Place::with_flights();
    place.write("flights.jsonl", &flights.to_jsonl());
    let wanted = windows(&[&flights], &["origin"], &SPECS, "date", (KINDS[0].1, 0));
    let job = job(&SPECS, KINDS[0].0, "--parallelism 2").replace("flights.csv", "flights.jsonl");
    let written = place.holdwater(&format!("{job} --format-out jsonl")).succeed().stdout;
    assert_same(&Rows::from_jsonl(&written), &wanted.rows);
    place.holdwater(&format!("{job} --output out.jsonl")).succeed();
    assert_same(&place.rows("out.jsonl"), &wanted.rows);
}
