//! The connection to another process, which says so when that is gone.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;
use holdwater_threads::EngineError;
use holdwater_threads::ends::Signal;
use timely::communication::allocator::zero_copy::stream::Stream;

use crate::error::ClusterError;

/// A connection.
///
/// timely's own threads panic when one breaks. Of this one they do not hear: the job is told, and
/// ends with an error that says which process is gone.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: TcpStream,
    /// The process at the other end.
    pub(crate) process: usize,
    pub(crate) alarm: Sender<Signal>,
    /// The job is over: connections may end.
    pub(crate) over: Arc<AtomicBool>,
    /// How many bytes of zero were read last: timely's goodbye is a header of nothing else.
    pub(crate) zeros: usize,
}

impl Link {
    fn gone(&self, why: &str) {
        if self.over.load(Ordering::Acquire) {
            return;
        }
        let error = ClusterError::Gone { process: self.process, why: why.to_owned() };
        // Nobody listens any more once the job is over.
        let _ = self.alarm.send(Signal::Failed(EngineError::Workers { error: Box::new(error) }));
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let why = match self.socket.read(buffer) {
            Ok(0) if self.zeros >= GOODBYE => return Ok(0),
            Ok(0) => "it closed the connection".to_owned(),
            Ok(count) => {
                let read = &buffer[..count];
                let zeros = read.iter().rev().take_while(|byte| **byte == 0).count();
                self.zeros = if zeros == count { self.zeros + zeros } else { zeros };
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error.to_string(),
        };
        self.gone(&why);
        // Whoever reads here would panic: it waits for the end of this process instead.
        loop {
            std::thread::park();
        }
    }
}

impl Write for Link {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self.socket.write(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.gone(&error.to_string());
                Ok(buffer.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Err(error) = self.socket.flush() {
            self.gone(&error.to_string());
        }
        Ok(())
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            process: self.process,
            alarm: self.alarm.clone(),
            over: Arc::clone(&self.over),
            zeros: 0,
        })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // The other end may be gone already.
        let _ = self.socket.shutdown(how);
        Ok(())
    }
}

/// The bytes of a header.
const GOODBYE: usize = 48;
