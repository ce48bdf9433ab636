//! The listener, its connections, and what the ordered faults do to them.
//!
//! The connections are served by an accept loop of our own, so that a handler can have its
//! connection reset, or cut after any octet, which a web framework does not offer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::faults::{Endpoint, Fault};
use super::fields::Reply;
use super::platform::Platform;
use super::{Delivery, control, legacy, status, template, universal};

/// Connections at a time.
const MAX_CONNECTIONS: usize = 4096;
/// Octets of a request's body.
const MAX_BODY: usize = 256 * 1024;
/// For the head of a request, and for a connection to stay idle.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// For the octets of an answer that is to be cut.
const CUT_TIME: Duration = Duration::from_secs(5);

/// A handler's hold on its connection.
#[derive(Clone)]
pub(super) struct Connection {
    endings: mpsc::Sender<Ending>,
    /// Who is at the other end.
    pub(super) peer: SocketAddr,
}

/// How a connection is ended from within.
enum Ending {
    /// RST.
    Reset,
    /// These octets as they are, then FIN.
    After(String),
}

impl Connection {
    /// Ends the connection; the handler is dropped on the way.
    async fn end(&self, ending: Ending) -> Response {
        // Fails only when the connection is gone already, and then nobody polls us.
        let _ = self.endings.send(ending).await;
        std::future::pending().await
    }
}

/// Every endpoint.
fn router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/api/message-server/sms/send", post(universal::send))
        .route("/api/message-server/rcs/send", post(template::send_rcs))
        .route("/api/message-server/whatsapp/send", post(template::send_whatsapp))
        .route("/api/partner-gateway/v1/messages/status/{id}", get(status::status))
        .route("/api/services/sms/send", post(legacy::send))
        .route("/api/services/sms/credit", get(legacy::credit))
        .merge(control::router())
        .fallback(|| async { Reply::fail(StatusCode::NOT_FOUND, "path", "No such endpoint") })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(platform)
}

/// Accepts connections. Never returns; what it serves ends with it.
pub(super) async fn serve(listener: TcpListener, platform: Arc<Platform>) {
    let router = router(platform);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone();
                connections.spawn(async move {
                    serve_connection(stream, peer, router).await;
                    drop(permit);
                });
            }
            // Out of descriptors, mostly (R47): others may be closed meanwhile.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    // Answers are small and awaited: no need to wait for more octets. Failing is harmless.
    let _ = stream.set_nodelay(true);
    let (endings, mut ended) = mpsc::channel(1);
    let connection = Connection { endings, peer };
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        TowerToHyperService::new(router.clone()).call(request)
    });
    let mut serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    let ending = tokio::select! {
        biased;
        Some(ending) = ended.recv() => ending,
        _ = &mut serving => return,
    };
    let mut stream = serving.into_parts().io.into_inner();
    match ending {
        // Without lingering, closing sends RST.
        Ending::Reset => drop(stream.set_zero_linger()),
        Ending::After(octets) => {
            let cut = async {
                stream.write_all(octets.as_bytes()).await?;
                stream.shutdown().await
            };
            // Whether the client takes it all is its business.
            let _ = tokio::time::timeout(CUT_TIME, cut).await;
        }
    }
}

/// How a request is accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// How its messages end; as the settings say where there is none.
    pub(super) delivery: Option<Delivery>,
    /// How many of its messages are processed; all of them where nothing is said.
    pub(super) processed: Option<usize>,
}

/// A request that passed every check, and what can be done with it.
pub(super) struct Checked<'a, A, R> {
    pub(super) endpoint: Endpoint,
    /// Its (destination, body) pairs, for the rules to match.
    pub(super) messages: &'a [(&'a str, &'a str)],
    /// Accepts it and makes the answer.
    pub(super) accept: A,
    /// The answer that it is not accepted, for these reasons.
    pub(super) refuse: R,
}

/// Answers a request, unless an ordered fault gets in the way.
pub(super) async fn answer<A, R>(
    platform: Arc<Platform>,
    connection: Connection,
    request: Checked<'_, A, R>,
) -> Response
where
    A: FnOnce(Terms) -> Reply,
    R: FnOnce(Vec<String>) -> Reply,
{
    let Checked { endpoint, messages, accept, refuse } = request;
    let Some(fault) = platform.strike(endpoint, messages) else {
        return accept(Terms::default()).into_response();
    };
    match fault {
        Fault::Deliver { outcome, delay_millis } => {
            let delay = delay_millis.map_or(platform.settings.delivery.delay, Duration::from_millis);
            let delivery = Some(Delivery { delay, outcome });
            accept(Terms { delivery, ..Terms::default() }).into_response()
        }
        Fault::Partial { processed } => {
            accept(Terms { processed: Some(processed), ..Terms::default() }).into_response()
        }
        Fault::Refuse { reasons } => refuse(reasons).into_response(),
        Fault::Status { code, retry_after, body, recorded } => {
            if recorded {
                accept(Terms::default());
            }
            // Both were checked when the fault was ordered.
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let retry_after: Vec<(HeaderName, String)> =
                retry_after.into_iter().map(|value| (RETRY_AFTER, value)).collect();
            let headers = axum::response::AppendHeaders(retry_after);
            match body {
                Some(body) => (status, headers, body).into_response(),
                None => (headers, Reply::fail(status, "fault", "As ordered")).into_response(),
            }
        }
        Fault::Reset { recorded } => {
            if recorded {
                accept(Terms::default());
            }
            connection.end(Ending::Reset).await
        }
        Fault::Slow { millis, recorded } => {
            let late = tokio::time::sleep(Duration::from_millis(millis));
            answer_after(late, recorded, || accept(Terms::default())).await
        }
        Fault::Hold { recorded } => {
            answer_after(platform.hold(), recorded, || accept(Terms::default())).await
        }
        Fault::Garbage { recorded } => {
            if recorded {
                accept(Terms::default());
            }
            ([(CONTENT_TYPE, "application/json")], "\u{1}<!-- }{ not JSON").into_response()
        }
        Fault::Truncated { recorded } => {
            let json = if recorded {
                accept(Terms::default()).json.to_string()
            } else {
                r#"{"messageId":""}"#.to_owned()
            };
            let half: String = json.chars().take(json.chars().count() / 2).collect();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
            let octets = format!("{head}Content-Length: {}\r\n\r\n{half}", json.len());
            connection.end(Ending::After(octets)).await
        }
    }
}

/// Accepts, then waits and answers; or waits first.
async fn answer_after(
    wait: impl Future<Output = ()>,
    recorded: bool,
    accept: impl FnOnce() -> Reply,
) -> Response {
    if recorded {
        let reply = accept();
        wait.await;
        reply.into_response()
    } else {
        wait.await;
        accept().into_response()
    }
}
