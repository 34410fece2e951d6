//! Signals: a last checkpoint, then the exit code that a shell expects.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{assert_same, spoil};
use rustix::process::Signal;

#[test]
fn a_signal_takes_a_last_checkpoint_and_the_job_goes_on_from_it() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new();
        let input = rows(1, 60_000, 100);
        place.write("a.csv", &input.to_csv());
        place.write("out.csv", "older\n");
        let job = "run --input a.csv --key key --agg count collect:amount --output out.csv \
                   --checkpoints dir --checkpoint-every 1h --parallelism 2";
        let mut running = place.holdwater(&format!("{job} --rate 20000")).start();
        assert!(running.run_for(Duration::from_millis(1_500)));
        assert!(place.checkpoints("dir").is_empty());
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert_eq!((ended.stdout.as_str(), place.read("out.csv").as_str()), ("", "older\n"));
        let checkpoints = place.checkpoints("dir");
        assert!(checkpoints.len() == 1 && checkpoints[0].intact, "{checkpoints:?}");

        place.write("a.csv", &spoil(&input.to_csv(), 500));
        place.holdwater(job).succeed();
        let wanted = expected(&[&input], &["key"], &["count", "collect:amount"]);
        assert_same(&place.rows("out.csv"), &wanted);
    }
}

#[test]
fn without_checkpoints_a_signal_ends_the_job_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new();
        place.write("a.csv", &rows(2, 20_000, 100).to_csv());
        let job = "run --input a.csv --key key --agg count --rate 1000";
        let mut running = place.holdwater(job).start();
        assert!(running.run_for(Duration::from_millis(300)));
        running.signal(signal);
        let ended = running.wait();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{}", ended.stderr);
    }
}

#[test]
fn a_signal_ends_a_job_whose_input_is_silent() {
    let place = Place::new();
    let input = rows(3, 1_000, 10);
    let text = input.to_csv();
    let job = "run --input - --key key --agg count --checkpoints dir --checkpoint-every 1h";
    let (silence, silent) = mpsc::channel::<()>();
    let mut running = place.holdwater(job).feed(move |mut pipe| {
        // The last row is not complete: it is read again, once it is.
        pipe.write_all(&text.as_bytes()[..text.len() - 1]).unwrap();
        let _ = silent.recv();
    });
    assert!(running.run_for(Duration::from_millis(500)));
    running.signal(Signal::TERM);
    assert!(!running.run_for(Duration::from_secs(30)), "it waits for its input");
    drop(silence);
    let ended = running.wait();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert_eq!(place.checkpoints("dir").len(), 1, "{}", ended.stderr);

    let done = place.holdwater(job).finish_with(&input.to_csv()).succeeded();
    assert_same(&done.rows(), &expected(&[&input], &["key"], &["count"]));
}

#[test]
fn a_silent_input_holds_up_no_checkpoint() {
    let place = Place::new();
    let text = rows(4, 1_000, 10).to_csv();
    place.write("a.csv", &text);
    let job = "run --input a.csv --input - --key key --agg count --checkpoints dir \
               --checkpoint-every 100ms";
    let (silence, silent) = mpsc::channel::<()>();
    let mut running = place.holdwater(job).feed(move |mut pipe| {
        pipe.write_all(text.as_bytes()).unwrap();
        let _ = silent.recv();
    });
    running.until(|| !place.checkpoints("dir").is_empty());
    drop(silence);
    running.wait().succeeded();
}

#[test]
fn a_user_signal_takes_a_savepoint_that_is_kept_and_the_job_goes_on() {
    let place = Place::new();
    let input = rows(3, 60_000, 100);
    place.write("a.csv", &input.to_csv());
    let job = "run --input a.csv --key key --agg count collect:amount --output out.csv \
               --checkpoints dir --checkpoint-every 1000rows --retain 1 --parallelism 2";
    let mut running = place.holdwater(&format!("{job} --rate 20000")).start();
    running.until(|| !place.checkpoints("dir").is_empty());
    let savepoints = || {
        let checkpoints = place.checkpoints("dir").into_iter();
        let savepoints = checkpoints.filter(|checkpoint| checkpoint.shown["kind"] == "savepoint");
        savepoints.map(|savepoint| savepoint.id).collect::<Vec<_>>()
    };
    running.signal(Signal::USR1);
    running.until(|| savepoints().len() == 1);
    let ended = running.wait().succeeded();
    let id = &savepoints()[0];
    assert!(ended.stderr.contains(&format!("savepoint {id} is complete, and kept")));
    let wanted = expected(&[&input], &["key"], &["count", "collect:amount"]);
    assert_same(&place.rows("out.csv"), &wanted);
    // It is one to start from, however many checkpoints came behind it.
    place.holdwater(&format!("{job} --checkpoints new --from dir@{id}")).refuse(2, &[]);
    let again = job.replace("--checkpoints dir", &format!("--checkpoints new --from dir@{id}"));
    place.holdwater(&again).succeed();
    assert_same(&place.rows("out.csv"), &wanted);
}
