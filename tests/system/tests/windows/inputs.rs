//! How far event time has come: in one input, and in several together.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use holdwater_system::generate::Random;
use holdwater_system::place::Place;
use holdwater_system::process::Running;
use holdwater_system::rows::{Rows, assert_same};
use holdwater_system::windows::{DAY, HOUR, MINUTE, Windows, disordered, windows};

/// A job over standard input, which is given piece by piece.
struct Fed {
    place: Place,
    running: Running,
    pieces: Sender<String>,
}

impl Fed {
    /// Starts a job that counts rows per key and minute, with many checkpoints. `inputs` stand
    /// before standard input.
    fn start(place: Place, inputs: &str, more: &str) -> Self {
        let job = format!(
            "run {inputs} --input - --key k --agg count --time t --window 1m --output out.csv \
             --checkpoints dir --checkpoint-every 20ms {more}"
        );
        let (pieces, given) = channel();
        let running = place.holdwater(&job).feed(|pipe| feed(pipe, given));
        let fed = Self { place, running, pieces };
        fed.give("k,t\n");
        fed
    }

    fn give(&self, text: &str) {
        self.pieces.send(text.to_owned()).unwrap();
    }

    /// Waits until the output has these rows, and no others come.
    #[track_caller]
    fn assert_output(&mut self, rows: &[&str]) {
        let Self { place, running, .. } = self;
        let wanted = output(rows);
        running.until(|| place.path("out.csv").exists() && place.read("out.csv") == wanted);
        running.run_for(Duration::from_millis(200));
        assert_eq!(place.read("out.csv"), wanted);
    }

    /// Ends standard input; the output has these rows then.
    #[track_caller]
    fn end(self, rows: &[&str]) {
        let Self { place, running, pieces } = self;
        drop(pieces);
        running.wait().succeeded();
        assert_eq!(place.read("out.csv"), output(rows));
    }
}

fn feed(mut pipe: ChildStdin, given: Receiver<String>) {
    for piece in given {
        // A job that has failed says so itself.
        let _ = pipe.write_all(piece.as_bytes()).and_then(|()| pipe.flush());
    }
}

fn output(rows: &[&str]) -> String {
    let lines = rows.iter().map(|row| {
        let (key, minute) = row.split_at(1);
        format!("{key},1970-01-01T00:{:02}:00,1\n", minute.parse::<u32>().unwrap())
    });
    format!("k,window_start,count\n{}", lines.collect::<String>())
}

/// Writes a file with a row of key `a` in each of the minutes.
fn minutes(place: &Place, name: &str, minutes: std::ops::Range<i64>) {
    let rows: String = minutes.map(|minute| format!("a,{}\n", minute * 60)).collect();
    place.write(name, &format!("k,t\n{rows}"));
}

#[test]
fn a_window_is_written_once_when_the_watermark_has_reached_its_end() {
    let mut fed = Fed::start(Place::new(), "", "--lateness 10s");
    fed.assert_output(&[]);
    fed.give("a,0\nb,1970-01-01T00:01:09.999\n");
    fed.assert_output(&[]);
    fed.give("c,70\n");
    fed.assert_output(&["a0"]);
    fed.give("d,131\n");
    fed.assert_output(&["a0", "b1", "c1"]);
    fed.end(&["a0", "b1", "c1", "d2"]);
}

#[test]
fn a_window_is_written_whatever_subtask_gets_no_more_rows() {
    let mut fed = Fed::start(Place::new(), "", "--parallelism 8");
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    keys.iter().for_each(|key| fed.give(&format!("{key},0\n")));
    fed.give("z,60\n");
    let mut rows: Vec<_> = keys.iter().map(|key| format!("{key}0")).collect();
    fed.assert_output(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    rows.push("z1".to_owned());
    fed.end(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn windows_close_by_the_lowest_watermark() {
    let place = Place::new();
    minutes(&place, "a.csv", 0..6);
    let mut fed = Fed::start(place, "--input a.csv", "--parallelism 2");
    fed.assert_output(&[]);
    fed.give("b,150\n");
    fed.assert_output(&["a0", "a1"]);
    fed.give("b,200\n");
    fed.assert_output(&["a0", "a1", "a2", "b2"]);
    fed.end(&["a0", "a1", "a2", "b2", "a3", "b3", "a4", "a5"]);
}

#[test]
fn an_input_that_has_ended_holds_no_window_back() {
    let place = Place::new();
    minutes(&place, "a.csv", 0..2);
    let mut fed = Fed::start(place, "--input a.csv", "--parallelism 2");
    fed.give("b,310\n");
    fed.assert_output(&["a0", "a1"]);
    fed.give("b,360\n");
    fed.assert_output(&["a0", "a1", "b5"]);
    fed.end(&["a0", "a1", "b5", "b6"]);
}

#[test]
fn an_input_without_rows_holds_all_windows_back_until_it_ends() {
    let place = Place::new();
    minutes(&place, "a.csv", 0..3);
    let mut fed = Fed::start(place, "--input a.csv", "");
    let Fed { place, running, .. } = &mut fed;
    running.until(|| !place.checkpoints("dir").is_empty());
    fed.assert_output(&[]);
    fed.end(&["a0", "a1", "a2"]);
}

#[test]
fn a_row_is_judged_by_the_watermark_of_its_own_input_at_any_parallelism() {
    let (place, flights) = Place::with_flights();
    let mut random = Random::new(3);
    // The second one stays behind, and neither is in order.
    let inputs = [flights.first(12_000), flights.share(0, 3)]
        .map(|rows| disordered(&rows, "date", DAY, &mut random));
    for (input, name) in inputs.iter().zip(["a.csv", "b.csv"]) {
        place.write(name, &input.to_csv());
    }
    let specs = ["count", "sum:delay", "distinct:destination"];
    let kind = (Windows::Tumbling(6 * HOUR), 2 * HOUR);
    let wanted = windows(&inputs.each_ref(), &["origin"], &specs, "date", kind);
    assert!(wanted.late > 500, "{}", wanted.late);
    for parallelism in [1, 2, 5] {
        let job = format!(
            "run --input a.csv --input b.csv --key origin --agg {} --time date --window 6h \
             --lateness 2h --parallelism {parallelism}",
            specs.join(" ")
        );
        let done = place.holdwater(&job).succeed();
        assert_same(&done.rows(), &wanted.rows);
        assert_eq!(done.stderr, format!("late rows: {}\n", wanted.late));
    }
}

#[test]
fn last_and_collect_keep_the_order_within_each_input_also_where_sessions_join() {
    let (place, flights) = Place::with_flights();
    let mut random = Random::new(4);
    let inputs = [0, 1].map(|part| {
        let mut rows = disordered(&flights.share(part, 2), "date", 2 * HOUR, &mut random);
        rows.columns.push("mark".to_owned());
        for (number, row) in rows.rows.iter_mut().enumerate() {
            row.push(format!("{}{number}", ["a", "b"][part]));
        }
        place.write(["a.csv", "b.csv"][part], &rows.to_csv());
        rows
    });
    let specs = ["last:mark", "collect:mark"];
    let kind = (Windows::Session(50 * MINUTE), 2 * HOUR);
    let wanted = windows(&inputs.each_ref(), &["origin"], &specs, "date", kind);
    let job = "run --input a.csv --input b.csv --key origin --agg last:mark collect:mark \
               --time date --session 50m --lateness 2h --parallelism 2";
    let done = place.holdwater(job).succeed();
    assert_same(&done.rows(), &wanted.rows);
    assert_eq!(done.stderr, "");
    let joined = |rows: &Rows| rows.column("collect:mark").filter(|m| m.contains(";b")).count();
    assert!(joined(&done.rows()) > 1_000, "sessions have rows of both inputs");
}
