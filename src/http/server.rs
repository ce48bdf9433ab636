//! The sockets: listening, accepting, limits, and an end in which nobody is cut off.
//!
//! Every task belongs to [`Server::run`]: it waits for the accept loops, each of which waits for
//! its connections. Dropping the future of `run` ends them all at once.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::{debug, error, info, warn};

use super::admission::Admission;
use super::answer::{Denial, Style, Unanswered, close_after};
use super::desk::{Desk, Lines, Peer};
use super::figures::Handshake;
use super::forwarded::Malformed;
use super::framing::Verdict;
use super::login::Logins;
use super::request_line::RawPaths;
use super::secured::{Handle, Secured, handshake, is_http2, shake_hands};
use super::wire::Wire;
use super::{
    Account, Behind, CallbackDoor, Figures, Limits, Listener, Settings, callbacks, framing, health, http2,
    metrics, now, profiled, status, v1,
};
use crate::model::Masked;
use crate::profile::{Profile, Reading};
use crate::tls::{Expiry, LOOKS};

/// Most octets of a request line with all headers; more is 431. A long text in a query fits.
pub const HEAD_OCTETS: usize = 16 * 1024;
/// Most octets that are buffered of a connection beside the body in the making.
const BUFFER_OCTETS: usize = 64 * 1024;
/// Most header lines; more is 431.
const HEADERS: usize = 64;
/// The first pause after an accept that failed, and the longest.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The whole answer for a client that has enough connections. Nothing is read from it. Not 429, on which many that call
/// never come again.
const TOO_MANY_CONNECTIONS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\nRetry-After: 10\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n\
    too many connections from your address\n";

/// The HTTP door, bound and not yet open.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<(Arc<Listener>, TcpListener)>,
    addresses: Vec<(String, SocketAddr)>,
    limits: Limits,
    router: Router,
    stranger_lines: Lines,
    secured: Arc<Secured>,
    figures: Figures,
}

/// A listener could not be bound; this ends the start.
#[derive(Debug, thiserror::Error)]
#[error("HTTP listener `{listener}` cannot listen on {address}: {source}; free the address or change it")]
pub struct BindError {
    /// The listener's name.
    pub listener: String,
    /// Where it should listen.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// What all connections of a listener share.
struct Door {
    listener: Arc<Listener>,
    raw_paths: RawPaths,
    limits: Limits,
    admission: Admission,
    /// Counts the requests of HTTP/2.
    requests: Admission,
    router: Router,
    stranger_lines: Lines,
    secured: Arc<Secured>,
    figures: Figures,
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the fate of the request is not known")]
pub(super) struct NoAnswer;

impl Server {
    /// Binds every listener. `accounts` and `callback_door` may be exchanged at any time; each request sees one
    /// state of them. `registry` is what `/metrics` shows; `figures` are what is counted.
    ///
    /// # Errors
    /// [`BindError`] for the first listener that cannot be bound.
    pub async fn bind(
        settings: Settings,
        accounts: Arc<ArcSwap<Vec<Account>>>,
        callback_door: Arc<ArcSwap<Option<CallbackDoor>>>,
        behind: Behind,
        figures: Figures,
        registry: Arc<Registry>,
    ) -> Result<Self, BindError> {
        let limits = settings.limits;
        let secured = Arc::new(Secured::new(&settings.listeners, Expiry::new()));
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listener in settings.listeners {
            let bound = match TcpListener::bind(listener.bind).await {
                Ok(socket) => socket.local_addr().map(|address| (socket, address)),
                Err(error) => Err(error),
            };
            let (socket, address) = bound.map_err(|source| BindError {
                listener: listener.name.clone(),
                address: listener.bind,
                source,
            })?;
            addresses.push((listener.name.clone(), address));
            listeners.push((Arc::new(listener), socket));
        }
        let stranger_lines = Lines::default();
        let desk = Arc::new(Desk {
            accounts,
            behind,
            callback_door,
            sessions: Mutex::default(),
            webhooks: Arc::new(Semaphore::new(profiled::TURNS)),
            logins: Logins::new(&limits, figures.clone()),
            figures: figures.clone(),
            call_lines: Lines::default(),
            stranger_lines: stranger_lines.clone(),
            limits,
            registry,
        });
        let router = Router::new()
            .route("/sms/{id}", any(status::status))
            .merge(v1::routes())
            .route("/healthz", any(health::healthz))
            .route("/readyz", any(health::readyz))
            .route("/now", any(now::now))
            .route("/metrics", any(metrics::metrics))
            .fallback(elsewhere)
            .with_state(desk);
        Ok(Self { listeners, addresses, limits, router, stranger_lines, secured, figures })
    }

    /// Shows in `expiry` when the certificates of the listeners end.
    pub fn showing(mut self, expiry: Expiry) -> Self {
        let listeners: Vec<Listener> =
            self.listeners.iter().map(|(listener, _)| Listener::clone(listener)).collect();
        self.secured = Arc::new(Secured::new(&listeners, expiry));
        self
    }

    /// For reloads while [`run`](Self::run) works.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.secured))
    }

    /// Each listener's name and where it is, in the order of the settings; a port 0 has become a
    /// real one.
    pub fn local_addresses(&self) -> Vec<(String, SocketAddr)> {
        self.addresses.clone()
    }

    /// Serves until `shutdown` is true or its sender is gone; then closes the listeners and idle
    /// connections at once, and lets the requests that have begun end within their own limits.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let Limits { connections, connections_per_client, .. } = self.limits;
        let mut doors = JoinSet::new();
        for (listener, socket) in self.listeners {
            let door = Door {
                raw_paths: RawPaths::of_listener(&listener),
                listener,
                limits: self.limits,
                admission: Admission::new(connections, connections_per_client),
                requests: Admission::new(connections, connections_per_client),
                router: self.router.clone(),
                stranger_lines: self.stranger_lines.clone(),
                secured: Arc::clone(&self.secured),
                figures: self.figures.clone(),
            };
            doors.spawn(Arc::new(door).accept(socket, shutdown.clone()));
        }
        self.secured.look();
        let mut looks = interval_at(Instant::now() + LOOKS, LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = doors.join_next() => match ended {
                    Some(ended) => report_panic(ended),
                    None => break,
                },
                _ = looks.tick() => self.secured.look(),
            }
        }
    }
}

impl Door {
    /// Accepts until shutdown, and returns when its connections have ended.
    async fn accept(self: Arc<Self>, socket: TcpListener, mut shutdown: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut failures = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = is_asked(&mut shutdown) => break,
                Some(ended) = connections.join_next() => {
                    report_panic(ended);
                    continue;
                }
                accepted = socket.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(failure) => {
                    let pause = pause_after(&failure, failures);
                    failures += 1;
                    warn!(listener = self.listener.name, error = %failure, ?pause, "accepting failed");
                    tokio::select! {
                        () = is_asked(&mut shutdown) => break,
                        () = sleep(pause) => continue,
                    }
                }
            };
            failures = 0;
            let address = address.ip().to_canonical();
            let Some(visit) = self.admission.visit(address) else {
                if let Some(left_out) = self.stranger_lines.next() {
                    let listener = &self.listener.name;
                    info!(client = %address, listener, left_out, "connection refused: client has enough");
                }
                // The buffer of a fresh socket takes it, or the client goes without. One that is about to speak TLS
                // could not read it.
                if self.secured.of(&self.listener.name).is_none() {
                    let _ = stream.try_write(TOO_MANY_CONNECTIONS);
                }
                continue;
            };
            let place = match self.admission.place_now() {
                Some(place) => Some(place),
                None => {
                    if let Some(left_out) = self.stranger_lines.next() {
                        let listener = &self.listener.name;
                        warn!(listener, left_out, "all connections are taken; clients wait");
                    }
                    tokio::select! {
                        () = is_asked(&mut shutdown) => break,
                        place = self.admission.place() => place,
                    }
                }
            };
            let (door, shutdown) = (self.clone(), shutdown.clone());
            connections.spawn(async move {
                door.serve(stream, address, shutdown).await;
                drop((visit, place));
            });
        }
        drop(socket);
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    }

    /// Serves one connection to its end.
    async fn serve(&self, stream: TcpStream, address: IpAddr, mut shutdown: watch::Receiver<bool>) {
        if let Err(failure) = stream.set_nodelay(true) {
            debug!(client = %address, error = %failure, "TCP_NODELAY refused");
        }
        let peer = Peer { listener: self.listener.clone(), address };
        let Some(tls) = self.secured.of(&self.listener.name) else {
            return self.http1(stream, peer, shutdown).await;
        };
        let (time, who) = (self.limits.header_time, (self.listener.name.as_str(), address));
        let shaken = tokio::select! {
            shaken = shake_hands(&tls, stream, time, who, &self.stranger_lines) => shaken,
            () = is_asked(&mut shutdown) => return,
        };
        self.figures.tls_handshake(shaken.as_ref().map_or(Handshake::Failed, handshake));
        match shaken {
            Some(stream) if is_http2(&stream) => {
                let service = service_fn(|request| self.answer_stream(&peer, request));
                http2::serve(stream, service, self.limits, who, &self.stranger_lines, shutdown).await;
            }
            Some(stream) => self.http1(stream, peer, shutdown).await,
            None => {}
        }
    }

    /// The answer to a request of HTTP/2. Many come on one connection, so that they are counted as connections are.
    fn answer_stream(
        &self,
        peer: &Peer,
        request: hyper::Request<Incoming>,
    ) -> impl Future<Output = Result<Response, NoAnswer>> + Send + use<> {
        let style = Style::of(request.headers());
        let admitted = if request.headers().len() > HEADERS {
            let reason = format!("the request has more than {HEADERS} headers; send fewer");
            Err(Denial::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason))
        } else {
            let visit = self.requests.visit(peer.address).ok_or_else(|| {
                let reason = "too many requests at a time from your address";
                Denial::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            });
            visit.and_then(|visit| {
                let reason = "too many requests at a time; send this one again";
                let place = self.requests.place_now();
                let place = place.ok_or_else(|| Denial::new(StatusCode::SERVICE_UNAVAILABLE, reason))?;
                let verdict = framing::check(request.version(), request.headers());
                Ok((visit, place, self.answer(peer, request, verdict)))
            })
        };
        async move {
            let mut response = match admitted {
                Ok((visit, place, answer)) => {
                    let response = answer.await?;
                    drop((visit, place));
                    response
                }
                Err(denial) => denial.respond(style),
            };
            // There is no such header here (RFC 9113 section 8.2.2), and one request ends no other.
            response.headers_mut().remove(header::CONNECTION);
            Ok(response)
        }
    }

    /// The answer to a request whose framing has been judged.
    fn answer(
        &self,
        peer: &Peer,
        mut request: hyper::Request<Incoming>,
        verdict: Verdict,
    ) -> impl Future<Output = Result<Response, NoAnswer>> + Send + use<> {
        let style = Style::of(request.headers());
        let client = self.listener.client(peer.address, request.headers());
        let verdict = verdict.map_err(|fault| fault.to_string());
        let verdict = verdict.and(client.as_ref().map(drop).map_err(ToString::to_string));
        let address = client.unwrap_or(peer.address);
        request.extensions_mut().insert(Peer { listener: self.listener.clone(), address });
        let stranger_lines = self.stranger_lines.clone();
        let routed = TowerToHyperService::new(self.router.clone()).call(request.map(Body::new));
        async move {
            let response = match verdict {
                Ok(()) => routed.await.unwrap_or_else(|never: Infallible| match never {}),
                Err(fault) => {
                    if let Some(left_out) = stranger_lines.next() {
                        info!(client = %address, reason = %fault, left_out, "request refused");
                    }
                    Denial::closing(StatusCode::BAD_REQUEST, fault).respond(style)
                }
            };
            match response.extensions().get::<Unanswered>() {
                Some(_) => Err(NoAnswer),
                None => Ok(response),
            }
        }
    }

    /// Serves one connection of HTTP/1 to its end.
    async fn http1<S>(&self, stream: S, peer: Peer, mut shutdown: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let address = peer.address;
        let (wire, heads) = Wire::new(stream, self.raw_paths.clone(), self.limits.request_time);
        let service = service_fn(|request: hyper::Request<Incoming>| {
            // Called as soon as a head is parsed, so this is the verdict on just that head.
            let verdict = heads.next().and_then(|()| framing::check(request.version(), request.headers()));
            // What follows a chunked body is not watched.
            let is_last = request.headers().contains_key(header::TRANSFER_ENCODING);
            let answer = self.answer(&peer, request, verdict);
            async move {
                let mut response = answer.await?;
                if is_last {
                    close_after(&mut response);
                }
                Ok::<_, NoAnswer>(response)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.header_time)
                .max_header_size(HEAD_OCTETS)
                .max_headers(HEADERS)
                .max_buf_size(BUFFER_OCTETS)
                // A client that has said all may close its side and still wait for the answer.
                .half_close(true)
                .serve_connection(TokioIo::new(wire), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = is_asked(&mut shutdown) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(failure) = ended {
            debug!(client = %address, error = %failure, "connection ended early");
        }
    }
}

impl Listener {
    /// Every API that is described by a profile.
    pub(super) fn spoken(&self) -> impl Iterator<Item = &Arc<Profile>> {
        std::iter::once(&self.sms).chain(&self.profiles)
    }

    /// How `/sms` reads its fields.
    pub(super) fn reading(&self) -> Option<&Reading> {
        self.sms.endpoints.first().map(|endpoint| &endpoint.reading)
    }

    /// The address of the client whose request came from `peer`.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Malformed> {
        let Some(proxies) = &self.proxies else { return Ok(peer) };
        let lines = headers.get_all(proxies.header.name()).iter().map(HeaderValue::as_bytes);
        proxies.client(peer, &lines.collect::<Vec<_>>())
    }
}

/// Any path that is no route: `/sms`, those of other gateways' APIs and that of the callbacks, which the configuration names, or
/// none of ours.
pub(super) async fn elsewhere(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let path = request.uri().path();
    let endpoints = profiled::at(peer.listener.spoken(), path);
    if !endpoints.is_empty() {
        return profiled::serve(&desk, &peer, &endpoints, request).await;
    }
    let door = desk.callback_door.load_full();
    let hides = door.as_ref().as_ref().is_some_and(|door| door.secret.is_some());
    let Some((door, behind)) = door.as_ref().as_ref().and_then(|door| Some((door, door.behind(path)?)))
    else {
        if let Some(left_out) = desk.stranger_lines.next() {
            let (listener, path) = (&peer.listener.name, shown_path(path, hides));
            info!(client = %peer.address, listener, path = %Masked(&path), left_out, "no such path");
        }
        return nothing_here(Style::of(request.headers()));
    };
    if !peer.listener.callbacks {
        if let Some(left_out) = desk.stranger_lines.next() {
            let (listener, path) = (&peer.listener.name, &door.path);
            info!(client = %peer.address, listener, path, left_out, "this listener takes no callbacks");
        }
        return nothing_here(Style::of(request.headers()));
    }
    let knock = door.knock(peer.address, request.headers(), behind);
    callbacks::callbacks(&desk, &peer, knock, request).await
}

/// A path for the log; only its first piece where what follows may be the secret of the platform's callbacks, because the
/// platform was given a URL with a slip in it. The query is never logged: devices put passwords into it.
fn shown_path(path: &str, hides: bool) -> String {
    let second = path.match_indices('/').map(|(at, _)| at).find(|at| *at > 0);
    let (shown, more) = match second {
        Some(at) if hides && at + 1 < path.len() => (&path[..at], "/…"),
        Some(_) | None => (path, ""),
    };
    let shown: String = shown.chars().take(100).collect();
    format!("{}{more}", shown.escape_debug())
}

/// 404, the same for every path that is not ours.
pub(super) fn nothing_here(style: Style) -> Response {
    let reason = "there is nothing here; forms go to /sms";
    Denial::new(StatusCode::NOT_FOUND, reason).respond(style)
}

/// Returns once shutdown is wanted; a sender that is gone wants it too.
pub(super) async fn is_asked(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|wanted| *wanted).await;
}

/// How long to wait after an accept that failed, with `failures` before it in a row. A connection
/// that was broken before we took it is nobody's fault; everything else (no file descriptors, no
/// memory) needs time to pass.
fn pause_after(failure: &io::Error, failures: u32) -> Duration {
    let (first, longest) = ACCEPT_PAUSE;
    let is_connection = matches!(
        failure.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if is_connection { Duration::ZERO } else { longest.min(first * 2_u32.saturating_pow(failures)) }
}

/// Released builds abort on a panic; others say so and go on.
pub(super) fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(failure) = ended {
        error!(error = %failure, "a task of the HTTP door broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_waited_out_longer_and_longer_up_to_a_second() {
        let no_descriptors = io::Error::from_raw_os_error(24);
        let pauses: Vec<u128> = [0, 1, 2, 3, 4, 5, 1000]
            .map(|failures| pause_after(&no_descriptors, failures).as_millis())
            .into();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_connection_that_broke_before_it_was_taken_costs_no_pause() {
        for kind in [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset] {
            assert_eq!(pause_after(&kind.into(), 9), Duration::ZERO);
        }
    }

    #[test]
    fn the_answer_to_too_many_connections_has_its_length() {
        let text = std::str::from_utf8(TOO_MANY_CONNECTIONS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
    }
}
