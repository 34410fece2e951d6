//! What checkpoints of jobs with windows show.

use holdwater_system::place::Place;
use holdwater_system::rows::Rows;
use holdwater_system::windows::{DAY, HOUR, Windows, seconds, windows};
use serde_json::Value;

/// Runs a job over flights; returns all its windows, and those that its last checkpoint holds at
/// least: the ones that end behind the last flight. Of the others some may be about to be shown.
fn open_windows(specs: &[&str], flags: &str, kind: Windows, length: i64) -> (Place, Rows, Rows) {
    let (place, flights) = Place::with_flights();
    let job = format!(
        "run --input flights.csv --key origin,destination --agg {} --time date {flags} \
         --output out.csv --checkpoints dir --parallelism 2 --checkpoint-every 5000rows",
        specs.join(" ")
    );
    place.holdwater(&job).succeed();
    let key = ["origin", "destination"];
    let all = windows(&[&flights], &key, specs, "date", (kind, 0)).rows.sorted();
    let mut open = all.clone();
    let end = seconds(flights.column("date").last().unwrap());
    open.rows.retain(|row| seconds(&row[2]) + length > end);
    assert!(open.rows.len() > 20, "{}", open.rows.len());
    (place, all, open)
}

#[test]
fn a_dump_shows_the_start_of_each_window_behind_the_key() {
    let kind = Windows::Sliding(DAY, 8 * HOUR);
    let (place, all, wanted) = open_windows(&["count"], "--window 1d --slide 8h", kind, DAY);
    let mut found = place.holdwater("dump dir --state count --format csv").succeed().rows();
    assert_eq!(found.columns, ["origin", "destination", "window_start", "value"]);
    let is_one = |row| all.rows.binary_search(row).is_ok();
    assert!(found.rows.iter().all(is_one), "each window is shown as it is");
    let shown = found.rows.len();
    found.rows.sort_unstable();
    found.rows.dedup();
    assert_eq!(found.rows.len(), shown, "once");
    let missed = |row: &&Vec<String>| found.rows.binary_search(row).is_err();
    assert_eq!(wanted.rows.iter().find(missed), None, "all that are open are shown");

    let lines = place.holdwater("dump dir --state count").succeed().stdout;
    let row = &wanted.rows[7];
    let text = format!(
        r#"{{"key":{{"origin":"{}","destination":"{}"}},"window_start":"{}","value":{}}}"#,
        row[0], row[1], row[2], row[3]
    );
    assert!(lines.lines().any(|line| line == text), "{text}");

    let key = format!("{},{}", row[0], row[1]);
    let of_key = place.holdwater(&format!("dump dir --state count --format csv --key {key}"));
    let of_key = of_key.succeed().rows().rows;
    let own = |other: &&Vec<String>| other[..2] == row[..2];
    assert_eq!(of_key.len(), found.rows.iter().filter(own).count(), "one row per window");
    let absent = place.holdwater("dump dir --state count --key SFO,nowhere");
    absent.refuse(1, &["SFO,nowhere"]);
    place.holdwater("dump dir --state count --key SFO").refuse(2, &["--key", "destination"]);
}

#[test]
fn sessions_show_cells_in_their_order_and_nothing_of_where_they_stand() {
    let specs = ["collect:delay", "last:date", "distinct:destination", "count"];
    let kind = Windows::Session(6 * HOUR);
    let (place, flights) = Place::with_flights();
    let job = format!(
        "run --input flights.csv --key origin --agg {} --time date --session 6h --output out.csv \
         --checkpoints dir",
        specs.join(" ")
    );
    place.holdwater(&job).succeed();
    let all = windows(&[&flights], &["origin"], &specs, "date", (kind, 0)).rows;
    let state = |state: &str| {
        let shown = place.holdwater(&format!("dump dir --state {state}")).succeed().stdout;
        let lines = shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect::<Vec<_>>()
    };
    for (place_of, spec) in specs.iter().enumerate() {
        let shown = state(spec);
        assert!(shown.len() > 20, "{spec}: {}", shown.len());
        for row in shown {
            let (origin, start) = (&row["key"]["origin"], &row["window_start"]);
            let wanted = all.rows.iter().find(|row| row[0] == *origin && row[1] == *start);
            let value = match &row["value"] {
                Value::Array(items) if spec.starts_with("distinct") => items.len().to_string(),
                Value::Array(items) => {
                    let texts: Vec<_> = items.iter().map(|item| item.as_str().unwrap()).collect();
                    texts.join(";")
                }
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            assert_eq!(value, wanted.unwrap()[place_of + 2], "{spec} of {row}");
        }
    }
}

#[test]
fn inspect_says_which_windows_a_job_has() {
    let (place, _) = Place::with_flights();
    for (flags, said) in [
        ("--window 1d", "windows of 1d;"),
        ("--window 36h --slide 90m", "windows of 36h every 90m;"),
        ("--session 45m", "sessions of 45m;"),
    ] {
        let job = "run --input flights.csv --key origin --agg count --time date --output out.csv \
                   --checkpoints dir --fresh";
        place.holdwater(&format!("{job} {flags}")).succeed();
        let shown = place.holdwater("inspect dir").succeed().stdout;
        let job = shown.lines().find(|line| line.trim_start().starts_with("job ")).unwrap();
        assert!(job.contains(said) && job.contains("1 input: csv"), "{job}");
        assert!(shown.contains("flights.csv: 20,000 rows"), "{shown}");
        place.holdwater("verify dir --deep").succeed();
    }
}
