//! A server that runs, and requests to it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStdin;

use holdwater_system::place::Place;
use holdwater_system::process::{Invocation, Running};
use serde_json::Value;

/// A program that serves.
pub(crate) struct Server {
    /// The program.
    pub(crate) running: Running,
    /// Where it listens.
    pub(crate) address: String,
}

/// A connection that is kept from one request to the next.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Server {
    /// Starts a command that serves, and waits until it does.
    pub(crate) fn start(place: &Place, line: &str) -> Self {
        Self::wait(place, Invocation::start(Self::command(place, line)))
    }

    /// Starts a command that serves while it is fed, and waits until it does.
    pub(crate) fn start_fed(
        place: &Place,
        line: &str,
        feed: impl FnOnce(ChildStdin) + Send + 'static,
    ) -> Self {
        Self::wait(place, Self::command(place, line).feed(feed))
    }

    fn command(place: &Place, line: &str) -> Invocation {
        // What it tells goes to a file that can be read meanwhile.
        File::create(place.path("told")).unwrap();
        place.shell(&format!("exec \"$0\" {line} 2> told"))
    }

    fn wait(place: &Place, mut running: Running) -> Self {
        let mut address = None;
        running.until(|| {
            let text = fs::read_to_string(place.path("told")).unwrap();
            let line = text.lines().find_map(|line| line.split_once(" at http://"));
            address = line.map(|(_, address)| address.to_owned());
            address.is_some() && text.ends_with('\n')
        });
        Self { running, address: address.unwrap() }
    }

    pub(crate) fn client(&self) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(&self.address).unwrap()) }
    }

    /// Asks for what is there.
    pub(crate) fn found(&self, target: &str) -> Value {
        let (status, body) = self.client().get(target);
        assert_eq!(status, 200, "{target}: {body}");
        body
    }
}

impl Client {
    /// Asks, and returns the status and the JSON that came.
    pub(crate) fn get(&mut self, target: &str) -> (u16, Value) {
        let (status, body) = self.get_text(target);
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn get_text(&mut self, target: &str) -> (u16, String) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}
