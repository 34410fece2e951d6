//! Killed at random moments and run again at another parallelism, on another store: the output is
//! that of a job which was left in peace.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::time::{Duration, Instant};

use holdwater_system::expected::{Expected, expected};
use holdwater_system::generate::{COLUMNS, Random, rows, write_rows};
use holdwater_system::place::{BACKENDS, Place};
use holdwater_system::process::Running;
use holdwater_system::rows::{Rows, assert_same};

/// A job that is killed again and again.
struct Victim {
    place: Place,
    /// The command, but for what changes from run to run.
    job: String,
    /// How many rows its inputs have.
    rows: u64,
    /// How long it takes in peace.
    time: Duration,
    random: Random,
}

/// What came of killing.
#[derive(Debug, Default)]
struct Record {
    kills: usize,
    /// Kills of jobs that had completed a checkpoint since the kill before.
    with_progress: usize,
    /// Jobs that were run until they ended.
    jobs: usize,
}

#[test]
fn a_job_that_is_killed_and_rescaled_again_and_again_counts_every_row_once() {
    let (rows, keys) = (ROWS, 4_000);
    let key = ["key"];
    let specs = ["count", "sum:amount", "sum:price", "mean:amount", "max:price", "distinct:word"];
    let place = Place::new();
    let mut wanted = Expected::new(&COLUMNS, &key, &specs);
    write_rows(&place.path("a.csv"), 1, rows, keys, &mut wanted);
    write_rows(&place.path("b.csv"), 2, rows, keys / 2, &mut wanted);
    let job = format!(
        "run --input a.csv --input b.csv --key key --agg {} --checkpoint-every {}rows",
        specs.join(" "),
        rows / 100
    );
    let wanted = wanted.result();
    let mut victim = Victim::in_peace(place, job, 2 * rows, &wanted);
    victim.kill_and_compare(kills(), &wanted);
}

#[test]
fn lists_keep_their_order_in_a_job_that_is_killed_and_rescaled() {
    let specs = ["collect:amount", "last:word", "distinct:price"];
    let place = Place::new();
    let inputs = ["a", "b"].map(|name| {
        let mut input = rows(u64::from(name.as_bytes()[0]), 40_000, 500);
        // Keys of its own: the order is kept within an input.
        for row in &mut input.rows {
            row[0].push_str(name);
        }
        place.write(&format!("{name}.csv"), &input.to_csv());
        input
    });
    let wanted = expected(&inputs.each_ref(), &["key"], &specs);
    let job = format!(
        "run --input a.csv --input b.csv --key key --agg {} --checkpoint-every 1000rows \
         --full-every 5 --retain 2",
        specs.join(" ")
    );
    let mut victim = Victim::in_peace(place, job, 80_000, &wanted);
    victim.kill_and_compare(kills().div_ceil(4), &wanted);
}

impl Victim {
    /// Runs the job undisturbed first.
    fn in_peace(place: Place, job: String, rows: u64, wanted: &Rows) -> Self {
        let begun = Instant::now();
        let peaceful = format!("{job} --parallelism 2 --checkpoints peace --output peace.csv");
        place.holdwater(&peaceful).succeed();
        let time = begun.elapsed();
        assert_same(&place.rows("peace.csv"), wanted);
        Self { place, job, rows, time, random: Random::new(3) }
    }

    /// Kills jobs so many times, and compares the output of each with what is wanted.
    fn kill_and_compare(&mut self, kills: usize, wanted: &Rows) {
        let mut record = Record::default();
        while record.kills < kills {
            let in_a_row = IN_A_ROW_MAX.min(kills - record.kills);
            self.kill_one(in_a_row, &mut record);
            assert!(record.jobs <= record.kills, "too fast to be killed: {record:?}");
            assert_same(&self.place.rows("out.csv"), wanted);
            self.assert_swept();
            fs::remove_file(self.place.path("out.csv")).unwrap();
            fs::remove_dir_all(self.place.path("dir")).unwrap();
        }
        println!("{record:?}, {:?} in peace", self.time);
        assert!(record.with_progress * 4 >= record.kills, "hardly any progress: {record:?}");
    }

    /// Checks that a job that has ended leaves nothing behind of those that were killed.
    fn assert_swept(&self) {
        let listed = self.place.checkpoints("dir");
        assert!(listed.iter().all(|checkpoint| checkpoint.intact), "{listed:?}");
        assert_eq!(self.place.objects("dir", "manifests").len(), listed.len());
        let named: u64 =
            listed.iter().map(|checkpoint| checkpoint.shown["bytes"].as_u64().unwrap()).sum();
        let files = self.place.objects("dir", "data").into_iter();
        let held: u64 = files.map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
        assert!(held <= named, "{held} bytes are held, {named} named");
    }

    /// Kills one job so many times, or fewer if it is done before, and lets it end.
    fn kill_one(&mut self, kills: usize, record: &mut Record) {
        // So slow that it is done after as many runs of half the time to live.
        let life = (self.time.mul_f64(1.8) / kills as u32).max(LIFE_MIN);
        let rate = (self.rows as f64 * 2.0 / (life.as_secs_f64() * kills as f64)) as u64;
        let (mut newest, mut patience) = (None, 1.0);
        for _ in 0..kills {
            let mut running = self.start(&format!("--rate {rate}"));
            let share = self.random.below(1_000) as f64 / 1_000.0;
            if !running.run_for(life.mul_f64(share * patience)) {
                break;
            }
            running.kill();
            record.kills += 1;
            let found = self.place.checkpoints("dir").pop().map(|checkpoint| checkpoint.order);
            assert!(found >= newest, "{newest:?} was complete, now {found:?} is the newest");
            record.with_progress += usize::from(found > newest);
            // However busy the machine is, the job gets somewhere in the end.
            patience = if found > newest { 1.0 } else { PATIENCE_MAX.min(patience * 2.0) };
            newest = found;
            // Killed between its last step and its end.
            if self.place.path("out.csv").exists() {
                break;
            }
        }
        if !self.place.path("out.csv").exists() {
            self.start("").wait().succeeded();
        }
        record.jobs += 1;
    }

    fn start(&mut self, more: &str) -> Running {
        let parallelism = 1 + self.random.below(6);
        let backend = self.random.choose(BACKENDS);
        let more = format!("--backend {backend} {more}");
        let dir = "--checkpoints dir --output out.csv";
        let line = format!("{} {dir} --parallelism {parallelism} {more}", self.job);
        self.place.holdwater(&line).start()
    }
}

/// Returns how many kills are asked for.
fn kills() -> usize {
    let asked = env::var("HOLDWATER_KILLS").map(|kills| kills.parse().unwrap());
    asked.unwrap_or(KILLS)
}

const KILLS: usize = 20;

/// How many rows each input has; every row has an access of its own, and those of a database are
/// slow in builds without optimisation.
const ROWS: u64 = if cfg!(feature = "rocksdb") { 200_000 } else { 1_200_000 };

/// How often one job is killed at most.
const IN_A_ROW_MAX: usize = 100;

/// How much longer than that a job may live that made no progress before.
const PATIENCE_MAX: f64 = 16.0;

/// The longest time to live, at least: with less, a job would hardly come to read its input.
const LIFE_MIN: Duration = Duration::from_millis(300);
