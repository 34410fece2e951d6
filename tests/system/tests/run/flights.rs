//! The main job, on real flights.

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

#[test]
fn flights_per_origin_equal_an_independent_computation() {
    let (place, flights) = Place::with_flights();
    let specs = ["count", "mean:delay", "distinct:destination"];
    let wanted = expected(&[&flights], &["origin"], &specs);
    assert!(wanted.rows.len() > 50);

    let job = "run --input flights.csv --key origin --agg count mean:delay distinct:destination";
    assert_same(&place.holdwater(job).succeed().rows(), &wanted);
}

#[test]
fn every_spec_equals_an_independent_computation_at_any_parallelism() {
    let (place, flights) = Place::with_flights();
    let wanted = expected(&[&flights], &["origin"], &EVERY);

    for more in [
        "--parallelism 1",
        "--parallelism 2 --key-groups 2",
        "--parallelism 5",
        "--parallelism 3 --checkpoints a --checkpoint-every 1500rows --full-every 3",
        "--parallelism 2 --checkpoints b --checkpoint-every 5000rows --sync-snapshots",
        "--parallelism 2 --checkpoints c --checkpoint-every 1ms --guarantee at-least-once",
    ] {
        let job = format!("run --input flights.csv --key origin --agg {} {more}", EVERY.join(" "));
        assert_same(&place.holdwater(&job).succeed().rows(), &wanted);
    }
}

#[test]
fn a_key_of_two_fields_is_a_pair() {
    let (place, flights) = Place::with_flights();
    let specs = ["count", "max:delay", "collect:distance"];
    let wanted = expected(&[&flights], &["origin", "destination"], &specs);

    let job = "run --input flights.csv --key origin,destination \
               --agg count --agg max:delay collect:distance --parallelism 2";
    assert_same(&place.holdwater(job).succeed().rows(), &wanted);
}

#[test]
fn json_lines_come_to_the_same_and_are_written_too() {
    let (place, flights) = Place::with_flights();
    place.write("flights.jsonl", &flights.to_jsonl());
    let wanted = expected(&[&flights], &["origin"], &EVERY);
    let job = format!("run --key origin --agg {} --parallelism 2", EVERY.join(" "));

    let job_to_csv = format!("{job} --input flights.jsonl");
    assert_same(&place.holdwater(&job_to_csv).succeed().rows(), &wanted);
    let job_to_jsonl = format!("{job} --input flights.csv --format-out jsonl");
    let written = place.holdwater(&job_to_jsonl).succeed().stdout;
    assert_same(&Rows::from_jsonl(&written), &wanted);
}

#[test]
fn several_inputs_are_added_up_and_each_keeps_its_order() {
    let (place, flights) = Place::with_flights();
    let mut parts = [0, 1, 2].map(|part| flights.share(part, 3));
    for (index, (part, mark)) in parts.iter_mut().zip(["a", "b", "c"]).enumerate() {
        // A column that tells where a row comes from.
        part.columns.push("mark".to_owned());
        for (number, row) in part.rows.iter_mut().enumerate() {
            row.push(format!("{mark}{number}"));
        }
        // Each input has its columns in another order.
        let mut shifted = part.clone();
        for row in std::iter::once(&mut shifted.columns).chain(&mut shifted.rows) {
            row.rotate_left(index);
        }
        place.write(&format!("{mark}.csv"), &shifted.to_csv());
    }
    let inputs = "run --input a.csv --input b.csv --input c.csv --key origin --parallelism 2";

    let specs = ["count", "sum:delay", "mean:delay", "min:date", "max:distance"];
    let wanted = expected(&parts.each_ref(), &["origin"], &specs);
    let job = format!("{inputs} --agg {}", specs.join(" "));
    assert_same(&place.holdwater(&job).succeed().rows(), &wanted);

    let collected = place.holdwater(&format!("{inputs} --agg collect:mark")).succeed().rows();
    for (part, mark) in parts.iter().zip(["a", "b", "c"]) {
        let mut of_part = Rows::new(&["origin", "collect:mark"]);
        for row in &collected.rows {
            let marks: Vec<_> = row[1].split(';').filter(|cell| cell.starts_with(mark)).collect();
            if !marks.is_empty() {
                of_part.rows.push(vec![row[0].clone(), marks.join(";")]);
            }
        }
        assert_same(&of_part, &expected(&[part], &["origin"], &["collect:mark"]));
    }
}

const EVERY: [&str; 9] = [
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
