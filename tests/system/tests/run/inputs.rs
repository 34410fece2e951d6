//! Inputs that are no files, paced inputs, inputs that cannot be read.

use std::time::{Duration, Instant};

use holdwater_system::expected::expected;
use holdwater_system::generate::{COLUMNS, rows};
use holdwater_system::place::Place;
use holdwater_system::rows::assert_same;

#[test]
fn standard_input_is_an_input_like_any_other() {
    let place = Place::new();
    let (left, right) = (rows(1, 5_000, 50), rows(2, 5_000, 50));
    place.write("left.csv", &left.to_csv());
    let specs = ["count", "sum:amount", "distinct:word"];
    let wanted = expected(&[&left, &right], &["key"], &specs);

    let job = "run --input left.csv --input - --key key --agg count sum:amount distinct:word";
    let done = place.holdwater(job).finish_with(&right.to_csv()).succeeded();
    assert_same(&done.rows(), &wanted);

    let alone = "run --input - --format jsonl --key shop --agg count sum:price";
    let wanted = expected(&[&left], &["shop"], &["count", "sum:price"]);
    let done = place.holdwater(alone).finish_with(&left.to_jsonl()).succeeded();
    assert_same(&done.rows(), &wanted);
}

#[test]
fn standard_input_is_given_again_from_its_start_and_checked() {
    let place = Place::new();
    let all = rows(3, 9_000, 40);
    let first = all.first(5_000);
    let specs = ["count", "sum:amount", "collect:amount"];
    let job = "run --input - --key key --agg count sum:amount collect:amount --checkpoints dir";

    let done = place.holdwater(job).finish_with(&first.to_csv()).succeeded();
    assert_same(&done.rows(), &expected(&[&first], &["key"], &specs));
    let done = place.holdwater(job).finish_with(&all.to_csv()).succeeded();
    assert_same(&done.rows(), &expected(&[&all], &["key"], &specs));

    let other = rows(4, 9_000, 40).to_csv();
    place.holdwater(job).finish_with(&other).refused(3, &["standard input", "--fresh"]);
    let short = first.to_csv();
    place.holdwater(job).finish_with(&short).refused(3, &["standard input", "--fresh"]);
}

#[test]
fn a_rate_is_kept_by_all_inputs_together() {
    let place = Place::new();
    place.write("a.csv", &rows(5, 200, 10).to_csv());
    place.write("b.csv", &rows(6, 200, 10).to_csv());
    let begun = Instant::now();
    let job = "run --input a.csv --input b.csv --key shop --agg count --rate 400";
    let done = place.holdwater(job).succeed();
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
    let total: u64 = done.rows().column("count").map(|count| count.parse::<u64>().unwrap()).sum();
    assert_eq!(total, 400);
}

#[test]
fn an_input_that_cannot_be_read_is_named() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.write("good.csv", "k,v\na,1\n");
    std::fs::create_dir(place.path("folder")).unwrap();
    for (name, said) in
        [("absent.csv", "absent.csv"), ("folder", "folder"), ("empty.csv", "header")]
    {
        let job = format!("run --input good.csv --input {name} --key k --agg count");
        place.holdwater(&job).refuse(1, &[name, said]);
    }
}

#[test]
fn a_missing_column_lists_those_that_are_there() {
    let place = Place::new();
    place.write("a.csv", &rows(7, 3, 3).to_csv());
    for job in ["--key origin --agg count", "--key key --agg count max:origin"] {
        let mut said = vec!["a.csv", "origin"];
        said.extend(COLUMNS);
        place.holdwater(&format!("run --input a.csv {job}")).refuse(1, &said);
    }
}

#[test]
fn two_columns_of_one_name_are_refused_where_a_job_reads_them() {
    let place = Place::new();
    place.write("a.csv", "k,v,v\na,1,2\n");
    place.holdwater("run --input a.csv --key k --agg sum:v").refuse(1, &["a.csv", "v"]);
    let done = place.holdwater("run --input a.csv --key k --agg count").succeed();
    assert_eq!(done.stdout, "k,count\na,1\n");
}

#[test]
fn an_input_given_twice_counts_twice() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,1\na,2\n");
    let job = "run --input a.csv --input a.csv --key k --agg count sum:v distinct:v";
    assert_eq!(place.holdwater(job).succeed().stdout, "k,count,sum:v,distinct:v\na,4,6,2\n");
}

#[test]
fn inputs_are_matched_by_their_order() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.write(&format!("{name}.csv"), &format!("k,v\n{name},1\n{name},2\n"));
    }
    let job = "run --key k --agg count last:v --checkpoints dir --input";
    let wanted = "k,count,last:v\na,2,2\nb,2,2\n";
    assert_eq!(place.holdwater(&format!("{job} a.csv --input b.csv")).succeed().stdout, wanted);
    place.holdwater(&format!("{job} b.csv --input a.csv")).refuse(3, &["has changed", "--fresh"]);
    // Their names are of no concern.
    std::fs::rename(place.path("a.csv"), place.path("c.csv")).unwrap();
    place.append("c.csv", "a,3\n");
    let grown = place.holdwater(&format!("{job} c.csv --input b.csv")).succeed();
    assert_eq!(grown.stdout, wanted.replace("a,2,2", "a,3,3"));
}

#[test]
fn the_last_value_of_a_key_is_the_last_of_one_of_its_inputs() {
    let place = Place::new();
    let inputs = ["a", "b"].map(|name| {
        let lines = (0..5_000).map(|row| format!("k{},{name}{row}\n", row % 10));
        place.write(&format!("{name}.csv"), &format!("k,v\n{}", lines.collect::<String>()));
        name
    });
    let job = "run --input a.csv --input b.csv --key k --agg last:v --parallelism 3";
    let found = place.holdwater(job).succeed().rows();
    assert_eq!(found.rows.len(), 10);
    for row in &found.rows {
        let last = 4_990 + row[0][1..].parse::<u32>().unwrap();
        assert!(inputs.iter().any(|name| row[1] == format!("{name}{last}")), "{row:?}");
    }
}

#[test]
fn progress_is_not_shown_to_a_program() {
    let place = Place::new();
    place.write("a.csv", &rows(8, 100, 3).to_csv());
    for more in ["", "--progress auto", "--progress never"] {
        let job = format!("run --input a.csv --key key --agg count --rate 300 {more}");
        assert_eq!(place.holdwater(&job).succeed().stderr, "", "{more}");
    }
}
