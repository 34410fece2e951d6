//! What becomes of a cluster of which a part is gone, hangs, or was forgotten.

use std::fs;

use holdwater_system::place::Place;
use holdwater_system::process::Running;
use holdwater_system::rows::assert_same;
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::{job, wanted};

/// So slow that it is not over before something happens to it.
const SLOW: &str = "--rate 1000";

/// Waits until the job has completed so many checkpoints.
#[track_caller]
fn wait_for_checkpoints(place: &Place, running: &mut Running, count: usize) {
    running.until(|| place.checkpoints("dir").len() >= count);
}

#[test]
fn a_process_that_is_killed_ends_all_and_any_shape_goes_on() {
    let (place, flights) = Place::with_flights();
    let mut running = Cluster::new(&place, 2, 2).start(&format!("{} {SLOW}", job()));
    let (second, mut first) = (running.pop().unwrap(), running.pop().unwrap());
    wait_for_checkpoints(&place, &mut first, 2);
    second.kill();
    first.wait().refused(1, &["process 1 is gone", "start all processes again"]);
    assert!(!place.path("out.csv").exists());
    let done = Cluster::new(&place, 3, 1).succeed(&job());
    done[0].warned(&["resumed from checkpoint"]);
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn a_first_process_that_is_killed_ends_all_and_the_job_goes_on_on_threads() {
    let (place, flights) = Place::with_flights();
    let mut running = Cluster::new(&place, 3, 1).start(&format!("{} {SLOW}", job()));
    let mut first = running.remove(0);
    wait_for_checkpoints(&place, &mut first, 1);
    first.kill();
    for other in running {
        other.wait().refused(1, &["is gone", "start all processes again"]);
    }
    place.holdwater(&job()).succeed();
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn a_process_that_hangs_is_named_and_ends_the_run() {
    let (place, _) = Place::with_flights();
    let slow = format!("{} {SLOW} --peer-timeout 8s", job());
    let mut running = Cluster::new(&place, 2, 1).start(&slow);
    let (second, mut first) = (running.pop().unwrap(), running.pop().unwrap());
    wait_for_checkpoints(&place, &mut first, 1);
    second.signal(Signal::STOP);
    let said = ["worker 1 of process 1 has not answered for 8 s", "start all again"];
    first.wait().refused(1, &said);
    // It wakes up to find the others gone.
    second.signal(Signal::CONT);
    second.wait().refused(1, &["process 0"]);
}

#[test]
fn a_first_process_that_hangs_is_noticed_by_the_others() {
    let (place, _) = Place::with_flights();
    let slow = format!("{} {SLOW} --peer-timeout 8s", job());
    let mut running = Cluster::new(&place, 2, 1).start(&slow);
    let (second, mut first) = (running.pop().unwrap(), running.pop().unwrap());
    wait_for_checkpoints(&place, &mut first, 1);
    first.signal(Signal::STOP);
    second.wait().refused(1, &["worker 0 of process 0 has not answered"]);
}

#[test]
fn a_signal_to_any_process_takes_a_last_checkpoint_and_stops_all() {
    let (place, flights) = Place::with_flights();
    let cluster = Cluster::new(&place, 2, 1);
    let slow = format!("{} {SLOW}", job()).replace("500rows", "1h");
    let mut running = cluster.start(&slow);
    let (second, mut first) = (running.pop().unwrap(), running.pop().unwrap());
    // Its epoch has begun: from then on it reads.
    first.until(|| place.path("dir/epochs").is_dir() && place.objects("dir", "epochs").len() > 1);
    second.signal(Signal::TERM);
    assert_eq!(second.wait().code, Some(143));
    let first = first.wait();
    assert_eq!(first.code, Some(143), "{}", first.stderr);
    assert_eq!(place.checkpoints("dir").len(), 1);
    cluster.succeed(&job());
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn of_two_clusters_on_one_directory_one_publishes_and_the_other_stops() {
    let (place, flights) = Place::with_flights();
    let slow = format!("{} {SLOW}", job()).replace("out.csv", "old.csv");
    let mut old = Cluster::new(&place, 2, 1).start(&slow);
    wait_for_checkpoints(&place, &mut old[0], 1);
    let young = Cluster::new(&place, 2, 1);
    let mut kept_out = young.start(&job());
    // The lock is a courtesy on one machine.
    kept_out.remove(0).wait().refused(1, &["dir"]);
    drop(kept_out);
    // On two it may not be seen: the epoch is the fence.
    fs::remove_file(place.path("dir/LOCK")).unwrap();
    young.succeed(&job());
    let second = old.pop().unwrap();
    let first = old.pop().unwrap();
    first.wait().refused(1, &["has taken over", "another process runs this job now"]);
    second.wait().refused(1, &["process 0", "has taken over"]);
    assert!(!place.path("old.csv").exists());
    assert_same(&place.rows("out.csv"), &wanted(&flights));
    let epochs: Vec<_> = place.checkpoints("dir").iter().map(|found| found.order.0).collect();
    assert!(epochs.ends_with(&[2]), "{epochs:?}");
}

#[test]
fn processes_that_do_not_fit_together_say_what_differs() {
    let (place, _) = Place::with_flights();
    let cluster = Cluster::new(&place, 2, 1);
    cluster
        .start_one(&format!("{} --peer-timeout 1s", job()), 0)
        .wait()
        .refused(1, &["process 1 was not there at 127.0.0.1", "start it"]);
    let first = cluster.start_one(&job(), 0);
    let second = cluster.start_one(&job().replace("mean:delay", "max:delay"), 1);
    second.wait().refused(1, &["process 0 runs another job", "the same command"]);
    first.wait().refused(1, &["process 1 runs another job"]);
    let first = cluster.start_one(&job(), 0);
    let line = cluster.line(&job(), 1, "").replace("-w 1", "-w 2");
    place.holdwater(&line).refuse(1, &["process 0 has -w 1, this one -w 2"]);
    first.wait().refused(1, &["process 1 has -w 2, this one -w 1"]);
}

#[test]
fn a_process_with_another_directory_of_checkpoints_is_told() {
    let (place, _) = Place::with_flights();
    let cluster = Cluster::new(&place, 2, 1);
    let first = cluster.start_one(&job(), 0);
    let second = cluster.start_one(&job().replace("--checkpoints dir", "--checkpoints own"), 1);
    second.wait().refused(1, &["not that of the first process"]);
    first.wait().refused(1, &["process 1", "not that of the first process"]);
}
