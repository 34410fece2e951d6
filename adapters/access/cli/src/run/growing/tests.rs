use std::convert::Infallible;
use std::fs;
use std::path::Path;

use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{self, Sink};
use holdwater::window::Window;
use indicatif::ProgressBar;

use super::Growing;
use crate::accumulators::Answer;
use crate::arguments::{Arguments, Command, Run};
use crate::failure::Failure;
use crate::fields::Fields;
use crate::run::operator::ResultRow;

fn job(place: &Path, output: &str, more: &str) -> Run {
    let line = format!(
        "holdwater run --input in.csv --key k --agg count max:x --time t --window 1h --output {} \
         --checkpoints {} {more}",
        place.join(output).display(),
        place.display()
    );
    let Ok(Command::Run(run)) = Arguments::read(line.split_whitespace()) else { panic!("{line}") };
    *run
}

fn row(key: &str, hour: i64) -> ResultRow {
    let window = Window { start: hour * 3_600_000, end: (hour + 1) * 3_600_000 };
    let answers = [Answer::Integer(hour.into()), Answer::Nothing].into();
    ResultRow { key: Fields::new([key]), window: Some(window), answers }
}

const fn id(checkpoint: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch: 1 }
}

fn entry(sink: &Growing, transactions: &[&[u8]]) -> SinkEntry {
    let transactions = transactions.iter().map(|name| name.to_vec()).collect();
    SinkEntry { name: "results".to_owned(), transactions, committed: sink.committed() }
}

fn fresh() -> SinkEntry {
    SinkEntry { name: "results".to_owned(), transactions: Vec::new(), committed: Vec::new() }
}

/// Starts a job from a checkpoint.
fn start(run: &Run, from: &SinkEntry) -> Result<Growing, Failure> {
    let mut sink = Growing::new(run, ProgressBar::hidden())?;
    let alone = || Ok::<_, Infallible>(());
    sink::restore(&mut sink, from, false, true, alone).map_err(|error| match error {
        sink::RestoreError::Sink(failure) => failure,
        sink::RestoreError::Beyond => panic!("a file can be cut"),
    })?;
    Ok(sink)
}

fn prepared(sink: &mut Growing, checkpoint: u64, rows: &[ResultRow]) -> Vec<u8> {
    sink.write(&rows.to_vec()).unwrap();
    sink.prepare(id(checkpoint)).unwrap()
}

/// Returns how many files are beside the output.
fn spooled(place: &Path) -> usize {
    fs::read_dir(place).unwrap().count() - 1
}

const HEADER: &str = "k,window_start,count,max:x\n";
const FIRST: &str = "b,1970-01-01T00:00:00,0,\na,1970-01-01T01:00:00,1,\n";
const SECOND: &str = "c,1970-01-01T02:00:00,2,\n";

#[test]
fn rows_show_once_their_checkpoint_is_complete_in_the_order_of_their_windows() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.csv");
    let read = || fs::read_to_string(&path).unwrap();
    fs::write(&path, "older").unwrap();
    let run = job(place.path(), "out.csv", "");
    let mut sink = start(&run, &fresh()).unwrap();
    assert_eq!(read(), HEADER);
    let first = prepared(&mut sink, 1, &[row("a", 1), row("b", 0)]);
    let second = prepared(&mut sink, 2, &[row("c", 2)]);
    assert_eq!(read(), HEADER, "prepared is not shown");
    for _ in 0..2 {
        // Whether it was done before does not matter.
        sink.commit(&first).unwrap();
        assert_eq!(read(), [HEADER, FIRST].concat());
    }
    sink.commit(&second).unwrap();
    assert_eq!(read(), [HEADER, FIRST, SECOND].concat());
    assert_eq!(spooled(place.path()), 0);
}

/// Where a job is cut off, and what it did until then with the sink, a transaction and the output.
type Step = (&'static str, fn(&mut Growing, &[u8], &Path));

/// A job that was cut off at each step between two checkpoints: each start from its newest
/// checkpoint brings the output to the same place.
#[test]
fn the_output_is_that_of_the_checkpoint_wherever_the_job_was_cut_off() {
    let steps: [Step; 5] = [
        ("before the commit", |_, _, _| {}),
        ("within the commit", |_, _, path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, format!("{text}b,1970-01")).unwrap();
        }),
        ("before the spooled rows are removed", |sink, name, path| {
            let spooled =
                path.with_file_name(format!(".out.csv.{}.rows", str::from_utf8(name).unwrap()));
            let rows = fs::read(&spooled).unwrap();
            sink.commit(name).unwrap();
            fs::write(&spooled, rows).unwrap();
        }),
        ("behind the commit", |sink, name, _| sink.commit(name).unwrap()),
        ("behind the preparation of the next one", |sink, name, _| {
            sink.commit(name).unwrap();
            prepared(sink, 2, &[row("c", 2)]);
        }),
    ];
    for (step, crash) in steps {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out.csv");
        let run = job(place.path(), "out.csv", "");
        let mut sink = start(&run, &fresh()).unwrap();
        let name = prepared(&mut sink, 1, &[row("a", 1), row("b", 0)]);
        let checkpoint = entry(&sink, &[&name]);
        crash(&mut sink, &name, &path);
        // What was being written is cut off too.
        sink.write(&vec![row("d", 3)]).unwrap();
        sink.spill().unwrap();
        drop(sink);
        for _ in 0..2 {
            let mut sink = start(&run, &checkpoint).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), [HEADER, FIRST].concat(), "{step}");
            assert_eq!(spooled(place.path()), 0, "{step}");
            let next = prepared(&mut sink, 5, &[row("c", 2)]);
            sink.commit(&next).unwrap();
            let all = fs::read_to_string(&path).unwrap();
            assert_eq!(all, [HEADER, FIRST, SECOND].concat(), "{step}");
        }
    }
}

#[test]
fn rows_of_a_checkpoint_that_was_never_complete_are_dropped() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.csv");
    let run = job(place.path(), "out.csv", "");
    let mut sink = start(&run, &fresh()).unwrap();
    prepared(&mut sink, 1, &[row("a", 1)]);
    assert_eq!(spooled(place.path()), 1);
    start(&run, &fresh()).unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), spooled(place.path())), (HEADER, 0));
}

#[test]
fn an_output_that_does_not_go_with_the_checkpoint_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.csv");
    let run = job(place.path(), "out.csv", "");
    let mut sink = start(&run, &fresh()).unwrap();
    let first = prepared(&mut sink, 1, &[row("a", 1), row("b", 0)]);
    sink.commit(&first).unwrap();
    let second = prepared(&mut sink, 2, &[row("c", 2)]);
    let checkpoint = entry(&sink, &[&second]);
    sink.commit(&second).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    for other in [
        None,
        Some(String::new()),
        Some(HEADER.to_owned()),
        Some(whole[..whole.len() - 1].to_owned()),
        Some(whole.replace("a,", "x,")),
        Some(whole.replace("c,", "x,")),
        Some(format!("{}{whole}", "x".repeat(200))),
    ] {
        match &other {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let failure = start(&run, &checkpoint).unwrap_err();
        assert_eq!(failure.exit_code(), 1, "{failure}");
        assert!(failure.to_string().contains("out.csv"), "{failure}");
        assert_eq!(fs::read_to_string(&path).ok(), other);
    }
    fs::write(&path, format!("{whole}more")).unwrap();
    start(&run, &checkpoint).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn an_output_keeps_its_columns_and_its_format() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.csv");
    let mut sink = start(&job(place.path(), "out.csv", ""), &fresh()).unwrap();
    let first = prepared(&mut sink, 1, &[]);
    let checkpoint = entry(&sink, &[&first]);
    let mut other = job(place.path(), "out.csv", "");
    other.agg.reverse();
    let mut sink = start(&other, &checkpoint).unwrap();
    let mut turned = row("c", 2);
    turned.answers.reverse();
    let second = prepared(&mut sink, 2, &[turned]);
    sink.commit(&second).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), [HEADER, SECOND].concat());

    let jsonl = job(place.path(), "out.csv", "--format-out jsonl");
    let failure = start(&jsonl, &checkpoint).unwrap_err();
    assert!(failure.to_string().contains("--format-out csv"), "{failure}");
}

#[test]
fn json_lines_grow_from_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.jsonl");
    let mut sink = start(&job(place.path(), "out.jsonl", ""), &fresh()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    let name = prepared(&mut sink, 1, &[row("a", 1)]);
    sink.commit(&name).unwrap();
    let line = r#"{"k":"a","window_start":"1970-01-01T01:00:00","count":1,"max:x":null}"#;
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{line}\n"));
}

#[test]
fn more_rows_than_are_held_go_to_the_spool() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out.csv");
    let mut sink = start(&job(place.path(), "out.csv", ""), &fresh()).unwrap();
    sink.rows_max = 3;
    for hour in [4, 3, 2, 1, 0] {
        sink.write(&vec![row("a", hour)]).unwrap();
    }
    assert_eq!(sink.rows.len(), 2);
    let name = sink.prepare(id(1)).unwrap();
    sink.commit(&name).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let hours: Vec<_> = text.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(hours, ["2", "3", "4", "0", "1"]);
}
