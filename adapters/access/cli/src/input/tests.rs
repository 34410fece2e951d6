//! Odd inputs, and positions in them.

use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::*;
use crate::cell::{Cell, Number};
use crate::spec::Spec;

/// Reads the columns `k` as key, `n` as number and `t` as text.
fn selection() -> Selection {
    let specs = ["sum:n", "last:t"].map(|text| text.parse::<Spec>().unwrap());
    Selection::new(&["k"], &specs)
}

fn open(bytes: impl Into<Vec<u8>>, format: Format, bad_rows: BadRows) -> Result<Input, Failure> {
    let reader = Box::new(Cursor::new(bytes.into()));
    Input::from_reader("input", reader, format, &selection(), bad_rows)
}

fn show(record: &Record) -> String {
    let key: Vec<_> = record.key().iter().collect();
    let number = match record.number(1) {
        None => "none".to_owned(),
        Some(Number::Integer(number)) => format!("{number}"),
        Some(Number::Float(number)) => format!("{number:?}"),
    };
    format!("{} {key:?} {number} {:?}", record.line(), record.text(2))
}

fn rest(input: &mut Input) -> Vec<String> {
    let mut record = Record::default();
    let mut shown = Vec::new();
    while input.next(&mut record).unwrap() {
        shown.push(show(&record));
    }
    assert!(!input.next(&mut record).unwrap(), "the end stays the end");
    shown
}

/// Returns the cells of each good record of CSV.
pub(super) fn rows(text: &str) -> Vec<Vec<String>> {
    let selection = Selection::new(&["k", "n", "t"], &[]);
    let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
    let input = Input::from_reader("input", reader, Format::Csv, &selection, BadRows::Skip);
    let (mut input, mut record, mut rows) = (input.unwrap(), Record::default(), Vec::new());
    while input.next(&mut record).unwrap() {
        rows.push(record.key().iter().map(str::to_owned).collect());
    }
    rows
}

/// Returns the good records and the number of bad ones.
fn read(bytes: impl Into<Vec<u8>>, format: Format) -> (Vec<String>, u64) {
    let mut input = open(bytes, format, BadRows::Skip).unwrap();
    let shown = rest(&mut input);
    (shown, input.position().bad_rows)
}

fn csv(bytes: impl Into<Vec<u8>>) -> (Vec<String>, u64) {
    read(bytes, Format::Csv)
}

fn json(bytes: impl Into<Vec<u8>>) -> (Vec<String>, u64) {
    read(bytes, Format::Jsonl)
}

fn bad(bytes: impl Into<Vec<u8>>, format: Format) -> String {
    let mut input = open(bytes, format, BadRows::Fail).unwrap();
    let failure = input.next(&mut Record::default()).unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    failure.to_string()
}

fn good(shown: &[&str]) -> (Vec<String>, u64) {
    (shown.iter().map(|line| (*line).to_owned()).collect(), 0)
}

#[test]
fn csv_is_read_whatever_its_line_ends() {
    let expected = good(&[r#"2 ["a"] 1 Some("x")"#, r#"3 ["b"] 2.5 None"#]);
    assert_eq!(csv("k,n,t\na,1,x\nb,2.5,\n"), expected);
    assert_eq!(csv("k,n,t\na,1,x\nb,2.5,"), expected);
    assert_eq!(csv("k,n,t\r\na,1,x\r\nb,2.5,\r\n"), expected);
    assert_eq!(csv("\u{feff}k,n,t\na,1,x\nb,2.5,\n"), expected);
    assert_eq!(csv("t,x,n,k\nx,9,1,a\n,9,2.5,b\n"), expected);
}

#[test]
fn a_record_is_named_by_its_first_line() {
    let expected = good(&[r#"3 ["a\r\nb"] none Some("x\ny")"#, r#"8 ["c"] none Some("\"")"#]);
    assert_eq!(csv("\nk,n,t\n\"a\r\nb\",,\"x\ny\"\n\r\n\nc,,\"\"\"\"\n"), expected);
}

#[test]
fn an_empty_key_is_a_key_and_keys_are_as_written() {
    let expected = good(&[r#"2 [""] 1 None"#, r#"3 ["01"] 1 None"#, r#"4 [" 1"] 1 None"#]);
    assert_eq!(csv("k,n,t\n,1,\n01,1,\n 1,01,\n"), expected);
}

#[test]
fn a_header_alone_holds_no_records() {
    assert_eq!(csv("k,n,t\n"), good(&[]));
    assert_eq!(csv("k,n,t"), good(&[]));
    assert_eq!(json(""), good(&[]));
    assert_eq!(json("\n \r\n"), good(&[]));
    assert_eq!(json("\u{feff}"), good(&[]));
}

#[test]
fn csv_needs_its_header_and_columns() {
    let refused = |bytes: &[u8]| {
        let failure = open(bytes, Format::Csv, BadRows::Skip).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        failure.to_string()
    };
    for empty in [&b""[..], b"\xef\xbb\xbf", b"\n\r\n"] {
        assert!(refused(empty).contains("needs a header"));
    }
    assert_eq!(refused(b"k,t\n"), "input has no column n; it has k, t");
    assert_eq!(refused(b"k,n,t,n\n"), "input has two columns called n; rename one of them");
    assert!(refused(b"k,n,t\xff\n").contains("UTF-8"));
    assert!(refused(b"k,n,\"t\n").contains("header"));
    let wide: String = (0..10_000).map(|column| format!("c{column},")).collect();
    let text = refused(wide.as_bytes());
    assert!(text.ends_with("c29 and 9971 more") && text.len() < 300, "{text}");
}

#[test]
fn a_bad_row_of_csv_is_named_or_skipped_as_a_whole() {
    let said = |row: &str, what: &str| {
        let text = bad(format!("k,n,t\n{row}\n"), Format::Csv);
        let expected = format!("input line 2: {what}; correct the row or give --bad-rows skip");
        assert_eq!(text, expected);
    };
    said("a", "1 cell where the header has 3");
    said("a,1,x,y", "4 cells where the header has 3");
    said("a,one,x", "n is \"one\", not a number");
    said("a,1 ,x", "n is \"1 \", not a number");
    said("a,1,\"x", "a quoted cell is never closed");

    let not_utf8 = [&b"k,n,t,u\na,1,x,\xff\n"[..], b"k,n,t,u\na,1,\xc3,\xa9\n"];
    for bytes in not_utf8 {
        assert!(bad(bytes, Format::Csv).contains("line 2: not UTF-8"));
    }
    let rows = "k,n,t\na,1,x\nb\nb,x,y\n\"b\",2,\"y\"\nc,1,\"z\n";
    let expected = vec![r#"2 ["a"] 1 Some("x")"#.to_owned(), r#"5 ["b"] 2 Some("y")"#.to_owned()];
    assert_eq!(csv(rows), (expected, 3));
}

#[test]
fn a_cell_may_be_a_mebibyte_and_a_row_ten_thousand_columns() {
    let long = "x".repeat(1 << 20);
    let (shown, _) = csv(format!("k,n,t\na,1,\"{long}\"\nb,2,y\n"));
    assert_eq!(shown.len(), 2);
    assert!(shown[0].len() > 1 << 20);
    assert_eq!(shown[1], r#"3 ["b"] 2 Some("y")"#);

    let (shown, _) = json(format!("{{\"t\":\"{long}\"}}\n{{\"k\":\"b\"}}"));
    assert!(shown[0].len() > 1 << 20);
    assert_eq!(shown[1], r#"2 ["b"] none None"#);

    let filler = ",0".repeat(10_000);
    let names: String = (0..10_000).map(|column| format!(",c{column}")).collect();
    let (shown, bad) = csv(format!("k,n,t{names}\na,1,x{filler}\nb,2,y{filler}\n"));
    assert_eq!((shown.len(), bad), (2, 0));
}

#[test]
fn a_record_without_end_does_not_take_all_memory() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            assert!(self.0 < 2 * RECORD_BYTES_MAX, "reads on and on");
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    for (format, start) in [(Format::Csv, "k,n,t\n\""), (Format::Jsonl, "{\"k\":\"")] {
        let reader = Box::new(Cursor::new(start).chain(Endless(0)));
        let mut input =
            Input::from_reader("input", reader, format, &selection(), BadRows::Skip).unwrap();
        let failure = input.next(&mut Record::default()).unwrap_err().to_string();
        assert!(failure.contains("64 MiB"), "{failure}");
    }
}

#[test]
fn numbers_at_the_edges_are_read() {
    let (shown, bad) = csv("k,n,t\na,9223372036854775808,\na,NaN,\na,-inf,\na,1e999,\na,-0,\n");
    let numbers: Vec<_> =
        shown.iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(numbers, ["9.223372036854776e18", "NaN", "-inf", "inf", "0"]);
    assert_eq!(bad, 0);
}

#[test]
fn json_values_are_cells() {
    let cell = |value: &str| {
        let mut input = open(format!("{{\"t\":{value}}}"), Format::Jsonl, BadRows::Fail).unwrap();
        let mut record = Record::default();
        assert!(input.next(&mut record).unwrap());
        record.text(2).map(str::to_owned)
    };
    assert_eq!(cell("null"), None);
    assert_eq!(cell("\"\""), None);
    assert_eq!(cell("\"null\"").as_deref(), Some("null"));
    assert_eq!(cell("1.50").as_deref(), Some("1.50"));
    assert_eq!(cell("true").as_deref(), Some("true"));
    assert_eq!(cell(r#""a\n\"\u00e9\ud83d\ude00""#).as_deref(), Some("a\n\"\u{e9}\u{1f600}"));
    assert_eq!(cell(r#"{ "a" : [1, " \" x"] }"#).as_deref(), Some(r#"{"a":[1," \" x"]}"#));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(cell(&deep).as_deref(), Some(&*deep));
}

#[test]
fn json_lines_are_objects_with_members_in_any_order() {
    let expected = good(&[
        r#"1 ["a"] 1 Some("x")"#,
        r#"3 ["b"] 2.5 None"#,
        r#"4 ["7"] none None"#,
        r#"5 [""] -3 None"#,
    ]);
    let lines = "\u{feff}{\"k\":\"a\",\"n\":1,\"t\":\"x\"}\r\n\n\
                 {\"z\":{\"n\":[]},\"z\":0,\"t\":null,\"n\":2.5,\"k\":\"b\"}\n\
                 {\"\\u006b\":7}\n{\"n\":\"-3\"}";
    assert_eq!(json(lines), expected);
}

#[test]
fn a_bad_line_of_json_is_named_or_skipped_as_a_whole() {
    let said = |line: &str, what: &str| {
        let text = bad(line.as_bytes(), Format::Jsonl);
        assert!(text.starts_with("input line 1: ") && text.contains(what), "{text}");
        assert!(!text.contains(" column "), "{text}");
    };
    said("[1]", "not a JSON object");
    said("1", "not a JSON object");
    said("{\"k\":1", "not a JSON object");
    said("{\"k\":1} {}", "not a JSON object");
    said("{\"k\":01}", "not a JSON object");
    said("{\"k\":\"\\ud800\"}", "not a JSON object");
    said("{\"k\":1,\"n\":2,\"k\":1}", "the member k stands twice");
    said("{\"k\":null,\"k\":1}", "the member k stands twice");
    said("{\"n\":true}", "n is \"true\", not a number");
    said("{\"n\":[1]}", "n is \"[1]\", not a number");
    assert!(bad(b"{\"x\":\"\xff\"}", Format::Jsonl).contains("not UTF-8"));
    assert_eq!(json("x\n{\"k\":1}\n{\n"), (vec![r#"2 ["1"] none None"#.to_owned()], 2));
}

#[test]
fn a_cell_is_read_as_its_column_is() {
    let specs = ["min:a", "last:b"].map(|text| text.parse::<Spec>().unwrap());
    let selection = Selection::new(&["k"], &specs);
    let reader = Box::new(Cursor::new("k,a,b\nx,1,1\nx,y,y\n"));
    let mut input =
        Input::from_reader("input", reader, Format::Csv, &selection, BadRows::Fail).unwrap();
    let mut record = Record::default();
    input.next(&mut record).unwrap();
    assert_eq!(record.cell(1), Some(Cell::Number(Number::Integer(1))));
    assert_eq!(record.cell(2), Some(Cell::Text("1")));
    input.next(&mut record).unwrap();
    assert_eq!(record.cell(1), Some(Cell::Text("y")));
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open_file(file: &tempfile::NamedTempFile) -> Input {
    Input::open(file.path(), None, &selection(), BadRows::Skip).unwrap()
}

/// Reads `bytes` up to each record in turn and resumes there, from a pipe and from a file.
fn resumes_everywhere(bytes: &[u8], format: Format) {
    let mut whole = open(bytes, format, BadRows::Skip).unwrap();
    let mut positions = vec![whole.position()];
    let mut shown = Vec::new();
    let mut record = Record::default();
    while whole.next(&mut record).unwrap() {
        shown.push(show(&record));
        positions.push(whole.position());
    }
    let at_end = whole.position();
    let file = file(bytes);
    for (read, position) in positions.iter().enumerate() {
        let from_file =
            Input::open(file.path(), Some(format), &selection(), BadRows::Skip).unwrap();
        for mut input in [open(bytes, format, BadRows::Skip).unwrap(), from_file] {
            input.resume(position).unwrap();
            assert_eq!(input.position(), *position);
            assert_eq!(rest(&mut input), shown[read..]);
            assert_eq!(input.position(), at_end);
        }
    }
}

#[test]
fn an_input_resumes_after_each_record() {
    let rows = "\u{feff}k,n,t\r\na,1,x\r\n\"b\nc\",2,\r\n\r\n\u{feff}bom,3,z\r\nbad\r\nd,4,";
    resumes_everywhere(rows.as_bytes(), Format::Csv);
    let lines = "\u{feff}{\"k\":1}\r\n\nbad\n{\"k\":2,\"n\":3}\n\n{\"k\":4}";
    resumes_everywhere(lines.as_bytes(), Format::Jsonl);
}

#[test]
fn an_input_longer_than_the_buffer_resumes_too() {
    let row = |number: u32| format!("key {number},{number},\"{}\"\n", "x".repeat(100));
    let rows: String = (0..12_000).map(row).collect();
    let bytes = format!("k,n,t\n{rows}");
    let mut input = open(&*bytes, Format::Csv, BadRows::Fail).unwrap();
    let mut record = Record::default();
    for _ in 0..9_000 {
        input.next(&mut record).unwrap();
    }
    let position = input.position();
    assert_eq!((position.rows, position.line), (9_000, 9_002));
    let file = file(bytes.as_bytes());
    let mut resumed = open_file(&file);
    resumed.resume(&position).unwrap();
    assert_eq!(rest(&mut resumed), rest(&mut input));
}

#[test]
fn a_changed_or_shorter_input_is_refused() {
    let bytes = b"k,n,t\na,1,x\nb,2,y\nc,3,z\n";
    let mut input = open(bytes, Format::Csv, BadRows::Fail).unwrap();
    let mut record = Record::default();
    input.next(&mut record).unwrap();
    input.next(&mut record).unwrap();
    let position = input.position();
    let refused = |changed: &[u8]| {
        let file = file(changed);
        for mut input in [open(changed, Format::Csv, BadRows::Fail).unwrap(), open_file(&file)] {
            let failure = input.resume(&position).unwrap_err();
            assert_eq!(failure.exit_code(), 3, "{failure}");
            assert!(failure.to_string().contains("--fresh"), "{failure}");
        }
    };
    refused(b"k,n,t\na,1,x\n");
    refused(b"k,n,t\na,1,x\nb,3,y\nc,3,z\n");
    refused(b"n,k,t\na,1,x\nb,2,y\nc,3,z\n");
    refused(b"k,n,t\na,1,x\nb,2,yc,3,z\n");
    let mut grown = open(b"k,n,t\na,1,x\nb,2,y\nd,4,z\n", Format::Csv, BadRows::Fail).unwrap();
    grown.resume(&position).unwrap();
    assert_eq!(rest(&mut grown), [r#"4 ["d"] 4 Some("z")"#]);
}

#[test]
fn a_last_row_without_line_end_may_be_followed_but_not_continued() {
    let mut input = open("k,n,t\na,1,x", Format::Csv, BadRows::Fail).unwrap();
    rest(&mut input);
    let position = input.position();
    let mut followed = open("k,n,t\na,1,x\nb,2,y", Format::Csv, BadRows::Fail).unwrap();
    followed.resume(&position).unwrap();
    assert_eq!(rest(&mut followed), [r#"3 ["b"] 2 Some("y")"#]);
    let mut continued = open("k,n,t\na,1,xy\n", Format::Csv, BadRows::Fail).unwrap();
    assert_eq!(continued.resume(&position).unwrap_err().exit_code(), 3);
}

#[test]
fn what_cannot_be_read_is_said_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing.csv"), directory.path().to_owned()] {
        let failure = Input::open(&path, None, &selection(), BadRows::Fail).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().starts_with(&format!("cannot read {}", path.display())));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end_in_pieces_of_any_size(
        bytes in prop::collection::vec(
            prop_oneof![
                prop::sample::select(&b"a1,,\"\"\n\n\r{}:[]\\"[..]),
                any::<u8>(),
            ],
            0..200,
        ),
        piece in 1usize..9,
    ) {
        struct Pieces(Cursor<Vec<u8>>, usize);
        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(self.1);
                self.0.read(&mut buffer[..length])
            }
        }
        for (format, start) in [(Format::Csv, &b"k,n,t\n"[..]), (Format::Jsonl, b"")] {
            let all = [start, &bytes].concat();
            let mut input = open(&*all, format, BadRows::Skip).unwrap();
            let shown = rest(&mut input);
            prop_assert_eq!(input.position().bytes, all.len() as u64);
            let reader = Box::new(Pieces(Cursor::new(all.clone()), piece));
            let mut pieces =
                Input::from_reader("input", reader, format, &selection(), BadRows::Skip).unwrap();
            prop_assert_eq!(rest(&mut pieces), shown);
            prop_assert_eq!(pieces.position(), input.position());
            resumes_everywhere(&all, format);
        }
    }

    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        rows in prop::collection::vec((".*", any::<i64>(), ".*"), 0..20),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["k", "n", "t"]).unwrap();
        for (key, number, text) in &rows {
            writer.write_record([key, &number.to_string(), text]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let mut input = open(bytes, Format::Csv, BadRows::Fail).unwrap();
        let mut record = Record::default();
        for (key, number, text) in &rows {
            prop_assert!(input.next(&mut record).unwrap());
            prop_assert_eq!(record.key().iter().collect::<Vec<_>>(), [key]);
            prop_assert_eq!(record.number(1), Some(Number::Integer(*number)));
            prop_assert_eq!(record.text(2).unwrap_or_default(), text);
        }
        prop_assert!(!input.next(&mut record).unwrap());
    }
}
