//! The same command again, with windows.

use holdwater_system::generate::Random;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};
use holdwater_system::windows::{DAY, HOUR, MINUTE, Windows, disordered, windows};
use rustix::process::Signal;

const SPECS: [&str; 3] = ["count", "collect:delay", "last:date"];

fn job(flags: &str) -> String {
    format!(
        "run --input flights.csv --key origin --agg {} --time date {flags} --output out.csv \
         --checkpoints dir",
        SPECS.join(" ")
    )
}

#[test]
fn the_same_command_again_writes_the_same_output() {
    let (place, flights) = Place::with_flights();
    place.write("flights.csv", &flights.first(5_000).to_csv());
    for flags in ["--window 1d", "--window 10h --slide 3h", "--session 1h"] {
        let job = job(flags);
        place.holdwater(&format!("{job} --fresh --checkpoint-every 700rows")).succeed();
        let first = place.read("out.csv");
        for parallelism in [1, 4] {
            place.holdwater(&format!("{job} --parallelism {parallelism}")).succeed();
            assert_eq!(place.read("out.csv"), first, "{flags}");
        }
    }
}

#[test]
fn a_grown_input_goes_on_as_if_it_had_never_ended() {
    let (place, flights) = Place::with_flights();
    let input = disordered(&flights.first(8_000), "date", DAY, &mut Random::new(2));
    for (flags, kind, lateness) in [
        ("--window 6h --lateness 3h", Windows::Tumbling(6 * HOUR), 3 * HOUR),
        ("--window 9h --slide 4h --lateness 3h", Windows::Sliding(9 * HOUR, 4 * HOUR), 3 * HOUR),
        ("--session 40m --lateness 1d", Windows::Session(40 * MINUTE), DAY),
    ] {
        let wanted = windows(&[&input], &["origin"], &SPECS, "date", (kind, lateness));
        let job = job(flags);
        for part in 1..=4 {
            place.write("flights.csv", &input.first(input.rows.len() * part / 4).to_csv());
            let fresh = if part == 1 { "--fresh" } else { "" };
            let done = place.holdwater(&format!("{job} {fresh} --parallelism {part}")).succeed();
            if part == 4 && wanted.late > 0 {
                let late = format!("late rows: {}", wanted.late);
                assert_eq!(done.stderr.lines().last(), Some(late.as_str()), "across restarts");
            }
        }
        assert_same(&place.rows("out.csv"), &wanted.rows);
    }
}

#[test]
fn kind_and_sizes_of_windows_make_the_job_and_lateness_does_not() {
    let (place, flights) = Place::with_flights();
    place.write("flights.csv", &flights.first(2_000).to_csv());
    place.holdwater(&job("--window 1d --slide 12h")).succeed();
    for other in
        ["--window 1d", "--window 2d --slide 12h", "--window 1d --slide 6h", "--session 1d"]
    {
        place.holdwater(&job(other)).refuse(3, &["dir", "--fresh"]);
    }
    let plain = "run --input flights.csv --key origin --agg count collect:delay last:date \
                 --output out.csv --checkpoints dir";
    place.holdwater(plain).refuse(3, &["dir", "--fresh"]);
    place.write("flights.csv", &flights.first(3_000).to_csv());
    let job = job("--window 24h --slide 12h --lateness 5h --guarantee at-least-once");
    let done = place.holdwater(&job).succeed();
    assert!(done.stderr.contains("resumed"), "{}", done.stderr);
    let kind = (Windows::Sliding(24 * HOUR, 12 * HOUR), 0);
    let wanted = windows(&[&flights.first(3_000)], &["origin"], &SPECS, "date", kind);
    assert_same(&place.rows("out.csv"), &wanted.rows);
}

#[test]
fn a_watermark_never_goes_back_though_the_lateness_grows() {
    let place = Place::new();
    let job = |lateness: &str| {
        format!(
            "run --input a.csv --key k --agg count --time t --window 1m --output out.csv \
             --checkpoints dir --lateness {lateness}"
        )
    };
    place.write("a.csv", "k,t\na,0\na,60\n");
    place.holdwater(&job("0s")).succeed();
    // The first minute was written: a row in it comes too late, whatever is allowed for now.
    place.append("a.csv", "a,30\na,70\n");
    let done = place.holdwater(&job("10m")).succeed();
    assert_eq!(done.stderr.lines().last(), Some("late rows: 1"));
    let rows = "k,window_start,count\na,1970-01-01T00:00:00,1\na,1970-01-01T00:01:00,2\n";
    assert_eq!(place.read("out.csv"), rows);
}

#[test]
fn an_input_that_grew_since_its_end_is_late_for_what_was_closed_meanwhile() {
    let place = Place::new();
    let rows = |key: &str, minutes: &[i64]| -> String {
        minutes.iter().map(|minute| format!("{key},{}\n", minute * 60)).collect()
    };
    let job = "run --input a.csv --input b.csv --key k --agg count --time t --window 1m \
               --output out.csv --checkpoints dir --checkpoint-every 1rows";
    place.write("a.csv", &format!("k,t\n{}", rows("a", &[0, 1, 2])));
    place.write("b.csv", &format!("k,t\n{}", rows("b", &[0, 5, 9])));
    place.holdwater(job).succeed();
    // Both have ended: windows are closed up to minute 9, the highest of their watermarks.
    place.append("a.csv", &rows("a", &[2, 3, 8, 9, 11]));
    place.append("b.csv", &rows("b", &[9, 10]));
    for parallelism in [1, 3, 2] {
        let line = format!("{job} --parallelism {parallelism}");
        let done = place.holdwater(&line).succeed();
        assert_eq!(done.stderr.lines().last(), Some("late rows: 3"));
        let found: Vec<_> = place.rows("out.csv").rows;
        let counts: Vec<_> =
            found.iter().map(|row| format!("{}{}:{}", row[0], &row[1][14..16], row[2])).collect();
        assert_eq!(
            counts,
            ["a00:1", "b00:1", "a01:1", "a02:1", "b05:1", "a09:1", "b09:2", "b10:1", "a11:1"]
        );
    }
}

#[test]
fn a_signal_takes_a_last_checkpoint_and_the_windows_go_on_from_it() {
    let (place, flights) = Place::with_flights();
    let job = job("--window 1d");
    let mut running = place.holdwater(&format!("{job} --checkpoint-every 1h --rate 8000")).start();
    running.until(|| place.path("out.csv").exists());
    assert!(running.run_for(std::time::Duration::from_millis(1_000)));
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code, Some(143));
    assert_eq!(place.checkpoints("dir").len(), 1);
    let shown = place.read("out.csv");
    place.holdwater(&job).succeed();
    assert!(place.read("out.csv").starts_with(&shown));
    let kind = (Windows::Tumbling(DAY), 0);
    let wanted: Rows = windows(&[&flights], &["origin"], &SPECS, "date", kind).rows;
    assert_same(&place.rows("out.csv"), &wanted);
}
