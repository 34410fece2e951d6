//! The same command again: what goes on, and what begins anew.

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same, spoil};

const SPECS: [&str; 5] = ["count", "sum:amount", "mean:price", "last:word", "collect:amount"];

/// The job over `a.csv`, without its checkpoints.
const JOB: &str = "run --input a.csv --key key --parallelism 2 \
                   --agg count sum:amount mean:price last:word collect:amount";

/// An input that grows: a file of all its rows up to some row.
struct Growing {
    place: Place,
    all: Rows,
}

impl Growing {
    fn new(seed: u64) -> Self {
        Self { place: Place::new(), all: rows(seed, 12_000, 100) }
    }

    fn rows(&self, count: usize) -> Rows {
        self.all.first(count)
    }

    /// Writes `a.csv` with so many rows, of which the first ones are spoiled.
    fn write(&self, count: usize, spoiled: usize) {
        self.place.write("a.csv", &spoil(&self.rows(count).to_csv(), spoiled));
    }

    #[track_caller]
    fn assert_result(&self, job: &str, count: usize) {
        let done = self.place.holdwater(job).succeed();
        assert_same(&done.rows(), &expected(&[&self.rows(count)], &["key"], &SPECS));
    }
}

#[test]
fn the_same_command_again_writes_the_same_output() {
    let growing = Growing::new(1);
    let job = format!("{JOB} --checkpoints dir");
    growing.write(6_000, 0);
    growing.assert_result(&job, 6_000);
    growing.write(6_000, 10);
    growing.assert_result(&job, 6_000);
    growing.assert_result(&job.replace("--parallelism 2", "--parallelism 5"), 6_000);
    // So that the above shows something.
    growing.place.holdwater(JOB).refuse(1, &["a.csv", "line 2"]);
}

#[test]
fn a_grown_input_goes_on() {
    let growing = Growing::new(2);
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 700rows");
    growing.write(4_000, 0);
    growing.assert_result(&job, 4_000);
    growing.write(4_001, 10);
    growing.assert_result(&job, 4_001);
    growing.write(9_000, 1_000);
    growing.assert_result(&job.replace("--parallelism 2", "--parallelism 3"), 9_000);
    growing.write(12_000, 4_000);
    growing.assert_result(&job.replace("--parallelism 2", "--parallelism 1"), 12_000);
}

#[test]
fn what_does_not_make_the_job_may_change() {
    let growing = Growing::new(3);
    growing.write(6_000, 0);
    growing.assert_result(&format!("{JOB} --checkpoints dir --checkpoint-every 500rows"), 6_000);

    growing.write(9_000, 100);
    std::fs::rename(growing.place.path("a.csv"), growing.place.path("b.csv")).unwrap();
    std::fs::rename(growing.place.path("dir"), growing.place.path("elsewhere")).unwrap();
    let job = "run --input b.csv --key key --agg collect:amount last:word --agg count sum:amount \
               --agg mean:price --output out.jsonl --checkpoints elsewhere --checkpoint-every 1s \
               --retain 1 --full-every 1 --parallelism 4 --guarantee at-least-once \
               --bad-rows skip --sync-snapshots --memory-limit 1GiB";
    growing.place.holdwater(job).succeed();
    let specs = ["collect:amount", "last:word", "count", "sum:amount", "mean:price"];
    let wanted = expected(&[&growing.rows(9_000)], &["key"], &specs);
    assert_same(&growing.place.rows("out.jsonl"), &wanted);
}

#[test]
fn a_killed_job_goes_on_where_its_newest_checkpoint_stands() {
    let growing = Growing::new(4);
    growing.write(12_000, 0);
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 500rows --full-every 4");
    let mut running = growing.place.holdwater(&format!("{job} --rate 3000")).start();
    // Behind row 4,000, so that the first rows are far enough back.
    running.until(|| growing.place.checkpoints("dir").last().is_some_and(|last| last.order.1 > 8));
    running.kill();
    growing.write(12_000, 500);
    growing.assert_result(&job, 12_000);
}

#[test]
fn fresh_begins_anew_and_what_is_older_is_never_resumed() {
    let growing = Growing::new(5);
    growing.write(6_000, 0);
    let job = format!("{JOB} --checkpoints dir --retain 2");
    growing.assert_result(&job, 6_000);

    // Another input: from the older checkpoints it would be refused.
    let other = Growing { all: rows(6, 12_000, 100), place: growing.place };
    other.write(5_000, 0);
    other.place.holdwater(&job).refuse(3, &["a.csv", "--fresh"]);
    other.assert_result(&format!("{job} --fresh"), 5_000);
    other.write(5_000, 10);
    other.assert_result(&job, 5_000);
    other.place.holdwater(&format!("{job} --fresh")).refuse(1, &["a.csv", "line 2"]);
}

#[test]
fn fresh_holds_though_the_job_is_killed_before_its_first_checkpoint() {
    let growing = Growing::new(7);
    growing.write(6_000, 0);
    let job = format!("{JOB} --checkpoints dir");
    growing.assert_result(&job, 6_000);
    let older = growing.place.objects("dir", "epochs").len();

    let other = Growing { all: rows(8, 12_000, 100), place: growing.place };
    other.write(5_000, 0);
    let slow = format!("{job} --fresh --checkpoint-every 1h --rate 1000");
    let mut running = other.place.holdwater(&slow).start();
    running.until(|| other.place.objects("dir", "epochs").len() > older);
    running.run_for(std::time::Duration::from_millis(300));
    running.kill();
    other.assert_result(&job, 5_000);
}

#[test]
fn a_job_starts_from_a_checkpoint_of_another_directory_once() {
    let growing = Growing::new(9);
    let place = &growing.place;
    growing.write(5_000, 0);
    growing.assert_result(&format!("{JOB} --checkpoints old"), 5_000);
    let manifest = place.objects("old", "manifests").pop().unwrap().1;
    let id = place.checkpoints("old").pop().unwrap().id;

    growing.write(7_000, 100);
    let sources = ["old".to_owned(), format!("old@{id}"), manifest.display().to_string()];
    for (index, source) in sources.iter().enumerate() {
        let job = format!("{JOB} --checkpoints new{index} --from {source}");
        growing.assert_result(&job, 7_000);
        assert_eq!(place.checkpoints("old").pop().unwrap().id, id);
    }

    // From here on the new directory counts: `old` stands just behind rows that are spoiled now.
    growing.write(10_000, 4_000);
    place.holdwater(&format!("{JOB} --checkpoints old")).refuse(3, &["a.csv"]);
    for (index, source) in sources.iter().enumerate() {
        let job = format!("{JOB} --checkpoints new{index} --from {source}");
        growing.assert_result(&job, 10_000);
    }
    // A directory stands for itself: it needs no other one.
    std::fs::remove_dir_all(place.path("old")).unwrap();
    growing.assert_result(&format!("{JOB} --checkpoints new0"), 10_000);
}

#[test]
fn from_names_a_checkpoint_that_is_there() {
    let growing = Growing::new(11);
    growing.write(1_000, 0);
    growing.assert_result(&format!("{JOB} --checkpoints old"), 1_000);
    for source in ["absent", "old@999.e999", "a.csv"] {
        let job = format!("{JOB} --checkpoints new --from {source}");
        let refused = growing.place.holdwater(&job).finish().refused(1, &[source]);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn no_more_checkpoints_are_kept_than_retained() {
    let growing = Growing::new(12);
    for (retain, full_every) in [(1, 1), (2, 3), (4, 2)] {
        let directory = format!("dir{retain}");
        let job = format!(
            "{JOB} --checkpoints {directory} --checkpoint-every 500rows --retain {retain} \
             --full-every {full_every}"
        );
        growing.place.run_in_parts(&job, "a.csv", &growing.all, 6);
        growing.assert_result(&job, 12_000);
        let kept = growing.place.checkpoints(&directory);
        // And the newest that shares no file with the newest.
        assert!((retain..=retain + 1).contains(&kept.len()), "{retain}: {}", kept.len());
        for checkpoint in &kept {
            let depth = checkpoint.shown["depth"].as_u64().unwrap();
            assert!(checkpoint.intact && depth < full_every, "{checkpoint:?}");
        }
    }
}
