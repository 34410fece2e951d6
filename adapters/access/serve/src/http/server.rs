//! Connections, and how many of them there are at once.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use holdwater_processor::failure::Failure;
use holdwater_processor::place::is_url;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::access::Token;
use super::routes;
use crate::checkpoints::Checkpoints;

/// A server on threads of its own; it ends when this is dropped.
///
/// ```
/// use std::sync::Arc;
///
/// use holdwater_processor::failure::Failure;
/// use holdwater_serve::{Checkpoints, Server};
///
/// /// Serves a directory to whoever is on this machine.
/// fn serve(directory: &str) -> Result<Server, Failure> {
///     let checkpoints = Checkpoints::open(directory, Box::new(()), 64 << 20)?;
///     let server = Server::start(Arc::new(checkpoints), "127.0.0.1:0", None)?;
///     println!("http://{}", server.address());
///     Ok(server)
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves checkpoints at an address such as `127.0.0.1:7411`; port 0 is any that is free.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] where the address is none, or not that of loopback and there is no token.
    pub fn start(
        checkpoints: Arc<Checkpoints>,
        listen: &str,
        token: Option<Token>,
    ) -> Result<Self, Failure> {
        let address = Self::check(listen, token.is_some())?;
        let failed = |error| Failure::io(format!("cannot listen on {address}"), error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(routes::READS_MAX + WORKERS)
            .thread_name("holdwater-serve")
            .enable_all()
            .build()
            .map_err(|error| Failure::io("cannot start threads", error))?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        runtime.spawn(look(Arc::clone(&checkpoints)));
        runtime.spawn(accept(listener, routes::router(checkpoints, token)));
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// Returns the address that is meant, if it may be served.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start) does.
    pub fn check(listen: &str, has_token: bool) -> Result<SocketAddr, Failure> {
        let numbers = match listen.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => listen.to_owned(),
        };
        let address: SocketAddr = numbers.parse().map_err(|_| {
            let what = "no address; give numbers and a port, such as 127.0.0.1:7411";
            Failure::Usage(format!("{listen}: {what}"))
        })?;
        if !has_token && !address.ip().is_loopback() {
            return Err(Failure::Usage(format!(
                "{listen} is open to other machines: give --token-file, or listen on 127.0.0.1"
            )));
        }
        Ok(address)
    }

    /// Returns where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is being read is read to its end, and nobody waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Looks for newer checkpoints, for ever.
async fn look(checkpoints: Arc<Checkpoints>) {
    let Some(directory) = checkpoints.directory() else { return };
    let pause = if is_url(directory) { LOOK_FAR } else { LOOK_NEAR };
    loop {
        sleep(pause).await;
        let checkpoints = Arc::clone(&checkpoints);
        // What is wrong is told by /health.
        let _ = tokio::task::spawn_blocking(move || checkpoints.look()).await;
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(permit);
                });
            }
            // As many files are open as may be, or the peer went away: that passes.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // An answer is written at once: it has nothing to wait for.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    if timeout(CONNECTION_TIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(HEAD_TIME, connection).await;
    }
}

/// Requests wait for files on threads of their own.
const WORKERS: usize = 2;

const CONNECTIONS_MAX: usize = 256;

const HEAD_TIME: Duration = Duration::from_secs(10);

/// A client that reads its answers slowly, or for ever, begins anew.
const CONNECTION_TIME: Duration = Duration::from_secs(300);

/// More than what is refused in words.
const BUFFER_BYTES: usize = 64 << 10;

const LOOK_NEAR: Duration = Duration::from_secs(1);

/// Listing a place in an object store is paid for.
const LOOK_FAR: Duration = Duration::from_secs(10);
