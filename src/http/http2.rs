//! One connection of HTTP/2 (RFC 9113): its streams, their time, and its end.
//!
//! The framing is hyper's. What is added here is what it does not bound: a connection that is idle, an answer that
//! nobody reads, a client that does not hear the farewell, and requests that are given up as fast as they are made.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::response::Response;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::Limits;
use super::desk::Lines;
use super::server::{HEAD_OCTETS, NoAnswer, is_asked, report_panic};

/// Most requests at a time of a connection.
const STREAMS: usize = 100;
/// Octets of a body that a client may send ahead; of all bodies of a connection.
const WINDOWS: (u32, u32) = (64 * 1024, 256 * 1024);
/// Octets of an answer that are buffered.
const SEND_OCTETS: usize = 64 * 1024;
/// Streams that a client may reset before we have looked at them (CVE-2023-44487), and streams that may end by errors of
/// its making; one more ends the connection.
const RESETS: usize = 20;
const ERRORS: usize = 100;
/// Requests of a connection that may be given up before they are answered; one more ends it. This is for whoever resets
/// them one by one.
const GIVEN_UP: usize = 100;
/// How long a client may take to go once it was told to and no request is under way.
const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// What a request may take beside the request time for itself and again for its answer: the pause after a wrong credential.
const SLACK: Duration = Duration::from_secs(2);

/// Counts; a guard takes one away, or adds one, when it is dropped.
type Count = Arc<watch::Sender<usize>>;

/// Runs the streams of one connection; they end with it.
#[derive(Clone)]
struct Streams {
    /// Not owned: the streams know the executor.
    tasks: Weak<Mutex<JoinSet<()>>>,
    open: Count,
    time: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Some(tasks) = self.tasks.upgrade() else { return };
        let open = Open::new(&self.open);
        let time = self.time;
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            report_panic(ended);
        }
        tasks.spawn(async move {
            // Dropped, it resets the stream.
            if timeout(time, stream).await.is_err() {
                debug!("a stream took too long");
            }
            drop(open);
        });
    }
}

/// A stream that is open.
struct Open(Count);

impl Open {
    fn new(count: &Count) -> Self {
        count.send_modify(|open| *open += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// A request that counts as given up unless it is answered.
struct Request {
    given_up: Count,
    is_answered: bool,
}

impl Request {
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_answered {
            self.given_up.send_modify(|given_up| *given_up += 1);
        }
    }
}

/// Serves a connection to its end. At the shutdown, or when it was idle for the header time, the client is told to go
/// (GOAWAY) and what is under way may end.
pub(super) async fn serve<I, S>(
    io: I,
    service: S,
    limits: Limits,
    (listener, client): (&str, IpAddr),
    lines: &Lines,
    mut shutdown: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<hyper::Request<Incoming>, Response = Response, Error = NoAnswer>,
    S::Future: Send + 'static,
{
    let tasks = Arc::new(Mutex::new(JoinSet::new()));
    let (open, mut opened) = watch::channel(0);
    let (given_up, mut givings_up) = watch::channel(0);
    let (open, given_up): (Count, Count) = (Arc::new(open), Arc::new(given_up));
    let time = limits.request_time.saturating_mul(2).saturating_add(SLACK);
    let streams = Streams { tasks: Arc::downgrade(&tasks), open: Arc::clone(&open), time };
    let counted = service_fn(|request| {
        let under_way = Request { given_up: Arc::clone(&given_up), is_answered: false };
        let answer = service.call(request);
        async move {
            let answer = answer.await;
            under_way.answered();
            answer
        }
    });
    let at_a_time = limits.connections_per_client.min(STREAMS);
    let mut connection =
        pin!(builder(streams, &limits, at_a_time).serve_connection(TokioIo::new(io), counted));
    let mut is_leaving = false;
    loop {
        let patience = if is_leaving { FAREWELL_TIME } else { limits.header_time };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(failure) = ended {
                    debug!(%client, error = %failure, "connection ended early");
                }
                return;
            }
            _ = givings_up.wait_for(|given_up| *given_up > GIVEN_UP) => {
                if let Some(left_out) = lines.next() {
                    info!(%client, listener, left_out, "connection closed: the client gives its requests up");
                }
                return;
            }
            () = is_asked(&mut shutdown), if !is_leaving => {}
            () = idle(&mut opened, patience) => {
                if is_leaving {
                    return;
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        is_leaving = true;
    }
}

fn builder(streams: Streams, limits: &Limits, at_a_time: usize) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_OCTETS).unwrap_or(u32::MAX))
        .max_concurrent_streams(u32::try_from(at_a_time).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_send_buf_size(SEND_OCTETS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(ERRORS)
        // While a request is under way; an idle connection ends before.
        .keep_alive_interval(limits.header_time)
        .keep_alive_timeout(limits.header_time);
    builder
}

/// Returns once no stream has been open for `time`.
async fn idle(open: &mut watch::Receiver<usize>, time: Duration) {
    loop {
        // The sender is never gone: the connection has it.
        let _ = open.wait_for(|open| *open == 0).await;
        tokio::select! {
            () = sleep(time) => return,
            _ = open.changed() => {}
        }
    }
}
