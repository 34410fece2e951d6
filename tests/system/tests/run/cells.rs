//! What cells stand for, on tables small enough to compute by hand.

use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

/// Runs a job over one input and compares its result with CSV.
#[track_caller]
fn assert_result(name: &str, input: &str, job: &str, wanted: &str) {
    let place = Place::new();
    place.write(name, input);
    let found = place.holdwater(&format!("run --input {name} {job}")).succeed();
    assert_same(&found.rows(), &Rows::from_csv(wanted));
}

#[test]
fn an_empty_cell_is_no_value_but_its_row_counts() {
    assert_result(
        "a.csv",
        "k,v\na,\nb,2\nb,\nb,3\n",
        "--key k --agg count sum:v min:v max:v mean:v last:v distinct:v collect:v",
        "k,count,sum:v,min:v,max:v,mean:v,last:v,distinct:v,collect:v\n\
         a,1,,,,,,,\n\
         b,3,5,2,3,2.5,3,2,2;3\n",
    );
}

#[test]
fn keys_are_taken_as_written() {
    assert_result(
        "a.csv",
        "k,v\n1,1\n01,2\n1.0,3\n,4\n1,5\n\" 1\",6\n",
        "--key k --agg count sum:v",
        "k,count,sum:v\n1,2,6\n01,1,2\n1.0,1,3\n,1,4\n\" 1\",1,6\n",
    );
}

#[test]
fn two_pairs_of_fields_are_told_apart_wherever_the_comma_stands() {
    assert_result(
        "a.csv",
        "k,l\n\"a,b\",c\na,\"b,c\"\nab,c\na,bc\n",
        "--key k,l --agg count",
        "k,l,count\n\"a,b\",c,1\na,\"b,c\",1\nab,c,1\na,bc,1\n",
    );
}

#[test]
fn whole_sums_are_exact_and_one_fraction_makes_a_float() {
    assert_result(
        "a.csv",
        "k,v\na,9223372036854775807\na,9223372036854775807\na,1\nb,1\nb,1.0\nc,-3\nd,0.1\nd,0.2\n",
        "--key k --agg sum:v mean:v",
        "k,sum:v,mean:v\na,18446744073709551615,6.148914691236517e18\nb,2.0,1.0\nc,-3,-3.0\n\
         d,0.30000000000000004,0.15000000000000002\n",
    );
}

#[test]
fn numbers_come_before_text() {
    assert_result(
        "a.csv",
        "k,v\na,10\na,9\na,x\na,-1.5\nb,b\nb,a\nc,1e3\nc,999\n",
        "--key k --agg min:v max:v",
        "k,min:v,max:v\na,-1.5,x\nb,a,b\nc,999,1000.0\n",
    );
}

#[test]
fn last_distinct_and_collect_take_cells_as_written() {
    assert_result(
        "a.csv",
        "k,v\na,01\na,1\na,1.0\na,01\na,a;b\n",
        "--key k --agg last:v distinct:v collect:v",
        "k,last:v,distinct:v,collect:v\na,a;b,4,01;1;1.0;01;a;b\n",
    );
}

#[test]
fn csv_is_read_as_rfc_4180_says() {
    assert_result(
        "a.csv",
        "\u{feff}k,\"the \"\"v\"\"\"\r\n\"line\r\nbreak\",\"x,y\"\r\n\"line\r\nbreak\",z",
        "--key k --agg count",
        "k,count\n\"line\r\nbreak\",2\n",
    );
}

#[test]
fn names_with_blanks_commas_and_quotes_are_names() {
    let place = Place::new();
    place.write("a.csv", "\"a,b\",\"say \"\"x\"\"\"\n1,2\n1,3\n");
    let job = place.holdwater("run --input a.csv").argument("--key").argument("\"a,b\"");
    let found = job.argument("--agg").argument("sum:say \"x\"").succeed();
    assert_same(&found.rows(), &Rows::from_csv("\"a,b\",\"sum:say \"\"x\"\"\"\n1,5\n"));
}

#[test]
fn json_null_and_an_absent_member_are_no_value() {
    assert_result(
        "a.jsonl",
        "{\"k\":\"a\",\"v\":1}\n{\"v\":null,\"k\":\"a\"}\n\n{\"k\":\"a\",\"w\":[1]}\n\
         {\"k\":1,\"v\":\"7\"}\n{\"v\":2.5}\n{\"k\":true,\"v\":1}",
        "--key k --agg count sum:v",
        "k,count,sum:v\na,3,1\n1,1,7\n,1,2.5\ntrue,1,1\n",
    );
}

#[test]
fn a_format_that_is_given_holds_whatever_the_ending() {
    assert_result(
        "a.csv",
        "{\"k\":\"a\"}\n{\"k\":\"a\"}\n",
        "--format jsonl --key k --agg count",
        "k,count\na,2\n",
    );
}

#[test]
fn the_ending_of_an_input_says_its_format() {
    let (csv, jsonl) = ("k\na\n", "{\"k\":\"a\"}\n");
    for (name, input) in [
        ("a.csv", csv),
        ("a", csv),
        ("a.json", csv),
        ("jsonl", csv),
        ("a.jsonl", jsonl),
        ("a.ndjson", jsonl),
        ("a.csv.JSONL", jsonl),
    ] {
        assert_result(name, input, "--key k --agg count", "k,count\na,1\n");
    }
}

#[test]
fn a_result_of_nothing_is_empty_and_null_in_json() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,\n");
    let specs = ["sum:v", "min:v", "max:v", "mean:v", "last:v", "distinct:v", "collect:v"];
    let job = format!("run --input a.csv --key k --agg {}", specs.join(" "));
    let done = place.holdwater(&job).succeed();
    assert_eq!(done.stdout, format!("k,{}\na,,,,,,,\n", specs.join(",")));
    let done = place.holdwater(&format!("{job} --format-out jsonl")).succeed();
    let members: String = specs.iter().map(|spec| format!(",\"{spec}\":null")).collect();
    assert_eq!(done.stdout, format!("{{\"k\":\"a\"{members}}}\n"));
}

#[test]
fn an_input_without_rows_gives_the_header_alone() {
    let place = Place::new();
    place.write("header.csv", "k,v\n");
    place.write("bare.csv", "k,v");
    place.write("empty.jsonl", "");
    for input in ["header.csv", "bare.csv", "empty.jsonl"] {
        let job = format!("run --input {input} --key k --agg count sum:v");
        assert_eq!(place.holdwater(&job).succeed().stdout, "k,count,sum:v\n", "{input}");
        let resumable = format!("{job} --checkpoints {input}.checkpoints");
        for _ in 0..2 {
            assert_eq!(place.holdwater(&resumable).succeed().stdout, "k,count,sum:v\n", "{input}");
        }
        let to_jsonl = format!("{job} --format-out jsonl");
        assert_eq!(place.holdwater(&to_jsonl).succeed().stdout, "", "{input}");
    }
}
