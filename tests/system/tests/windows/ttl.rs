//! `--ttl` with `--time`: what a window holds of a key expires by the watermark.

use holdwater_system::expiring::expiring;
use holdwater_system::generate::Random;
use holdwater_system::place::Place;
use holdwater_system::rows::assert_same;
use holdwater_system::windows::{DAY, HOUR, MINUTE, Windows, disordered, windows};

const SPECS: [&str; 8] = [
    "count",
    "sum:delay",
    "collect:delay",
    "min:delay",
    "mean:distance",
    "last:date",
    "distinct:destination",
    "max:destination",
];

/// Windows with a lateness and a time to live.
const KINDS: [(&str, Windows, i64, i64); 5] = [
    ("--window 7d --lateness 3h --ttl 12h", Windows::Tumbling(7 * DAY), 3 * HOUR, 12 * HOUR),
    ("--window 10h --slide 7h --lateness 3h --ttl 2h", TEN_HOURS, 3 * HOUR, 2 * HOUR),
    ("--session 90m --lateness 3h --ttl 90m", Windows::Session(90 * MINUTE), 3 * HOUR, 90 * MINUTE),
    ("--session 5h --lateness 3h --ttl 20m", Windows::Session(5 * HOUR), 3 * HOUR, 20 * MINUTE),
    ("--window 7d --lateness 0s --ttl 1h", Windows::Tumbling(7 * DAY), 0, HOUR),
];
const TEN_HOURS: Windows = Windows::Sliding(10 * HOUR, 7 * HOUR);

#[test]
fn what_expires_within_windows_equals_an_independent_computation_at_any_parallelism() {
    let (place, flights) = Place::with_flights();
    let input = disordered(&flights, "date", 3 * HOUR, &mut Random::new(3));
    place.write("flights.csv", &input.to_csv());
    for (index, (flags, kind, lateness, ttl)) in KINDS.into_iter().enumerate() {
        let times = (kind, lateness, ttl);
        let wanted = expiring(&[&input], &["origin"], &SPECS, "date", times);
        let kept = windows(&[&input], &["origin"], &SPECS, "date", (kind, lateness));
        assert_eq!(wanted.late, kept.late, "{flags}");
        let wanted = wanted.rows.sorted();
        assert_ne!(wanted, kept.rows.sorted(), "{flags}: something expires");
        let job = format!(
            "run --input flights.csv --key origin --agg {} --time date {flags}",
            SPECS.join(" ")
        );
        let checkpoints = format!("--checkpoints dir{index} --checkpoint-every 1700rows");
        for more in ["--parallelism 1", &format!("{checkpoints} --full-every 3 --parallelism 3")] {
            assert_same(&place.holdwater(&format!("{job} {more}")).succeed().rows(), &wanted);
        }
    }
}

#[test]
fn a_key_of_which_no_row_came_for_so_long_begins_anew_in_its_window() {
    let place = Place::new();
    let rows = "k,t,v\n\
                a,2001-01-01T00:00,1\n\
                b,2001-01-01T00:30,2\n\
                a,2001-01-01T01:00,3\n\
                b,2001-01-01T02:29,4\n\
                b,2001-01-01T02:30,5\n\
                d,2001-01-01T23:00,0\n\
                a,2001-01-01T23:59,6\n\
                c,2001-01-02T00:00,7\n";
    place.write("in.csv", rows);
    let job = "run --input in.csv --key k --agg count collect:v --time t --window 1d \
               --parallelism 1 --ttl 2h";
    // At 02:29 the watermark is 01:00, and b lives for more than an hour. It has no row at the end
    // of the day; a has one, of what came after the watermark was 23:00.
    assert_eq!(
        place.holdwater(job).succeed().stdout,
        "k,window_start,count,collect:v\n\
         a,2001-01-01T00:00:00,1,6\n\
         d,2001-01-01T00:00:00,1,0\n\
         c,2001-01-02T00:00:00,1,7\n"
    );
    let longer = job.replace("2h", "1d");
    assert_eq!(
        place.holdwater(&longer).succeed().stdout,
        "k,window_start,count,collect:v\n\
         a,2001-01-01T00:00:00,3,1;3;6\n\
         b,2001-01-01T00:00:00,3,2;4;5\n\
         d,2001-01-01T00:00:00,1,0\n\
         c,2001-01-02T00:00:00,1,7\n"
    );
}

#[test]
fn a_time_to_live_is_given_changed_and_taken_where_a_job_goes_on() {
    let place = Place::new();
    place.write("in.csv", "k,t\na,2001-01-01T00:00\nb,2001-01-01T01:00\n");
    let shows = |row: &str, ttl: &str, keys: &[&str]| {
        place.append("in.csv", row);
        let job = "run --input in.csv --key k --agg count --time t --window 1d --checkpoints dir";
        let rows = place.holdwater(&format!("{job} {ttl}")).succeed().rows();
        let mut found: Vec<_> = rows.column("k").collect();
        found.sort_unstable();
        assert_eq!(found, keys, "{row} {ttl}");
        place.holdwater("verify dir --deep").succeed();
    };
    shows("", "", &["a", "b"]);
    // From the checkpoint on, at 01:00.
    shows("c,2001-01-01T02:30\n", "--ttl 2h", &["a", "b", "c"]);
    shows("d,2001-01-01T03:00\n", "--ttl 2h", &["c", "d"]);
    // What has expired does not come back; what has not is kept.
    shows("e,2001-01-01T09:00\n", "", &["c", "d", "e"]);
    shows("f,2001-01-01T10:00\n", "--ttl 5h", &["c", "d", "e", "f"]);
    shows("g,2001-01-01T11:30\n", "--ttl 1h", &["g"]);
    shows("h,2001-01-01T20:00\n", "--ttl 12h", &["g", "h"]);
}
