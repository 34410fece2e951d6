//! `--ttl` without `--time`: keys of which no row comes expire by the clock.

use std::thread::sleep;
use std::time::Duration;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::assert_same;

const SPECS: [&str; 8] = [
    "count",
    "sum:delay",
    "min:delay",
    "max:destination",
    "mean:distance",
    "last:date",
    "distinct:destination",
    "collect:delay",
];

#[test]
fn what_has_not_expired_is_as_without_a_time_to_live() {
    let (place, flights) = Place::with_flights();
    for specs in [&SPECS[..], &SPECS[6..]] {
        let job = format!("run --input flights.csv --key origin --agg {}", specs.join(" "));
        let wanted = expected(&[&flights], &["origin"], specs);
        let more = "--ttl 9999d --checkpoints dir --fresh --checkpoint-every 3000rows";
        assert_same(&place.holdwater(&format!("{job} {more}")).succeed().rows(), &wanted);
        place.holdwater("verify dir --deep").succeed();
    }
}

#[test]
fn keys_of_which_no_row_came_for_so_long_have_no_row_in_the_results() {
    let place = Place::new();
    let job = "run --input in.csv --key k --agg count distinct:v collect:v --checkpoints dir";
    place.write("in.csv", "k,v\na,1\na,2\n");
    place.holdwater(&format!("{job} --ttl 1ms")).succeed();
    sleep(MOMENT);
    place.append("in.csv", "b,3\n");
    let rows = place.holdwater(&format!("{job} --ttl 1ms")).succeed().rows();
    assert!(rows.column("k").all(|key| key == "b"), "{rows:?}");
    // One that comes again begins anew.
    place.append("in.csv", "a,4\n");
    let rows = place.holdwater(&format!("{job} --ttl 9999d")).succeed().rows();
    let row = rows.rows.iter().find(|row| row[0] == "a").unwrap();
    assert_eq!(row[1..], ["1", "1", "4"]);
}

#[test]
fn a_time_to_live_is_given_changed_and_taken_from_one_run_to_the_next() {
    let place = Place::new();
    place.write("in.csv", "k,v\na,1\nb,1\n");
    let run = |row: &str, ttl: &str| {
        place.append("in.csv", row);
        let job = "run --input in.csv --key k --agg count collect:v --checkpoints dir";
        let rows = place.holdwater(&format!("{job} {ttl}")).succeed().rows();
        rows.sorted().rows.into_iter().map(|row| row.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(run("", ""), ["a 1 1", "b 1 1"]);
    assert_eq!(run("a,2\n", "--ttl 9999d"), ["a 2 1;2", "b 1 1"]);
    assert_eq!(run("b,2\n", "--ttl 99999d"), ["a 2 1;2", "b 2 1;2"]);
    assert_eq!(run("a,3\n", ""), ["a 3 1;2;3", "b 2 1;2"]);
    sleep(MOMENT);
    // Given anew, it begins with the checkpoint.
    let short = run("c,1\n", "--ttl 1ms");
    assert!(short.iter().all(|row| row == "c 1 1"), "{short:?}");
    let plain = run("d,1\n", "");
    assert!(plain.iter().all(|row| row == "c 1 1" || row == "d 1 1"), "{plain:?}");
    assert_eq!(plain.last().map(String::as_str), Some("d 1 1"));
}

#[test]
fn a_checkpoint_of_what_expires_is_shown_without_its_stamps_and_copied_with_them() {
    let (place, flights) = Place::with_flights();
    let job = format!("run --input flights.csv --key origin --agg {}", SPECS.join(" "));
    let checkpoints = "--checkpoint-every 1h --output out.csv";
    place.run_in_parts(
        &format!("{job} {checkpoints} --checkpoints dir"),
        "flights.csv",
        &flights,
        2,
    );
    let kept = format!("{job} {checkpoints} --ttl 9999d");
    place.run_in_parts(&format!("{kept} --checkpoints kept"), "flights.csv", &flights, 2);
    place.holdwater("savepoint kept copy").succeed();
    for spec in SPECS {
        let dump = |directory: &str| {
            let line = format!("dump {directory} --state {spec} --format csv");
            place.holdwater(&line).succeed().rows().sorted()
        };
        assert_eq!(dump("kept"), dump("dir"), "{spec}");
        assert_eq!(dump("copy"), dump("dir"), "{spec}");
    }
    let inspected = place.holdwater("inspect copy").succeed().stdout;
    assert!(inspected.contains("{ origin: String } -> u64, for 9999d by the clock"), "{inspected}");
    place.holdwater("verify copy --deep").succeed();
    place.holdwater(&format!("{kept} --checkpoints new --from copy")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&flights], &["origin"], &SPECS));
}

#[test]
fn a_time_to_live_is_a_duration() {
    let (place, _) = Place::with_flights();
    for ttl in ["7", "0s", "-1d", "1w", "99999999999999999999d"] {
        let line = format!("run --input flights.csv --key origin --agg count --ttl={ttl}");
        place.holdwater(&line).refuse(2, &["--ttl"]);
    }
}

/// More than the shortest time to live.
const MOMENT: Duration = Duration::from_millis(20);
