//! Connects the processes of a cluster: each dials those with lower numbers and listens for the
//! others, and both say who they are.
//!
//! ```text
//! hello = magic (8) | version | processes | threads | number (8 each) | job (16), big-endian
//! ```
//!
//! The one that dials speaks first, the other answers; a stranger is sent away.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use holdwater_threads::Stop;

use crate::cluster::Cluster;
use crate::error::ClusterError;

/// What a process says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Hello {
    processes: u64,
    threads: u64,
    process: u64,
    job: u128,
}

impl Hello {
    fn bytes(&self) -> [u8; HELLO_LEN] {
        let mut bytes = [0; HELLO_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        let numbers = [VERSION, self.processes, self.threads, self.process];
        for (place, number) in bytes[8..40].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes[40..].copy_from_slice(&self.job.to_be_bytes());
        bytes
    }

    /// Reads what another process says; `None` if it is a stranger.
    fn read(bytes: &[u8; HELLO_LEN]) -> Option<(u64, Self)> {
        let number = |index: usize| {
            let at = 8 + index * 8;
            bytes[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let job = bytes[40..].iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        let hello = Self { processes: number(1), threads: number(2), process: number(3), job };
        (bytes[..8] == *MAGIC).then(|| (number(0), hello))
    }
}

/// Who this process is, and how long it waits.
struct Door<'c> {
    cluster: &'c Cluster,
    own: Hello,
    until: Instant,
    stop: &'c Stop,
}

/// Connects this process with each other one; the place of its own stays empty.
pub(crate) fn connect(
    cluster: &Cluster,
    job: u128,
    stop: &Stop,
) -> Result<Vec<Option<TcpStream>>, ClusterError> {
    let own = Hello {
        processes: cluster.processes() as u64,
        threads: cluster.threads as u64,
        process: cluster.process as u64,
        job,
    };
    let door = Door { cluster, own, until: Instant::now() + cluster.patience, stop };
    let address = &cluster.addresses[cluster.process];
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let listener =
        listen().map_err(|error| ClusterError::Listen { address: address.clone(), error })?;
    let mut sockets: Vec<_> = (0..cluster.processes()).map(|_| None).collect();
    for (process, socket) in sockets.iter_mut().enumerate().take(cluster.process) {
        *socket = Some(door.dial(process)?);
    }
    while let Some(missing) = (cluster.process + 1..sockets.len()).find(|at| sockets[*at].is_none())
    {
        match listener.accept() {
            Ok((socket, _)) => {
                if let Some((process, socket)) = door.admit(socket)? {
                    sockets[process] = Some(socket);
                }
            }
            Err(_) => door.wait(missing)?,
        }
    }
    Ok(sockets)
}

impl Door<'_> {
    /// Connects with a process that listens.
    fn dial(&self, process: usize) -> Result<TcpStream, ClusterError> {
        let address = &self.cluster.addresses[process];
        loop {
            if let Ok(socket) = TcpStream::connect(address)
                && let Some(socket) = self.greet(socket, process)?
            {
                return Ok(socket);
            }
            self.wait(process)?;
        }
    }

    /// Says hello and waits for the answer; `None` if there is none, or from a stranger.
    fn greet(
        &self,
        mut socket: TcpStream,
        process: usize,
    ) -> Result<Option<TcpStream>, ClusterError> {
        if prepare(&socket).and_then(|()| socket.write_all(&self.own.bytes())).is_err() {
            return Ok(None);
        }
        let mut bytes = [0; HELLO_LEN];
        let mut filled = 0;
        while filled < HELLO_LEN {
            match socket.read(&mut bytes[filled..]) {
                Ok(0) => return Ok(None),
                Ok(count) => filled += count,
                // It answers once it has connected with those before it.
                Err(error) if is_late(&error) => self.wait(process)?,
                Err(_) => return Ok(None),
            }
        }
        let Some((version, hello)) = Hello::read(&bytes) else { return Ok(None) };
        self.compare(version, hello, process)?;
        Ok(finish(&socket).is_ok().then_some(socket))
    }

    /// Hears who has dialled, and answers; `None` if it is a stranger.
    fn admit(&self, mut socket: TcpStream) -> Result<Option<(usize, TcpStream)>, ClusterError> {
        let mut bytes = [0; HELLO_LEN];
        let heard = socket
            .set_nonblocking(false)
            .and_then(|()| socket.set_nodelay(true))
            .and_then(|()| socket.set_read_timeout(Some(HELLO_WAIT)))
            .and_then(|()| socket.read_exact(&mut bytes));
        let (Ok(()), Some((version, hello))) = (heard, Hello::read(&bytes)) else {
            return Ok(None);
        };
        let process = hello.process as usize;
        // Answered before they are compared: the other one can say what differs, too.
        if socket.write_all(&self.own.bytes()).is_err() {
            return Ok(None);
        }
        self.compare(version, hello, process)?;
        if process <= self.cluster.process {
            let what = "was started twice".to_owned();
            return Err(ClusterError::Differs { process, what });
        }
        Ok(finish(&socket).is_ok().then_some((process, socket)))
    }

    /// States that another process is part of the same cluster.
    fn compare(&self, version: u64, hello: Hello, process: usize) -> Result<(), ClusterError> {
        let Hello { processes, threads, job, .. } = self.own;
        let what = if version != VERSION {
            "is of another version of this program".to_owned()
        } else if hello.processes != processes {
            format!("has -n {}, this one -n {processes}", hello.processes)
        } else if hello.threads != threads {
            format!("has -w {}, this one -w {threads}", hello.threads)
        } else if hello.process != process as u64 {
            format!("is not where the addresses say, which is process {}", hello.process)
        } else if hello.job != job {
            "runs another job".to_owned()
        } else {
            return Ok(());
        };
        Err(ClusterError::Differs { process, what })
    }

    /// Waits a moment for a process, unless it has taken too long.
    fn wait(&self, process: usize) -> Result<(), ClusterError> {
        if self.stop.is_stopped() {
            return Err(ClusterError::Interrupted);
        }
        if Instant::now() >= self.until {
            let address = self.cluster.addresses[process].clone();
            let waited_ms = self.cluster.patience.as_millis() as u64;
            return Err(ClusterError::Silent { process, address, waited_ms });
        }
        sleep(PAUSE);
        Ok(())
    }
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PAUSE))
}

fn finish(socket: &TcpStream) -> io::Result<()> {
    socket.set_read_timeout(None)
}

fn is_late(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

const MAGIC: &[u8; 8] = b"HWtimely";
const VERSION: u64 = 1;
const HELLO_LEN: usize = 56;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// How long somebody who has dialled may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(2);
