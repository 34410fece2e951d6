//! Memory and disk that do not suffice.

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{assert_same, spoil};

#[test]
fn state_beyond_the_memory_limit_ends_the_job_and_a_higher_limit_resumes_it() {
    let place = Place::new();
    let input = rows(1, 40_000, 20_000);
    place.write("a.csv", &input.first(5_000).to_csv());
    let job = "run --input a.csv --key key --agg count collect:price --output out.csv \
               --checkpoints dir --parallelism 2";
    place.holdwater(job).succeed();
    let before = place.read("out.csv");

    place.write("a.csv", &spoil(&input.to_csv(), 500));
    let limited = format!("{job} --checkpoint-every 5000rows --memory-limit 1MiB");
    let refused = place.holdwater(&limited).finish().refused(1, &["--memory-limit"]);
    let last = refused.stderr.lines().last().unwrap();
    assert!(last.contains("state count") || last.contains("state collect:price"), "{last}");
    assert!(last.contains("1048576 bytes") || last.contains("1048576 allowed"), "{last}");
    assert_eq!(place.read("out.csv"), before);

    place.holdwater(&format!("{job} --memory-limit 1GiB")).succeed();
    let wanted = expected(&[&input], &["key"], &["count", "collect:price"]);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_state_that_does_not_fit_on_restore_names_the_flag_too() {
    let place = Place::new();
    place.write("a.csv", &rows(2, 20_000, 20_000).to_csv());
    let job = "run --input a.csv --key key --agg count collect:price --checkpoints dir";
    place.holdwater(job).succeed();
    place.holdwater(&format!("{job} --memory-limit 64KiB")).refuse(1, &["--memory-limit"]);
    place.holdwater(&format!("{job} --memory-limit 1GiB")).succeed();
}

#[test]
fn a_checkpoint_that_cannot_be_written_warns_and_the_job_goes_on() {
    let place = Place::new();
    let input = rows(3, 20_000, 10_000);
    place.write("a.csv", &input.to_csv());
    // No file may grow beyond some kilobytes, which the state needs and its result does not.
    let script = "ulimit -f 8; exec \"$0\" run --input a.csv --key shop \
                  --agg count distinct:key --checkpoints dir --checkpoint-every 5000rows \
                  --parallelism 2";
    let done = place.shell(script).succeed();
    done.warned(&["checkpoint"]);
    let wanted = expected(&[&input], &["shop"], &["count", "distinct:key"]);
    assert_same(&done.rows(), &wanted);
    assert!(place.checkpoints("dir").is_empty());
}
