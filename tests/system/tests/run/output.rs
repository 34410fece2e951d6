//! Where results go.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

#[test]
fn an_output_is_written_in_the_format_of_its_ending_or_in_the_one_given() {
    let place = Place::new();
    let input = rows(1, 2_000, 30);
    place.write("a.csv", &input.to_csv());
    let specs = ["count", "sum:price", "last:word", "mean:amount"];
    let wanted = expected(&[&input], &["key", "shop"], &specs);
    let job = "run --input a.csv --key key,shop --agg count sum:price last:word mean:amount";

    for name in ["out.csv", "out.jsonl", "out"] {
        let done = place.holdwater(&format!("{job} --output {name}")).succeed();
        assert_eq!(done.stdout, "");
        assert_same(&place.rows(name), &wanted);
    }
    place.holdwater(&format!("{job} --output a.jsonl --format-out csv")).succeed();
    assert_same(&Rows::from_csv(&place.read("a.jsonl")), &wanted);
    place.holdwater(&format!("{job} --output b.csv --format-out jsonl")).succeed();
    assert_same(&Rows::from_jsonl(&place.read("b.csv")), &wanted);
}

#[test]
fn columns_stand_in_the_order_of_the_command() {
    let place = Place::new();
    place.write("a.csv", "x,k,y\n1,a,2\n");
    let job = "run --input a.csv --key k,x --agg sum:y --agg count max:x";
    assert_eq!(place.holdwater(job).succeed().stdout, "k,x,sum:y,count,max:x\na,1,2,1,1\n");
}

#[test]
fn an_older_output_is_replaced_at_the_end_and_untouched_by_a_failed_job() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,1\na,x\n");
    place.write("out.csv", "older\n");
    let job = "run --input a.csv --key k --agg sum:v --output out.csv";
    place.holdwater(job).refuse(1, &["a.csv", "line 3"]);
    assert_eq!(place.read("out.csv"), "older\n");
    let mut names: Vec<_> = fs::read_dir(place.path(".")).unwrap().collect();
    assert_eq!(names.len(), 2, "{names:?}");

    place.holdwater(&format!("{job} --bad-rows skip")).succeed();
    assert_eq!(place.read("out.csv"), "k,sum:v\na,1\n");
    names = fs::read_dir(place.path(".")).unwrap().collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn an_output_does_not_appear_before_the_end() {
    let place = Place::new();
    place.write("a.csv", &rows(2, 2_000, 30).to_csv());
    let job = "run --input a.csv --key key --agg count --output out.csv \
               --checkpoints dir --checkpoint-every 100rows --rate 1000";
    let mut running = place.holdwater(job).start();
    running.until(|| place.checkpoints("dir").len() > 1);
    running.kill();
    assert!(!place.path("out.csv").exists());
}

#[test]
fn an_output_that_cannot_be_written_is_said_before_the_job_begins() {
    let place = Place::new();
    place.write("a.csv", "k\na\n");
    fs::create_dir(place.path("folder")).unwrap();
    for output in ["folder", "absent/out.csv"] {
        // Standard input is never closed: the job would not end by itself.
        let job = format!("run --input - --key k --agg count --output {output}");
        let job = format!("{job} --checkpoints dir");
        place.holdwater(&job).finish_with("k\na\n").refused(1, &[output]);
        assert!(!place.path("dir").exists(), "{output}");
    }
}

#[test]
fn a_full_disk_under_the_output_is_an_error() {
    let place = Place::new();
    place.write("a.csv", "k\na\n");
    let job = "run --input a.csv --key k --agg count --output /dev/full";
    place.holdwater(job).refuse(1, &["/dev/full"]);
}

#[test]
fn results_are_aligned_for_a_person_alone() {
    let place = Place::new();
    place.write("a.csv", "key,v\nlong enough,1\nb,20\n");
    let job = "run --input a.csv --key key --agg sum:v --progress never";
    let csv = "key,sum:v\nb,20\nlong enough,1\n";
    assert_eq!(place.holdwater(job).succeed().stdout, csv);
    // The terminal shows standard error too, and ends lines its own way.
    let seen = |job: &str| place.on_terminal(job).succeed().stdout.replace("\r\n", "\n");
    assert_eq!(seen(job), "key          sum:v\nb               20\nlong enough      1\n");
    assert_eq!(seen(&format!("{job} --format-out csv")), csv);
    assert_eq!(seen(&format!("{job} --output out.csv")), "");
    assert_eq!(place.read("out.csv"), csv);
}

#[test]
fn results_go_to_standard_output_and_all_else_to_standard_error() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,1\na,x\n");
    let job = "run --input a.csv --key k --agg sum:v --bad-rows skip --checkpoints dir";
    place.holdwater(job).succeed();
    let again = place.holdwater(job).succeed();
    assert_eq!(again.stdout, "k,sum:v\na,1\n");
    assert!(again.stderr.starts_with("holdwater: resumed from checkpoint"), "{}", again.stderr);
    assert!(again.stderr.ends_with("\nbad rows: 1\n"), "{}", again.stderr);
}
