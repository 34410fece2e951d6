//! Checkpoints in an object store: a real S3 server on loopback, whose requests fail.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]
#![cfg(feature = "objects")]

use std::fs;
use std::net::TcpListener;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::process::Invocation;
use holdwater_system::program::repository;
use holdwater_system::rows::{Rows, assert_same};
use holdwater_system::s3::S3;

const SPECS: [&str; 4] = ["count", "sum:delay", "mean:delay", "distinct:destination"];

const JOB: &str = "run --input flights.csv --key origin --agg count sum:delay mean:delay \
                   distinct:destination --output out.csv --parallelism 2";

/// A place with flights, and a server.
struct World {
    place: Place,
    flights: Rows,
    s3: S3,
}

impl World {
    fn new() -> Self {
        let (place, flights) = Place::with_flights();
        Self { place, flights, s3: S3::start() }
    }

    fn holdwater(&self, line: &str) -> Invocation {
        self.s3.of(self.place.holdwater(line))
    }

    fn wanted(&self) -> Rows {
        expected(&[&self.flights], &["origin"], &SPECS)
    }

    /// Returns the names of the checkpoints, newest first.
    fn checkpoints(&self, place: &str) -> Vec<String> {
        let listed = self.holdwater(&format!("list {place} --json")).finish();
        let id = |line: &str| {
            let shown: serde_json::Value = serde_json::from_str(line).unwrap();
            shown["checkpoint"].as_str().unwrap().to_owned()
        };
        listed.stdout.lines().map(id).collect()
    }
}

#[test]
fn a_job_killed_again_and_again_counts_every_row_once_though_requests_fail() {
    let world = World::new();
    let job = format!("{JOB} --checkpoints s3://bucket/a/job --checkpoint-every 1000rows");
    let (mut newest, mut kills) = (None, 0);
    for seed in 0..4 {
        // Requests fail in each second try: the others show that this is not what makes it right.
        if seed % 2 == 1 {
            world.s3.fail(6, 4, seed);
        }
        let mut running = world.holdwater(&format!("{job} --rate 4000")).start();
        // What was completed is seen from outside, and then it is killed.
        let mut looked = 0;
        while running.is_running() && looked < 40 {
            looked += 1;
            let found = world.checkpoints("s3://bucket/a/job").first().cloned();
            if found != newest {
                newest = found;
                break;
            }
        }
        running.kill();
        kills += 1;
    }
    assert!(newest.is_some() && kills > 0, "no checkpoint was completed");
    world.s3.fail(6, 4, 9);
    let done = world.holdwater(&job).succeed();
    done.warned(&["resumed from checkpoint"]);
    assert_same(&world.place.rows("out.csv"), &world.wanted());
    // The same command again writes the same output.
    world.s3.fail(0, 0, 0);
    fs::remove_file(world.place.path("out.csv")).unwrap();
    world.holdwater(&job).succeed();
    assert_same(&world.place.rows("out.csv"), &world.wanted());
    world.holdwater("verify s3://bucket/a/job --deep").succeed();
}

#[test]
fn of_two_jobs_on_one_place_one_goes_on_and_the_other_says_why_it_does_not() {
    let world = World::new();
    let job = format!("{JOB} --checkpoints s3://bucket/job --checkpoint-every 500rows");
    let mut old = world.holdwater(&format!("{job} --rate 200")).start();
    old.until(|| !world.checkpoints("s3://bucket/job").is_empty());
    let new = world.holdwater(&format!("{job} --output new.csv").replace("--output out.csv ", ""));
    let new = new.start();
    old.wait().refused(1, &["has taken over", "run the job only once"]);
    new.wait().succeeded();
    assert!(!world.place.path("out.csv").exists(), "a job that was stopped writes nothing");
    assert_same(&world.place.rows("new.csv"), &world.wanted());
    // What the older one may have published late is not gone on from.
    world.holdwater(&job).succeed();
    assert_same(&world.place.rows("out.csv"), &world.wanted());
}

#[test]
fn a_job_on_timely_goes_on_from_a_bucket_in_another_shape() {
    let world = World::new();
    let job = JOB.replace("--parallelism 2", "--checkpoints s3://bucket/job");
    let job = format!("{job} --checkpoint-every 1000rows");
    let one = world.holdwater(&format!("{job} --rate 2000 --engine timely -- -w 2"));
    let mut one = one.start();
    one.until(|| !world.checkpoints("s3://bucket/job").is_empty());
    one.kill();

    let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let hosts = ports.each_ref().map(|port| format!("{}\n", port.local_addr().unwrap()));
    world.place.write("hosts.txt", &hosts.concat());
    drop(ports);
    let process = |number| {
        let line = format!("{job} --engine timely -- -n 2 -p {number} -h hosts.txt");
        world.holdwater(&line).start()
    };
    let (second, first) = (process(1), process(0));
    first.wait().succeeded().warned(&["resumed from checkpoint"]);
    second.wait().succeeded();
    assert_same(&world.place.rows("out.csv"), &world.wanted());
    world.holdwater("verify s3://bucket/job --deep").succeed();
}

#[test]
fn every_command_reads_checkpoints_at_a_url() {
    let world = World::new();
    let job = format!("{JOB} --checkpoints s3://bucket/job --checkpoint-every 2000rows");
    world.holdwater(&job).succeed();
    world.holdwater("verify s3://bucket/job --deep").succeed();
    let newest = world.checkpoints("s3://bucket/job").remove(0);
    let url = format!("s3://bucket/job@{newest}");
    assert!(world.holdwater(&format!("inspect {url}")).succeed().stdout.contains("count"));
    let dumped = world.holdwater(&format!("dump {url} --state count")).succeed().stdout;
    // To another URL, to a directory, and on from there.
    for (from, to) in [(&*url, "s3://bucket/kept"), ("s3://bucket/kept", "kept")] {
        world.holdwater(&format!("savepoint {from} {to}")).succeed();
        let again = world.holdwater(&format!("dump {to} --state count")).succeed().stdout;
        assert_eq!(again, dumped, "{to}");
        world.holdwater(&format!("savepoint {from} {to}")).refuse(2, &["is there already"]);
    }
    world
        .holdwater(&format!("{JOB} --checkpoints s3://bucket/on --from s3://bucket/kept"))
        .succeed();
    assert_same(&world.place.rows("out.csv"), &world.wanted());
    world.holdwater("gc s3://bucket/job --dry-run").succeed();
    world.holdwater("gc s3://bucket/job").succeed();
    world.holdwater(&format!("remove {url}")).refuse(1, &["goes on from"]);
    let oldest = world.checkpoints("s3://bucket/job").pop().unwrap();
    world.holdwater(&format!("remove s3://bucket/job@{oldest}")).succeed();
    assert!(!world.checkpoints("s3://bucket/job").contains(&oldest));
    world.holdwater("verify s3://bucket/job --deep").succeed();
}

#[test]
fn what_is_wrong_with_a_store_is_told_in_one_line_with_what_to_do() {
    let world = World::new();
    for (line, said) in [
        ("list s3://bucket/nothing", ["s3://bucket/nothing", "has no checkpoints"]),
        ("list s3://nowhere/job", ["s3://nowhere/job/manifests", "create the bucket"]),
    ] {
        world.holdwater(line).refuse(1, &said);
    }
    let plain = world.holdwater("list s3://bucket/job").with("AWS_ALLOW_HTTP", "false");
    plain.refuse(1, &["AWS_ALLOW_HTTP=true"]);
    world.holdwater("list s3://").refuse(2, &["names no bucket"]);
    let streamed = "run --input flights.csv --key origin --agg count --time date --window 1d \
                    --checkpoints s3://bucket/job";
    world.holdwater(streamed).refuse(2, &["--state-dir"]);
    world.holdwater(&format!("{streamed} --state-dir state")).succeed();
}

#[test]
fn a_checkpoint_costs_the_requests_that_the_page_says() {
    let world = World::new();
    let job = format!("{JOB} --checkpoints s3://bucket/job --checkpoint-every 1h");
    world.holdwater(&job).succeed();
    let first = world.s3.requests();
    let count = |name: &str| first[name].as_u64().unwrap_or(0);
    // One last checkpoint: a file of each subtask, a manifest, and a look for rivals.
    assert_eq!(count("PUT data"), 2, "{first}");
    assert_eq!(count("PUT manifests"), 1, "{first}");
    // The claim, its test, the record.
    assert_eq!(count("PUT epochs"), 3, "{first}");
    // What there is, the two looks of the claim, that before the output, and that for rivals.
    assert_eq!(count("GET epochs"), 5, "{first}");
    let lists = ["data", "epochs", "manifests"].map(|area| count(&format!("GET {area}")));
    assert_eq!(lists.iter().sum::<u64>(), 9, "seven of the start, two of the checkpoint: {first}");
}

/// Returns the commands of the page, one for each line; a line that ends with a backslash goes on.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/objects.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text = blocks.collect::<String>().replace("\\\n", " ");
    let holdwater = text.lines().filter_map(|line| line.trim().strip_prefix("holdwater "));
    holdwater.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let world = World::new();
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for line in commands {
        world.holdwater(&line).succeed();
    }
    assert_same(
        &world.place.rows("out.csv"),
        &expected(&[&world.flights], &["origin"], &["count", "mean:delay"]),
    );
}
