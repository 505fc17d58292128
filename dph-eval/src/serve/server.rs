//! [`accept`]: connections, from the first to the last.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

/// Time in which clients are still accepted when the service ends, and then time for them to send what they were about to send.
const LAST_REQUESTS: Duration = Duration::from_millis(100);
/// Pause after an error of the system, such as too many open files.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts connections until `shutdown` is ready, then answers what has been accepted, and returns.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    read_timeout: Duration,
    connections: usize,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(read_timeout);
    let serve = |stream: TcpStream, place| {
        // Answers are small and written at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // Errors of a connection are the client's: it left, or sent no HTTP.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection");
            }
            drop(place);
        });
    };
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = next => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => serve(stream, place),
            Err(error) if is_of_client(error.kind()) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(AFTER_ERROR).await;
            }
        }
    }
    tracing::info!("the service ends; accepted requests are answered");
    let last = Instant::now() + LAST_REQUESTS;
    while let Ok(Ok((stream, _))) = timeout_at(last, listener.accept()).await {
        serve(stream, None);
    }
    connected(listener).into_iter().for_each(|stream| serve(stream, None));
    sleep(LAST_REQUESTS).await;
    graceful.shutdown().await;
}

/// Closes the address, and returns the clients that the system has connected but that have not been accepted.
fn connected(listener: TcpListener) -> Vec<TcpStream> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accept = || {
        let (stream, _) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    std::iter::from_fn(accept).collect()
}

fn is_of_client(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}
