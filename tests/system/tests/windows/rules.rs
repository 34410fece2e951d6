//! What a window is, and when a row is late.

use holdwater_system::place::Place;

/// Runs a job that counts rows of `k` and collects their `v`; returns the lines of its output and
/// what it says.
#[track_caller]
fn windows(rows: &str, flags: &str) -> (Vec<String>, String) {
    let place = Place::new();
    place.write("a.csv", &format!("k,t,v\n{rows}"));
    let job = format!("run --input a.csv --key k --agg count collect:v --time t {flags}");
    let done = place.holdwater(&job).succeed();
    let mut lines = done.stdout.lines().map(str::to_owned);
    assert_eq!(lines.next().as_deref(), Some("k,window_start,count,collect:v"));
    (lines.collect(), done.stderr)
}

#[test]
fn windows_start_at_multiples_of_the_slide_since_1970_utc_also_before() {
    let rows = "a,1969-12-31T23:59,1\na,1970-01-01T00:00,2\na,1970-01-01T06:59:59.999,3\n";
    let (lines, _) = windows(rows, "--window 7h");
    assert_eq!(
        lines,
        ["a,1969-12-31T17:00:00,1,1", "a,1970-01-01T00:00:00,2,2;3"],
        "7h do not divide a day"
    );
    let (lines, _) = windows(rows, "--window 7h --slide 4h");
    assert_eq!(
        lines,
        ["a,1969-12-31T20:00:00,2,1;2", "a,1970-01-01T00:00:00,2,2;3", "a,1970-01-01T04:00:00,1,3",]
    );
}

#[test]
fn a_row_at_the_end_of_a_window_is_in_the_next_one() {
    let (lines, _) = windows("a,60,1\na,119,2\na,120,3\n", "--window 1m");
    assert_eq!(lines, ["a,1970-01-01T00:01:00,2,1;2", "a,1970-01-01T00:02:00,1,3"]);
}

#[test]
fn a_row_goes_to_each_of_its_windows_that_has_not_ended_and_is_late_if_there_is_none() {
    // Watermark 250 behind the first row: of 170 the windows from 60, 80, 100 and so on have ended
    // up to the one from 140.
    let rows = "a,250,1\na,170,2\na,149,3\na,150,4\n";
    let (lines, said) = windows(rows, "--window 100s --slide 20s");
    let starts: Vec<_> = lines.iter().map(|line| &line[2..]).collect();
    assert_eq!(
        starts,
        [
            "1970-01-01T00:02:40,3,1;2",
            "1970-01-01T00:03:00,1,1",
            "1970-01-01T00:03:20,1,1",
            "1970-01-01T00:03:40,1,1",
            "1970-01-01T00:04:00,1,1",
        ]
        .map(|line| line.replace(",3,1;2", ",2,1;2"))
    );
    assert_eq!(said, "late rows: 2\n");
}

#[test]
fn lateness_holds_the_watermark_back() {
    // At lateness 30 the watermark is 90 behind the first row, and the first minute has ended.
    let rows = "a,120,1\na,60,2\na,59,3\na,95,4\n";
    let (lines, said) = windows(rows, "--window 1m --lateness 30s");
    assert_eq!(lines, ["a,1970-01-01T00:01:00,2,2;4", "a,1970-01-01T00:02:00,1,1"]);
    assert_eq!(said, "late rows: 1\n");
    let (lines, said) = windows(rows, "--window 1m --lateness 61s");
    assert_eq!((lines.len(), said.as_str()), (3, ""));
}

#[test]
fn rows_of_a_key_less_than_the_gap_apart_are_one_session() {
    let rows = "a,100,1\nb,110,2\na,159,3\nb,169,5\na,219,4\nb,230,6\n";
    let (lines, said) = windows(rows, "--session 1m");
    assert_eq!(
        lines,
        [
            "a,1970-01-01T00:01:40,2,1;3",
            "b,1970-01-01T00:01:50,2,2;5",
            "a,1970-01-01T00:03:39,1,4",
            "b,1970-01-01T00:03:50,1,6",
        ],
        "60 s apart is not less than a minute"
    );
    assert_eq!(said, "");
}

#[test]
fn a_session_starts_at_its_earliest_row_and_keeps_the_order_of_rows() {
    // 150 comes last and joins two sessions.
    let rows = "a,200,1\na,120,2\na,210,3\na,100,4\na,150,5\n";
    let (lines, said) = windows(rows, "--session 51s --lateness 200s");
    assert_eq!((lines, said.as_str()), (vec!["a,1970-01-01T00:01:40,5,1;2;3;4;5".to_owned()], ""));
}

#[test]
fn a_row_is_late_for_any_session_once_its_own_would_have_ended() {
    // Watermark 200: 140 + 60 has been reached, 141 + 60 has not.
    let (lines, said) = windows("a,200,1\na,140,2\nb,141,3\n", "--session 1m");
    assert_eq!(lines, ["b,1970-01-01T00:02:21,1,3", "a,1970-01-01T00:03:20,1,1"]);
    assert_eq!(said, "late rows: 1\n");
}

#[test]
fn a_session_that_has_ended_takes_no_more_rows() {
    // The session of 100 has ended at 170. The row at 150 is in time, and alone.
    let (lines, _) = windows("a,100,1\nb,170,2\na,150,3\n", "--session 1m");
    assert_eq!(
        lines,
        ["a,1970-01-01T00:01:40,1,1", "a,1970-01-01T00:02:30,1,3", "b,1970-01-01T00:02:50,1,2"]
    );
}

#[test]
fn a_time_is_a_date_with_or_without_a_clock_or_seconds_since_1970() {
    for time in [
        "2001-02-03T04:05:06",
        "2001-02-03 04:05:06",
        "2001-02-03T04:05:06Z",
        "2001-02-03T06:05:06+02:00",
        "2001-02-02T22:35:06-05:30",
        "2001-02-03T04:05:06.000",
        "981173106",
    ] {
        let (lines, _) = windows(&format!("a,{time},1\n"), "--session 1m");
        assert_eq!(lines, ["a,2001-02-03T04:05:06,1,1"], "{time}");
    }
    for (time, start) in [
        ("2001-02-03", "2001-02-03T00:00:00"),
        ("2001-02-03T04:05", "2001-02-03T04:05:00"),
        ("2001-02-03T04:05:06.5", "2001-02-03T04:05:06.5"),
        ("2001-02-03T04:05:06.025Z", "2001-02-03T04:05:06.025"),
        ("-1", "1969-12-31T23:59:59"),
    ] {
        let (lines, _) = windows(&format!("a,{time},1\n"), "--session 1m");
        assert_eq!(lines, [format!("a,{start},1,1")], "{time}");
    }
}

#[test]
fn a_cell_that_is_no_time_is_a_bad_row() {
    let place = Place::new();
    let job = "run --input a.csv --key k --agg count --time t --window 1d";
    for cell in ["", "soon", "2001-02-29", "2001-01-01T24:00", "1.5"] {
        place.write("a.csv", &format!("k,t\na,2001-01-01\na,{cell}\na,2001-01-02\n"));
        place.holdwater(job).refuse(1, &["a.csv", "line 3", "t is", "--bad-rows skip"]);
        let done = place.holdwater(&format!("{job} --bad-rows skip")).succeed();
        let lines = "k,window_start,count\na,2001-01-01T00:00:00,1\na,2001-01-02T00:00:00,1\n";
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (lines, "bad rows: 1\n"));
    }
    place.write("a.csv", "k,time\na,2001-01-01\n");
    place.holdwater(job).refuse(1, &["a.csv", "no column t", "k, time"]);
}

#[test]
fn late_rows_are_told_before_bad_rows() {
    let (_, said) = windows("a,300,1\na,1,2\na,x,3\na,2,4\n", "--window 1m --bad-rows skip");
    assert_eq!(said, "late rows: 2\nbad rows: 1\n");
}

#[test]
fn an_input_without_rows_has_no_windows() {
    let (lines, said) = windows("", "--window 1m");
    assert_eq!((lines.len(), said.as_str()), (0, ""));
}

#[test]
fn the_output_is_ordered_by_the_ends_of_windows_then_by_their_starts_then_by_keys() {
    // In sessions, b ends before a; two sessions of one end begin at different times.
    let rows = "b,100,1\na,110,2\nc,105,3\nb,110,4\nz,300,5\n";
    let (lines, _) = windows(rows, "--session 1m --lateness 1m");
    let order: Vec<_> = lines.iter().map(|line| &line[..1]).collect();
    assert_eq!(order, ["c", "b", "a", "z"]);
}
