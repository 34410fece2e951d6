//! The server over HTTP: what it answers, and what it refuses (docs/serve.md).

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use holdwater_damage::job::{JOB, directory};
use holdwater_processor::Checkpoint;
use holdwater_processor::failure::Failure;
use holdwater_serve::{Checkpoints, Server, Token};
use serde_json::Value;
use tempfile::TempDir;

const TOKEN: &str = "0123456789abcdef-token";

/// A directory of checkpoints, and a server of it.
struct Served {
    place: TempDir,
    server: Server,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Served {
    fn new(has_token: bool) -> Self {
        let place = tempfile::tempdir().unwrap();
        for (id, bytes) in &directory(JOB, 0).objects {
            let area = place.path().join(id.area().name());
            fs::create_dir_all(&area).unwrap();
            fs::write(area.join(id.to_string()), bytes.as_slice()).unwrap();
        }
        let token = has_token.then(|| {
            let path = place.path().join("token");
            fs::write(&path, format!("{TOKEN}\n")).unwrap();
            Token::read(&path).unwrap()
        });
        let path = place.path().to_str().unwrap();
        let checkpoints = Checkpoints::open(path, Box::new(()), 1 << 20).unwrap();
        let server = Server::start(Arc::new(checkpoints), "127.0.0.1:0", token).unwrap();
        Self { place, server }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::open(self.place.path().to_str().unwrap()).unwrap()
    }

    fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n"))
    }

    /// Sends a head, which ends the connection.
    fn ask(&self, head: &str) -> Answer {
        send(self.server.address(), &format!("{head}Connection: close\r\n\r\n"))
    }

    /// Asks for what is there.
    fn found(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Checks that a head is refused, in JSON.
    fn refuse(&self, head: &str, status: u16, said: &str) {
        let answer = self.ask(head);
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let error = body["error"].as_str().unwrap();
        assert!(error.contains(said), "{head}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

fn send(address: SocketAddr, text: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    // One that is refused early is not read to its end.
    let _ = stream.write_all(text.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

#[test]
fn a_key_of_several_states_is_one_answer_that_names_its_checkpoint() {
    let served = Served::new(false);
    let checkpoint = served.checkpoint();
    for row in checkpoint.state("count").unwrap().rows().unwrap() {
        let row = row.unwrap();
        let key = row.key.cell();
        let answer = served.found(&format!("/v1/key?state=count&state=notes/latest&key={key}"));
        assert_eq!(answer["checkpoint"]["id"], checkpoint.manifest.id.to_string());
        assert_eq!(answer["checkpoint"]["created_ms"], checkpoint.manifest.created_ms);
        let count = &answer["states"][0];
        assert_eq!((&count["state"], &count["operator"]), (&"count".into(), &"notes".into()));
        assert_eq!(count["rows"][0]["key"].to_string(), key);
        assert_eq!(count["rows"][0]["value"].to_string(), row.held.datum().cell());
        assert_eq!(answer["states"][1]["state"], "latest");
        let all = served.found(&format!("/v1/key?key={key}"));
        assert_eq!(all["states"].as_array().unwrap().len(), 3);
        assert_eq!(all["states"][0], *count);
    }
}

#[test]
fn a_field_of_a_map_is_found_by_itself() {
    let served = Served::new(false);
    let page = served.found("/v1/rows?state=latest&limit=1");
    let row = &page["rows"][0];
    let (field, held) = row["value"].as_object().unwrap().iter().next().unwrap();
    let key = &row["key"];
    let found = served.found(&format!("/v1/key?state=latest&key={key}&map_key={field}"));
    assert_eq!(found["states"][0]["rows"][0]["value"], *held);
    let none = format!("GET /v1/key?state=latest&key={key}&map_key=77 HTTP/1.0\r\n");
    served.refuse(&none, 404, "latest");
}

#[test]
fn pages_that_follow_each_other_have_each_row_once_and_are_of_one_checkpoint() {
    let served = Served::new(false);
    let checkpoint = served.checkpoint();
    for state in ["count", "history", "latest"] {
        let rows = checkpoint.state(state).unwrap().rows().unwrap().map(Result::unwrap);
        let wanted: Vec<_> = rows.map(|row| row.key.cell()).collect();
        let (mut keys, mut next) = (Vec::new(), String::new());
        loop {
            let page = served.found(&format!("/v1/rows?state={state}&limit=2{next}"));
            assert_eq!(page["checkpoint"]["id"], checkpoint.manifest.id.to_string());
            let rows = page["rows"].as_array().unwrap();
            assert!(rows.len() <= 2);
            keys.extend(rows.iter().map(|row| row["key"].to_string()));
            let Some(token) = page["next"].as_str() else { break };
            next = format!("&page={token}");
        }
        assert_eq!(keys, wanted);
    }
    let between = served.found("/v1/rows?state=count&from=2&to=5");
    for row in between["rows"].as_array().unwrap() {
        assert!((2..5).contains(&row["key"].as_u64().unwrap()));
    }
    let begin = served.found("/v1/rows?state=count&prefix=1");
    for row in begin["rows"].as_array().unwrap() {
        assert!(row["key"].to_string().starts_with('1'));
    }
}

#[test]
fn sizes_are_those_of_the_parts_and_keys_are_counted_where_asked_for() {
    let served = Served::new(false);
    let checkpoint = served.checkpoint();
    let states = served.found("/v1/states");
    assert_eq!(states["key_groups"], checkpoint.manifest.key_groups);
    for (operator, entry) in checkpoint.states() {
        let own = states["states"].as_array().unwrap().iter();
        let own = own.clone().find(|own| own["state"] == *entry.name).unwrap();
        assert_eq!(own["operator"], *operator);
        let parts = || entry.chains.iter().flat_map(|chain| &chain.parts);
        assert_eq!(own["bytes"], parts().map(|part| part.length).sum::<u64>());
        assert_eq!(own["rows"], parts().map(|part| part.rows).sum::<u64>());
        assert_eq!(own["key"], "u64");
        let groups = served.found(&format!("/v1/groups?state={}&count=true", entry.name));
        let groups = groups["groups"].as_array().unwrap();
        let bytes: u64 = groups.iter().map(|group| group["bytes"].as_u64().unwrap()).sum();
        assert_eq!(own["bytes"], bytes);
        let state = checkpoint.state(&entry.name).unwrap();
        for group in groups {
            let keys = state.encoded(group["group"].as_u64().unwrap() as u16).unwrap().len();
            assert_eq!(group["keys"], keys);
        }
    }
    let seen = served.found("/v1/checkpoints");
    let seen = seen["checkpoints"].as_array().unwrap();
    assert_eq!(seen[0]["id"], checkpoint.manifest.id.to_string());
    assert_eq!(seen.len(), 3);
    let bytes: u64 = checkpoint.manifest.files.iter().map(|file| file.length).sum();
    assert_eq!(seen[0]["bytes"], bytes);
    let older = seen[1]["id"].as_str().unwrap();
    let states = served.found(&format!("/v1/states?checkpoint={older}"));
    assert_eq!(states["checkpoint"]["id"], *older);
}

#[test]
fn figures_are_text_that_prometheus_reads() {
    let served = Served::new(false);
    let answer = served.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("text/plain; version=0.0.4"), "{}", answer.head);
    let id = served.checkpoint().manifest.id;
    let has = |line: &str| assert!(answer.body.lines().any(|own| own == line), "{}", answer.body);
    has(&format!("holdwater_checkpoint_number {}", id.checkpoint));
    has("# TYPE holdwater_state_bytes gauge");
    let states = served.found("/v1/states");
    let bytes = &states["states"][0]["bytes"];
    has(&format!("holdwater_state_bytes{{operator=\"notes\",state=\"count\"}} {bytes}"));
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("holdwater_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_in_json() {
    let served = Served::new(false);
    let get = |target: &str, status, said| {
        served.refuse(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n"), status, said);
    };
    get("/v2/states", 404, "no such path");
    get("/v1/states?x=1", 400, "\"x\"");
    get("/v1/key?state=count", 400, "key=");
    get("/v1/key?key=1&state=counts", 404, "counts");
    get("/v1/key?key=1000&state=count", 404, "1000");
    get("/v1/key?key=1000", 404, "1000");
    get("/v1/key?key=a&state=count", 400, "u64");
    get("/v1/key?key=1,2&state=count", 400, "2 fields");
    get("/v1/key?key=1&key=2", 400, "twice");
    get("/v1/key?key=1&state=count&window=2001-01-01", 400, "no windows");
    get("/v1/key?key=1&state=count&map_key=1", 400, "no map");
    get("/v1/key?key=%ff&state=count", 400, "");
    get("/v1/rows", 400, "state=");
    get("/v1/rows?state=count&limit=0", 400, "limit");
    get("/v1/rows?state=count&limit=10001", 400, "limit");
    get("/v1/rows?state=count&page=x", 400, "page");
    get("/v1/rows?state=count&from=x", 400, "u64");
    get("/v1/rows?state=count&from=1,2", 400, "2 fields");
    get("/v1/groups?state=count&count=maybe", 400, "count");
    get("/v1/states?checkpoint=newest", 400, "checkpoint");
    get("/v1/states?checkpoint=77.e1", 404, "77.e1");
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let head = format!("{method} /v1/states HTTP/1.1\r\nHost: localhost\r\n");
        served.refuse(&head, 405, "GET");
    }
}

#[test]
fn what_is_too_large_is_refused_and_what_is_no_http_closed() {
    let served = Served::new(false);
    let long = "x".repeat(9 << 10);
    let host = "HTTP/1.1\r\nHost: localhost\r\n";
    served.refuse(&format!("GET /v1/key?key={long} {host}"), 414, "target");
    served.refuse(&format!("GET /health {host}A: {long}\r\nB: {long}\r\n"), 431, "head");
    served.refuse(&format!("GET /health {host}Content-Length: 1000000\r\n"), 413, "body");
    served.refuse(&format!("GET /health {host}Transfer-Encoding: chunked\r\n"), 413, "body");
    for text in ["\r\n\r\n\0\0\0\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        assert!([0, 400].contains(&send(served.server.address(), text).status), "{text:?}");
    }
    let huge = format!("GET /health {host}A: {}\r\n\r\n", "x".repeat(1 << 20));
    let status = send(served.server.address(), &huge).status;
    assert!([0, 431].contains(&status), "{status}");
    assert_eq!(served.get("/health").status, 200, "it serves on");
}

#[test]
fn without_a_token_only_names_of_this_machine_are_answered() {
    let served = Served::new(false);
    for host in ["localhost", "127.0.0.1:80", "[::1]"] {
        assert_eq!(served.ask(&format!("GET /health HTTP/1.1\r\nHost: {host}\r\n")).status, 200);
    }
    served.refuse("GET /v1/states HTTP/1.1\r\nHost: evil.example\r\n", 403, "token");
    for address in ["0.0.0.0:0", "[::]:0", "10.1.2.3:80"] {
        let failure = Server::check(address, false).unwrap_err();
        assert!(failure.to_string().contains("--token-file"), "{failure}");
        assert!(Server::check(address, true).is_ok());
    }
    for address in ["localhost", "7411", "example.org:80", ""] {
        assert!(matches!(Server::check(address, true), Err(Failure::Usage(_))), "{address}");
    }
}

#[test]
fn with_a_token_everything_that_is_data_needs_it() {
    let served = Served::new(true);
    let all = [
        "/v1/states",
        "/v1/checkpoints",
        "/v1/key?key=1",
        "/v1/rows?state=count",
        "/v1/groups?state=count",
        "/metrics",
        "/nowhere",
    ];
    for target in all {
        let head = format!("GET {target} HTTP/1.1\r\nHost: state.example\r\n");
        served.refuse(&head, 401, "Bearer");
        served.refuse(&format!("{head}Authorization: Bearer {TOKEN}x\r\n"), 401, "Bearer");
        let shown = served.ask(&format!("{head}Authorization: Bearer {TOKEN}\r\n")).status;
        assert!(shown == 200 || target == "/nowhere" && shown == 404, "{target}: {shown}");
    }
    for target in ["/", "/health"] {
        assert_eq!(served.ask(&format!("GET {target} HTTP/1.1\r\nHost: a.b\r\n")).status, 200);
    }
}
