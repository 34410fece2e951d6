//! Killed at random moments and run again at another parallelism, on another store: each row of the
//! output is there once.

use std::env;
use std::time::{Duration, Instant};

use holdwater_system::expiring::expiring;
use holdwater_system::generate::Random;
use holdwater_system::place::{BACKENDS, Place};
use holdwater_system::rows::assert_same;
use holdwater_system::windows::{HOUR, MINUTE, Windows, disordered, windows};

const SPECS: [&str; 5] =
    ["count", "sum:delay", "max:distance", "distinct:destination", "last:date"];

/// The kinds of windows, each with a lateness that its input keeps to, one with a lateness that it
/// does not keep to, and one whose content expires after so long.
const KINDS: [(&str, Windows, i64, Option<i64>); 5] = [
    ("--window 1d --lateness 5h", Windows::Tumbling(24 * HOUR), 5 * HOUR, None),
    ("--window 1d --slide 9h --lateness 5h", Windows::Sliding(24 * HOUR, 9 * HOUR), 5 * HOUR, None),
    ("--session 100m --lateness 5h", Windows::Session(100 * MINUTE), 5 * HOUR, None),
    ("--window 3h --lateness 30m", Windows::Tumbling(3 * HOUR), 30 * MINUTE, None),
    ("--window 1d --lateness 5h --ttl 2h", Windows::Tumbling(24 * HOUR), 5 * HOUR, Some(2 * HOUR)),
];

#[test]
fn jobs_with_windows_that_are_killed_and_rescaled_again_and_again_write_every_row_once() {
    let (place, flights) = Place::with_flights();
    let mut random = Random::new(5);
    let inputs = [0, 1].map(|part| {
        let mut rows = disordered(&flights.share(part, 2), "date", 5 * HOUR, &mut random);
        // Keys of their own, so that `last` is that of one input.
        rows.rows.iter_mut().for_each(|row| row[1].push(['-', '+'][part]));
        place.write(["a.csv", "b.csv"][part], &rows.to_csv());
        rows
    });
    let (mut kills, mut grown) = (0, 0);
    let per_kind = kills_asked().div_ceil(KINDS.len());
    for (flags, kind, lateness, ttl) in KINDS {
        let inputs = inputs.each_ref();
        let wanted = match ttl {
            None => windows(&inputs, &["origin"], &SPECS, "date", (kind, lateness)),
            Some(ttl) => expiring(&inputs, &["origin"], &SPECS, "date", (kind, lateness, ttl)),
        };
        assert_eq!(wanted.late > 0, lateness < 5 * HOUR, "{flags}");
        let job = format!(
            "run --input a.csv --input b.csv --key origin --agg {} --time date {flags} \
             --checkpoint-every 400rows --full-every 4",
            SPECS.join(" ")
        );
        let begun = Instant::now();
        place.holdwater(&format!("{job} --parallelism 2 --output peace.csv")).succeed();
        let peace = place.read("peace.csv");
        assert_same(&place.rows("peace.csv"), &wanted.rows);

        // So slow that it would be done after some more runs than it is killed.
        let life = begun.elapsed().clamp(LIFE_MIN, LIFE_MAX);
        let rate = (10_000.0 / (life.as_secs_f64() * per_kind as f64)) as u64;
        let enough = kills + per_kind;
        while kills < enough {
            let parallelism = 1 + random.below(5);
            let backend = random.choose(BACKENDS);
            let line = format!(
                "{job} --backend {backend} --rate {rate} --parallelism {parallelism} --output out.csv --checkpoints dir"
            );
            let mut running = place.holdwater(&line).start();
            let share = random.below(1_000) as f64 / 500.0;
            if !running.run_for(life.mul_f64(share)) {
                running.wait().succeeded();
                assert!(place.read("out.csv") == peace, "{flags}");
                std::fs::remove_dir_all(place.path("dir")).unwrap();
                continue;
            }
            running.kill();
            kills += 1;
            if place.path("out.csv").exists() {
                let shown = place.read("out.csv");
                // A row may be cut off where the job was.
                assert!(peace.starts_with(&shown), "{flags}: it is what comes of it in peace");
                grown += usize::from(shown.lines().count() > 1);
            }
        }
        let done = place.holdwater(&format!("{job} --output out.csv --checkpoints dir")).succeed();
        assert_same(&place.rows("out.csv"), &wanted.rows);
        assert!(place.read("out.csv") == peace, "{flags}: in the same order too");
        if wanted.late > 0 {
            let late = format!("late rows: {}", wanted.late);
            assert_eq!(done.stderr.lines().last(), Some(late.as_str()));
        }
        assert_nothing_is_left(&place);
        std::fs::remove_dir_all(place.path("dir")).unwrap();
        std::fs::remove_file(place.path("out.csv")).unwrap();
    }
    println!("{kills} kills, {grown} of them when rows were written");
    assert!(grown * 4 >= kills, "hardly any progress: {grown} of {kills}");
}

/// Checks that no rows wait for a checkpoint any more.
fn assert_nothing_is_left(place: &Place) {
    let names = std::fs::read_dir(place.path(".")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.csv", "b.csv", "dir", "flights.csv", "out.csv", "peace.csv"]);
}

/// Returns how many kills are asked for.
fn kills_asked() -> usize {
    env::var("HOLDWATER_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

const KILLS: usize = 20;

/// With less, a job would hardly come to read its input.
const LIFE_MIN: Duration = Duration::from_millis(500);

/// However busy the machine is, the test ends.
const LIFE_MAX: Duration = Duration::from_millis(2_000);
