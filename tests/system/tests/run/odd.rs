//! Inputs that are odd and sound: they give what docs/input.md says.

use std::fmt::Write as _;

use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

/// Runs a job over an input and compares what it prints with CSV.
#[track_caller]
fn assert_result(name: &str, input: &str, job: &str, wanted: &str) {
    let place = Place::new();
    place.write(name, input);
    let found = place.holdwater(&format!("run --input {name} {job}")).succeed();
    assert_same(&found.rows(), &Rows::from_csv(wanted));
}

#[test]
fn line_ends_and_a_byte_order_mark_make_no_difference() {
    let rows = "k,v\n\"a,\"\"b\"\"\",1\nc,2\n\"a,\"\"b\"\"\",3\n";
    let lines =
        "{\"k\":\"a,\\\"b\\\"\",\"v\":1}\n{\"v\":2,\"k\":\"c\"}\n{\"k\":\"a,\\\"b\\\"\",\"v\":3}\n";
    let wanted = "k,count,sum:v\n\"a,\"\"b\"\"\",2,4\nc,1,2\n";
    for (name, text) in [("a.csv", rows), ("a.jsonl", lines)] {
        let unended = text.trim_end();
        let crlf = text.replace('\n', "\r\n");
        for text in [
            text.to_owned(),
            unended.to_owned(),
            crlf.clone(),
            crlf.trim_end().to_owned(),
            format!("\u{feff}{crlf}"),
            format!("{}\n\n", text.replace('\n', "\n\n")),
        ] {
            assert_result(name, &text, "--key k --agg count sum:v", wanted);
        }
    }
}

#[test]
fn a_quoted_cell_may_hold_line_ends_and_its_row_is_named_by_its_first_line() {
    let place = Place::new();
    let text = "k,v\n\"one\ntwo\r\n\nfive\",1\n\"one\ntwo\r\n\nfive\",2\nb,x\n";
    place.write("a.csv", text);
    let job = "run --input a.csv --key k --agg sum:v";
    place.holdwater(job).refuse(1, &["a.csv line 10", "not a number"]);
    let done = place.holdwater(&format!("{job} --bad-rows skip")).succeed();
    assert_eq!(done.stdout, "k,sum:v\n\"one\ntwo\r\n\nfive\",3\n");
}

#[test]
fn a_million_keys_are_counted_checkpointed_and_resumed() {
    let (place, keys) = (Place::new(), 1_000_000);
    let mut input = String::from("key\n");
    // Every key once, then again those that are divided by ten, in an order of their own.
    let keys_in_order = (0..keys).map(|key| key * 7 % keys);
    for key in keys_in_order.clone().chain(keys_in_order.filter(|key| key % 10 == 0)) {
        writeln!(input, "{key}").unwrap();
    }
    place.write("a.csv", &input);
    let mut wanted: Vec<_> =
        (0..keys).map(|key| format!("{key},{}\n", if key % 10 == 0 { 2 } else { 1 })).collect();
    wanted.sort_unstable_by(|a, b| a.split(',').next().cmp(&b.split(',').next()));
    let wanted = format!("key,count\n{}", wanted.concat());
    let job = "run --input a.csv --key key --agg count --checkpoints dir --output out.csv \
               --checkpoint-every 700000rows";
    for parallelism in [2, 3] {
        place.holdwater(&format!("{job} --parallelism {parallelism}")).succeed();
        assert!(place.read("out.csv") == wanted, "parallelism {parallelism}");
        std::fs::remove_file(place.path("out.csv")).unwrap();
    }
}

#[test]
fn cells_of_a_mebibyte_are_keys_and_values_like_any_other() {
    let place = Place::new();
    let long = "x".repeat(1 << 20);
    let row = |key: &str, value: &str| format!("{long}{key},{long}{value}\n");
    place.write("a.csv", &["k,v\n", &row("a", "1"), &row("b", "2"), &row("a", "3")].concat());
    let job = "run --input a.csv --key k --agg count last:v max:v distinct:v collect:v \
               --checkpoints dir --output out.csv";
    for parallelism in [1, 2] {
        place.holdwater(&format!("{job} --parallelism {parallelism}")).succeed();
        let mut wanted = Rows::new(&["k", "count", "last:v", "max:v", "distinct:v", "collect:v"]);
        let of = |value: &str| format!("{long}{value}");
        let both = format!("{};{}", of("1"), of("3"));
        wanted.rows = vec![
            vec![of("a"), "2".into(), of("3"), of("3"), "2".into(), both],
            vec![of("b"), "1".into(), of("2"), of("2"), "1".into(), of("2")],
        ];
        assert_same(&place.rows("out.csv"), &wanted);
    }
    place.holdwater("verify dir --deep").succeed();
    // A message does not show all of it.
    let refused = place.holdwater("run --input a.csv --key k --agg sum:v").finish();
    assert!(refused.stderr.len() < 300, "{} bytes", refused.stderr.len());
    refused.refused(1, &["a.csv line 2", "not a number"]);
}

#[test]
fn of_ten_thousand_columns_those_are_read_that_are_named() {
    let (place, columns) = (Place::new(), 10_000);
    let mut text = (0..columns).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    for row in 0..100 {
        let cells = (0..columns).map(|column| (row * column % 7).to_string());
        write!(text, "\n{}", cells.collect::<Vec<_>>().join(",")).unwrap();
    }
    place.write("a.csv", &text);
    let done = place.holdwater("run --input a.csv --key c9999 --agg count sum:c5000").succeed();
    // 9,999 is 3 and 5,000 is 2 modulo 7, and a row's number 0 to 6 by turns.
    let mut wanted = Rows::new(&["c9999", "count", "sum:c5000"]);
    for rest in 0..7 {
        let rows = (0..100).filter(|row| row % 7 == rest).count();
        let cells = [rest * 3 % 7, rows, rows * (rest * 2 % 7)];
        wanted.rows.push(cells.map(|cell| cell.to_string()).into());
    }
    assert_same(&done.rows(), &wanted);
    let missing = place.holdwater("run --input a.csv --key none --agg count").finish();
    assert!(missing.stderr.len() < 300, "{}", missing.stderr);
    missing.refused(1, &["a.csv", "none", "c0, c1", "more"]);
}

#[test]
fn a_whole_number_that_64_bits_do_not_hold_is_a_float() {
    let job = "--key k --agg sum:v min:v max:v distinct:v";
    let wanted = "k,sum:v,min:v,max:v,distinct:v\n\
                  a,9.223372036854776e18,1,9.223372036854776e18,2\n\
                  b,-9223372036854775809,-9223372036854775808,-1,2\n";
    let rows =
        [("a", "9223372036854775808"), ("a", "1"), ("b", "-9223372036854775808"), ("b", "-1")];
    let csv: String = rows.iter().map(|(key, value)| format!("{key},{value}\n")).collect();
    assert_result("a.csv", &format!("k,v\n{csv}"), job, wanted);
    let json = rows.iter().map(|(key, value)| format!("{{\"k\":\"{key}\",\"v\":{value}}}\n"));
    assert_result("a.jsonl", &json.collect::<String>(), job, wanted);
}

#[test]
fn infinities_and_nan_are_floats_and_nan_is_the_greatest() {
    let text =
        "k,v\na,inf\na,1\nb,Infinity\nb,-inf\nc,NaN\nc,nan\nc,2\nd,1e999\nd,-1e999\ne,nano\n";
    let place = Place::new();
    place.write("a.csv", text);
    let job = "run --input a.csv --key k --agg min:v max:v distinct:v --checkpoints dir";
    let wanted = "k,min:v,max:v,distinct:v\na,1,inf,2\nb,-inf,inf,2\nc,2,NaN,3\nd,-inf,inf,2\n\
                  e,nano,nano,1\n";
    for _ in 0..2 {
        assert_eq!(place.holdwater(job).succeed().stdout, wanted);
    }
    let sums = "run --input a.csv --key k --agg sum:v mean:v --bad-rows skip";
    let done = place.holdwater(sums).succeed();
    assert_eq!(done.stdout, "k,sum:v,mean:v\na,inf,inf\nb,NaN,NaN\nc,NaN,NaN\nd,NaN,NaN\n");
    assert_eq!(done.stderr, "bad rows: 1\n");
    // JSON has no such numbers: there they are text.
    let done = place.holdwater(&format!("{sums} --format-out jsonl")).succeed();
    let first = done.stdout.lines().next();
    assert_eq!(first, Some("{\"k\":\"a\",\"sum:v\":\"inf\",\"mean:v\":\"inf\"}"));
}

#[test]
fn a_nested_value_is_its_json_text_without_blanks() {
    let text = "{\"k\": {\"b\": 1, \"a\": [1, \"x  y\"]}, \"v\": [1 , 2]}\n\
                {\"k\":{\"b\":1,\"a\":[1,\"x  y\"]},\"v\":true}\n\
                {\"k\":{\"a\":[1,\"x  y\"],\"b\":1},\"v\":\"\\u00e9\"}\n";
    let wanted = "k,count,collect:v\n\
                  \"{\"\"b\"\":1,\"\"a\"\":[1,\"\"x  y\"\"]}\",2,\"[1,2];true\"\n\
                  \"{\"\"a\"\":[1,\"\"x  y\"\"],\"\"b\"\":1}\",1,\u{e9}\n";
    assert_result("a.jsonl", text, "--key k --agg count collect:v", wanted);
    let place = Place::new();
    place.write("a.jsonl", text);
    let sum = "run --input a.jsonl --key k --agg sum:v";
    place.holdwater(sum).refuse(1, &["a.jsonl line 1", "[1,2]", "not a number"]);
}

#[test]
fn values_may_nest_as_deep_as_their_line_is_long() {
    let depth = 200_000;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let text = format!("{{\"k\":\"a\",\"x\":{deep},\"v\":1}}\n{{\"k\":\"a\",\"v\":{deep}}}\n");
    assert_result(
        "a.jsonl",
        &text,
        "--key k --agg count distinct:v",
        "k,count,distinct:v\na,2,2\n",
    );
}

#[test]
fn a_member_that_stands_twice_is_a_bad_row_where_it_is_read() {
    let place = Place::new();
    let text = "{\"k\":\"a\",\"v\":1,\"v\":2}\n{\"k\":\"a\",\"v\":null,\"\\u0076\":2}\n\
                {\"k\":\"a\",\"v\":3}\n";
    place.write("a.jsonl", text);
    let sum = "run --input a.jsonl --key k --agg sum:v";
    place.holdwater(sum).refuse(1, &["a.jsonl line 1", "v stands twice"]);
    let done = place.holdwater(&format!("{sum} --bad-rows skip")).succeed();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("k,sum:v\na,3\n", "bad rows: 2\n"));
    let count = "run --input a.jsonl --key k --agg count";
    assert_eq!(place.holdwater(count).succeed().stdout, "k,count\na,3\n");
}

#[test]
fn control_characters_are_kept_in_cells_and_escaped_in_messages() {
    let place = Place::new();
    place.write("a.csv", "k,v\na\0b,1\n\u{1b}[31mred,x\n");
    let job = "run --input a.csv --key k --agg max:v";
    let done = place.holdwater(job).succeed();
    assert_eq!(done.stdout, "k,max:v\n\u{1b}[31mred,x\na\0b,1\n");
    let sum = "run --input a.csv --key v --agg sum:k";
    let refused = place.holdwater(sum).finish().refused(1, &["line 2", "\"a\\0b\""]);
    assert!(!refused.stderr.contains(['\0', '\u{1b}']), "{}", refused.stderr);
}

#[test]
fn an_input_of_another_kind_is_told_from_one_that_lacks_a_column() {
    let place = Place::new();
    std::fs::write(place.path("a.csv"), b"\x1f\x8b\x08\x00\xff\xfe\n\x00\xff").unwrap();
    place.write("b.csv", " k ,\"v\"\n1,2\n");
    let job = |name: &str| format!("run --input {name} --key k --agg count");
    place.holdwater(&job("a.csv")).refuse(1, &["a.csv", "not CSV in UTF-8", "convert"]);
    place.holdwater(&job("b.csv")).refuse(1, &["b.csv", "no column k", "\" k \", v"]);
}
