//! An S3 server on loopback, with one bucket, whose requests can be made to fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::process::Invocation;
use crate::program::{repository, target};

/// The server; it ends with the test.
#[derive(Debug)]
pub struct S3 {
    server: Child,
    port: u16,
}

impl S3 {
    /// Starts it with an empty bucket, called `bucket`.
    pub fn start() -> Self {
        let moto = moto();
        let mut server = Command::new("python3")
            .arg(repository().join("tests/s3/serve.py"))
            .env("PYTHONPATH", moto)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { server, port: port.trim().parse().expect("the server tells its port") }
    }

    /// Tells a command of the server, as its user would.
    pub fn of(&self, command: Invocation) -> Invocation {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", &*endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
        .into_iter()
        .fold(command, |command, (name, value)| command.with(name, value))
    }

    /// Lets so many of 100 requests fail: before they take effect, or after it.
    pub fn fail(&self, before: u32, after: u32, seed: u64) {
        let wanted = json!({ "before": before, "after": after, "seed": seed });
        self.ask("PUT", "/-/faults", &wanted.to_string());
    }

    /// Returns how many requests there were since this was asked last, as in `PUT data`.
    pub fn requests(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/-/requests", "")).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Returns the folder that the server is installed in.
fn moto() -> PathBuf {
    let moto = target().join("moto");
    assert!(
        moto.join("moto").is_dir(),
        "{}: run `make objects`, which installs it",
        moto.display()
    );
    moto
}
