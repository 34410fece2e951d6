//! A server beside a job that goes on, under load: no answer is torn.

use std::env;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use holdwater_system::place::Place;
use serde_json::Value;

use crate::server::{Client, Server};

const KEYS: u64 = 500;

const CLIENTS: u64 = 4;

/// Reads until so many answers have come: as `HOLDWATER_READS` says, else 20,000.
fn reads() -> u64 {
    env::var("HOLDWATER_READS").map_or(20_000, |text| text.parse().unwrap())
}

/// What a state holds of a key in an answer.
fn held(answer: &Value, state: usize) -> u64 {
    answer["states"][state]["rows"][0]["value"].as_u64().unwrap()
}

/// Reads keys in turn. In each answer the counts and sums of ones are the same, and what comes
/// later is of no older checkpoint, and no less.
fn read(mut client: Client, first: u64, done: &AtomicU64) -> (u64, u64) {
    let mut counts = vec![0; KEYS as usize];
    let (mut newest, mut seen) = (0, 0);
    let mut key = first;
    while done.fetch_add(1, Ordering::Relaxed) < reads() {
        key = (key * 31 + 7) % KEYS;
        let target = format!("/v1/key?key=k{key}&state=count&state=sum:one");
        let (status, answer) = client.get(&target);
        assert_eq!(status, 200, "{answer}");
        let (count, sum) = (held(&answer, 0), held(&answer, 1));
        assert_eq!(count, sum, "{answer}");
        let number = answer["checkpoint"]["number"].as_u64().unwrap();
        assert!(number >= newest && count >= counts[key as usize], "{answer}");
        seen += u64::from(number > newest);
        (newest, counts[key as usize]) = (number, count);
    }
    (seen, newest)
}

/// Adds up both states in pages. Pages of one checkpoint come to the same, which is what was read.
fn scan(client: &mut Client) -> bool {
    let mut sums = [0; 2];
    let (_, newest) = client.get("/v1/states");
    let id = newest["checkpoint"]["id"].as_str().unwrap();
    for (state, sum) in ["count", "sum:one"].into_iter().zip(&mut sums) {
        let mut next = String::new();
        loop {
            let target = format!("/v1/rows?state={state}&limit=150&checkpoint={id}{next}");
            let (status, page) = client.get(&target);
            if status == 404 {
                // A job that goes on has removed it.
                return false;
            }
            assert_eq!(page["checkpoint"]["id"], id, "{page}");
            let rows = page["rows"].as_array().unwrap();
            *sum += rows.iter().map(|row| row["value"].as_u64().unwrap()).sum::<u64>();
            let Some(token) = page["next"].as_str() else { break };
            next = format!("&page={token}");
        }
    }
    assert_eq!(sums[0], sums[1]);
    assert!(sums[0] > 0);
    true
}

#[test]
fn no_answer_is_torn_while_a_job_goes_on_and_takes_checkpoints_often() {
    let place = Place::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let job = "run --input - --format csv --key key --agg count sum:one --output out.csv \
               --checkpoints dir --checkpoint-every 200ms --retain 2 --full-every 4 --parallelism 2 \
               --key-groups 8 --rate 20000 --serve 127.0.0.1:0";
    let over = Arc::clone(&is_over);
    let feed = move |mut pipe: std::process::ChildStdin| {
        let mut rows = "key,one\n".to_owned();
        let mut row = 0_u64;
        while !over.load(Ordering::Relaxed) {
            for _ in 0..500 {
                row += 1;
                rows.push_str(&format!("k{},1\n", row * row % KEYS * 7 % KEYS));
                rows.push_str(&format!("k{},1\n", row % KEYS));
            }
            if pipe.write_all(rows.as_bytes()).is_err() {
                break;
            }
            rows.clear();
        }
    };
    let mut server = Server::start_fed(&place, job, feed);
    // Each key is there once the first rows are in a checkpoint.
    let mut client = server.client();
    server.running.until(|| {
        let keys = client.get("/v1/rows?state=count&limit=1000").1;
        keys["rows"].as_array().is_some_and(|rows| rows.len() as u64 == KEYS)
    });
    let done = AtomicU64::new(0);
    let (mut seen, mut scanned) = (0, 0);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..CLIENTS)
            .map(|first| {
                let (client, done) = (server.client(), &done);
                scope.spawn(move || read(client, first, done))
            })
            .collect();
        while readers.iter().any(|reader| !reader.is_finished()) {
            scanned += u64::from(scan(&mut client));
            thread::sleep(Duration::from_millis(100));
        }
        for reader in readers {
            seen += reader.join().unwrap().0;
        }
    });
    assert!(seen >= CLIENTS, "{seen} checkpoints were seen");
    let told = client.get("/v1/checkpoints").1;
    let told = told["checkpoints"].as_array().unwrap();
    assert!(told.iter().any(|seen| seen["duration_ms"].as_f64().is_some_and(|time| time > 0.0)));
    assert!(server.running.is_running());
    drop(client);
    is_over.store(true, Ordering::Relaxed);
    // However long the reads took: the end of its input ends the job.
    while server.running.is_running() {
        thread::sleep(Duration::from_millis(5));
    }
    server.running.wait().succeeded();
    eprintln!("{} answers, {scanned} scans, {seen} changes of checkpoint", reads());
}
