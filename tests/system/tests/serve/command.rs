//! `holdwater serve`.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use rustix::process::Signal;
use serde_json::Value;

use crate::server::Server;

const JOB: &str = "run --input flights.csv --key origin --agg count mean:delay distinct:destination \
                   --output out.csv --checkpoints dir --checkpoint-every 1h --retain 2 \
                   --parallelism 2";

#[test]
fn a_key_has_the_values_that_the_job_computes_and_get_prints() {
    let (place, rows) = Place::with_flights();
    place.run_in_parts(JOB, "flights.csv", &rows, 2);
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let mut client = server.client();
    let newest = place.checkpoints("dir").last().unwrap().id.clone();
    let all = expected(&[&rows], &["origin"], &["count"]);
    for row in all.rows.iter().step_by(20) {
        let key = &row[0];
        let (status, answer) = client.get(&format!("/v1/key?key={key}"));
        assert_eq!(status, 200);
        assert_eq!(answer["checkpoint"]["id"], *newest);
        let states = answer["states"].as_array().unwrap();
        assert_eq!(states.len(), 3);
        let address = &server.address;
        for state in states {
            let name = state["state"].as_str().unwrap();
            let got = place.holdwater(&format!("get dir --state {name} --key {key}")).succeed();
            assert_eq!(format!("{}\n", state["rows"][0]), sorted(&got.stdout));
            let asked = format!("get http://{address}/ --state {name} --key {key}");
            assert_eq!(place.holdwater(&asked).succeed().stdout, got.stdout);
        }
        let count = states.iter().find(|state| state["state"] == "count").unwrap();
        assert_eq!(count["rows"][0]["value"].to_string(), row[1]);
    }
    server.running.signal(Signal::TERM);
    assert_eq!(server.running.wait().code, Some(143));
}

/// Brings the members of an object into the order that they are read in.
fn sorted(line: &str) -> String {
    format!("{}\n", serde_json::from_str::<serde_json::Value>(line).unwrap())
}

#[test]
fn a_window_is_named_by_its_start() {
    let (place, _) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --time date --window 3d --slide 1d \
               --output out.csv --checkpoints dir --checkpoint-every 5000rows";
    place.holdwater(job).succeed();
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let all = server.found("/v1/key?key=ATL&state=count");
    let all = all["states"][0]["rows"].as_array().unwrap();
    assert!(all.len() > 1);
    let start = all[1]["window_start"].as_str().unwrap();
    let one = server.found(&format!("/v1/key?key=ATL&state=count&window={start}"));
    assert_eq!(one["states"][0]["rows"].as_array().unwrap(), &all[1..2]);
    let day = start.split('T').next().unwrap();
    let same = server.found(&format!("/v1/key?key=ATL&state=count&window={day}"));
    assert_eq!(same, one);
}

#[test]
fn what_has_expired_by_the_checkpoint_is_not_answered() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv \
               --checkpoints dir --parallelism 1 --time date --window 365d --ttl 1d";
    place.holdwater(job).succeed();
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let dumped = place.holdwater("dump dir --state count --format csv").succeed().rows();
    let all = expected(&[&rows], &["origin"], &["count"]);
    let mut client = server.client();
    let (mut alive, mut expired) = (0, 0);
    for key in all.rows.iter().map(|row| &row[0]) {
        let lives = dumped.rows.iter().any(|row| row[0] == *key);
        let (status, _) = client.get(&format!("/v1/key?key={key}&state=count"));
        assert_eq!(status, if lives { 200 } else { 404 }, "{key}");
        *(if lives { &mut alive } else { &mut expired }) += 1;
    }
    assert!(alive > 0 && expired > 0);
}

#[test]
fn a_checkpoint_that_a_job_completes_is_answered_from_soon() {
    let (place, rows) = Place::with_flights();
    place.run_in_parts(JOB, "flights.csv", &rows, 2);
    let mut server = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let first = server.found("/v1/states")["checkpoint"]["number"].clone();
    // What was there is removed: only the newest two are kept.
    for _ in 0..3 {
        place.append("flights.csv", place.read("flights.csv").lines().last().unwrap());
        place.append("flights.csv", "\n");
        place.holdwater(JOB).succeed();
    }
    let newest = place.checkpoints("dir").last().unwrap().id.clone();
    let address = server.address.clone();
    let mut client = server.client();
    server.running.until(|| {
        let (status, answer) = client.get("/v1/key?key=ATL&state=count");
        assert_eq!(status, 200, "{answer} at {address}");
        answer["checkpoint"]["id"] == *newest
    });
    let seen = server.found("/v1/checkpoints");
    let gone = seen["checkpoints"].as_array().unwrap();
    let gone = gone.iter().find(|seen| seen["number"] == first).unwrap();
    assert_eq!(gone["kept"], false);
    let figures = client.get_text("/metrics").1;
    let rows = figures.lines().find_map(|line| line.strip_prefix("holdwater_input_rows "));
    let count = place.read("flights.csv").lines().count() - 1;
    assert_eq!(rows, Some(count.to_string().as_str()));
}

#[test]
fn what_cannot_be_served_is_refused_in_one_line() {
    let place = Place::new();
    place.holdwater("serve nowhere").refuse(1, &["nowhere"]);
    fs::create_dir(place.path("dir")).unwrap();
    place.holdwater("serve dir --listen 0.0.0.0:0").refuse(2, &["0.0.0.0:0", "--token-file"]);
    place.holdwater("serve dir --listen here").refuse(2, &["here", "127.0.0.1:7411"]);
    place.write("token", "short\n");
    place.holdwater("serve dir --token-file token").refuse(2, &["token", "16"]);
    place.holdwater("serve dir --token-file none").refuse(1, &["none"]);
}

#[test]
fn a_job_serves_what_it_has_completed_on_either_engine_and_refuses_what_serve_does() {
    for engine in ["", "--engine timely -- -w 2"] {
        let (place, rows) = Place::with_flights();
        place.run_in_parts(JOB, "flights.csv", &rows, 1);
        // Slow enough to be asked while it goes on, from where it was on.
        place.append("flights.csv", &rows_again(&place));
        let flags = format!("--rate 2000 --serve 127.0.0.1:0 {engine}");
        let job = JOB.replace("--parallelism 2", "").replace("1h", "500rows");
        let mut server = Server::start(&place, &format!("{job} {flags}"));
        let mut client = server.client();
        let first = client.get("/v1/states").1["checkpoint"]["number"].as_u64().unwrap();
        server.running.until(|| {
            let figures = client.get_text("/metrics").1;
            let phase = |phase: &str| {
                let name = format!("holdwater_restore_seconds{{phase=\"{phase}\"}} ");
                let seconds = figures.lines().find_map(|line| line.strip_prefix(&name))?;
                Some(seconds.parse::<f64>().unwrap())
            };
            let phases = ["choose", "load", "settle"].map(phase);
            phases.iter().all(Option::is_some) && phases[1] > Some(0.0)
        });
        server.running.until(|| {
            let (status, answer) = client.get("/v1/key?key=ATL&state=count");
            assert_eq!(status, 200, "{answer}");
            answer["checkpoint"]["number"].as_u64().unwrap() > first
        });
        server.running.signal(Signal::TERM);
        assert_eq!(server.running.wait().code, Some(143));
    }
    let place = Place::new();
    let job = "run --input a.csv --key b --agg count --serve";
    place.holdwater(&format!("{job} 127.0.0.1:0")).refuse(2, &["--checkpoints"]);
    let job = job.replace("--serve", "--checkpoints dir --serve");
    place.holdwater(&format!("{job} 0.0.0.0:0")).refuse(2, &["--token-file"]);
    place.holdwater(&format!("{job} here")).refuse(2, &["here"]);
}

#[test]
fn what_a_job_holds_beyond_its_checkpoint_is_told_to_who_asks_for_it() {
    let (place, rows) = Place::with_flights();
    place.run_in_parts(JOB, "flights.csv", &rows, 1);
    let target = "/v1/key?key=ATL&state=count&state=distinct:destination";
    let live = format!("{target}&live=true");
    let files = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let (status, answer) = files.client().get(&live);
    assert_eq!((status, answer["error"].as_str().unwrap().contains("run --serve")), (409, true));
    let of_files = format!("get http://{} --state count --key ATL --live", files.address);
    place.holdwater(&of_files).refuse(2, &["live=true", "run --serve"]);
    place.holdwater("get dir --state count --key ATL --live").refuse(2, &["--live"]);
    drop(files);

    place.append("flights.csv", &rows_again(&place));
    let job = format!("{JOB} --rate 200 --serve 127.0.0.1:0");
    let mut server = Server::start(&place, &job);
    let (mut client, mut told) = (server.client(), None);
    let count = |answer: &Value| answer["states"][0]["rows"][0]["value"].as_u64().unwrap();
    let kept = count(&client.get(target).1);
    server.running.until(|| {
        let (status, answer) = client.get(&live);
        if status == 503 {
            // It has not come to its records yet.
            assert!(answer["error"].as_str().unwrap().contains("no job runs"), "{answer}");
            return false;
        }
        assert_eq!((status, &answer["live"]), (200, &Value::from(true)), "{answer}");
        assert_eq!(answer.get("checkpoint"), None);
        let now = count(&answer);
        assert!(now >= told.unwrap_or(kept), "{answer}");
        told = Some(now);
        now > kept
    });
    assert_eq!(count(&client.get(target).1), kept, "the checkpoint is what it was");
    let get = format!("get http://{} --state count --key ATL --live", server.address);
    let line: Value = serde_json::from_str(&place.holdwater(&get).succeed().stdout).unwrap();
    assert!(line["value"].as_u64() >= told);
    for (target, status) in [
        (format!("{live}&checkpoint=1.e1"), 400),
        (target.replace("ATL", "nobody") + "&live=true", 404),
        (target.replace("state=count", "state=sum") + "&live=true", 404),
        (format!("{target}&live=yes"), 400),
    ] {
        assert_eq!(client.get(&target).0, status, "{target}");
    }
    server.running.signal(Signal::TERM);
    assert_eq!(server.running.wait().code, Some(143));

    let job = job.replace("--parallelism 2", "");
    let server = Server::start(&place, &format!("{job} --engine timely -- -w 2"));
    assert_eq!(server.client().get(&live).0, 409);
}

#[test]
fn the_windows_that_are_open_are_told_to_who_asks_for_them() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --time date --window 3d \
               --output out.csv --checkpoints dir --checkpoint-every 1h --parallelism 2";
    place.write("flights.csv", &rows.first(rows.rows.len() / 2).to_csv());
    place.holdwater(job).succeed();
    place.write("flights.csv", &rows.to_csv());
    let mut server = Server::start(&place, &format!("{job} --rate 500 --serve 127.0.0.1:0"));
    let mut client = server.client();
    server.running.until(|| {
        let (status, answer) = client.get("/v1/key?key=ATL&state=count&live=true");
        let rows = answer["states"][0]["rows"].as_array();
        assert!([200, 404, 503].contains(&status), "{answer}");
        rows.is_some_and(|rows| rows.iter().all(|row| row["window_start"].is_string()))
    });
}

/// Returns the rows of a file without their header.
fn rows_again(place: &Place) -> String {
    place.read("flights.csv").split_once('\n').unwrap().1.to_owned()
}

#[test]
fn get_of_a_server_ends_as_get_of_files_does() {
    let (place, _) = Place::with_flights();
    place.holdwater(&JOB.replace("origin", "origin,destination")).succeed();
    place.write("token", "0123456789abcdef\n");
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0 --token-file token");
    let url = format!("http://{}", server.address);
    let get = |line: &str| place.holdwater(&format!("get {url} --token-file token {line}"));
    let key = "--state distinct:destination --key SFO,LAX";
    let files = place.holdwater(&format!("get dir {key} --map-key LAX")).succeed();
    assert_eq!(get(&format!("{key} --map-key LAX")).succeed().stdout, files.stdout);
    get("--state count --key SFO,nobody").refuse(1, &["SFO,nobody", "count"]);
    get("--state counts --key SFO,LAX").refuse(1, &["counts", "mean:delay"]);
    get("--state count --key SFO").refuse(2, &["destination"]);
    get("--state count --key SFO,LAX --window 2001-01-01").refuse(2, &["window"]);
    place.holdwater(&format!("get {url} {key}")).refuse(1, &["token", &url]);
    place.holdwater(&format!("get dir --token-file token {key}")).refuse(2, &["--token-file"]);
    place.holdwater(&format!("get http://127.0.0.1:1 {key}")).refuse(1, &["127.0.0.1:1"]);
}
