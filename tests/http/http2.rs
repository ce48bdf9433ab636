//! HTTP/2: the same door with the same limits, and what only this protocol makes possible.

use std::future::{Future, poll_fn};
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use rustls::version::TLS13;
use sms_relay::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::curl::curl;
use super::support::{Door, PATIENCE, form, limits};
use super::tls::Authority;

const SOON: Duration = Duration::from_millis(300);
const FORM: &str = "to=391&text=a";

/// A connection.
struct Client {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

struct Place {
    authority: Authority,
    door: Door,
}

/// Waits for what has to come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it comes")
}

impl Place {
    async fn open(limits: Limits) -> Self {
        let authority = Authority::new();
        let door = Door::secured(limits, authority.server("one").tls(None)).await;
        Self { authority, door }
    }

    async fn connect(&self) -> Client {
        self.connect_with(&Builder::new()).await
    }

    async fn connect_with(&self, builder: &Builder) -> Client {
        let stream = self.door.shake(self.authority.config(&TLS13, &["h2"], None)).await.unwrap();
        let (requests, connection) = soon(builder.handshake(stream)).await.unwrap();
        Client { requests, ended: tokio::spawn(connection) }
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

fn post() -> Request<()> {
    Request::post("https://localhost/sms").body(()).unwrap()
}

impl Client {
    async fn begin(&mut self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        soon(poll_fn(|cx| self.requests.poll_ready(cx))).await.unwrap();
        self.requests.send_request(request, ends).unwrap()
    }

    async fn posted(&mut self, body: &str) -> ResponseFuture {
        let (answer, mut stream) = self.begin(post(), false).await;
        stream.send_data(Bytes::from(body.to_owned()), true).unwrap();
        answer
    }

    async fn get(&mut self, request: Request<()>) -> (u16, HeaderMap, String) {
        let (answer, _) = self.begin(request, true).await;
        read(answer).await.unwrap()
    }

    async fn is_served(&mut self) -> bool {
        self.get(get("/healthz")).await.0 == 200
    }
}

async fn read(answer: ResponseFuture) -> Result<(u16, HeaderMap, String), h2::Error> {
    let (head, mut body): (_, RecvStream) = soon(answer).await.map(Response::into_parts)?;
    let mut octets = Vec::new();
    while let Some(data) = soon(body.data()).await {
        octets.extend_from_slice(&data?);
    }
    Ok((head.status.as_u16(), head.headers, String::from_utf8(octets).unwrap()))
}

/// The library cuts a target there, and nothing tells it. Should it refuse one some day, the manual can say better.
#[tokio::test]
async fn what_stands_behind_a_fragment_sign_of_a_target_is_gone() {
    let place = Place::open(limits()).await;
    let mut stream = place.door.shake(place.authority.config(&TLS13, &["h2"], None)).await.unwrap();
    // RFC 7541: GET and https are indexed, authority and path literals with indexed names.
    let head = [&[0x82, 0x87, 0x01, 9][..], b"localhost", &[0x04, 10], b"/healthz#x"].concat();
    let frame = [&[0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, 0, 1][..], &head].concat();
    let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &frame].concat();
    stream.write_all(&hello).await.unwrap();
    loop {
        let mut head = [0; 9];
        soon(stream.read_exact(&mut head)).await.unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        soon(stream.read_exact(&mut payload)).await.unwrap();
        // The first headers; status 200 is the eighth of the static table.
        if head[3] == 1 {
            assert_eq!(payload[0], 0x88);
            break;
        }
    }
    drop(stream);
    place.door.close().await;
}

#[tokio::test]
async fn a_hundred_forms_at_once_on_one_connection_are_a_hundred_forms() {
    let limits = Limits { connections: 200, connections_per_client: 200, ..limits() };
    let place = Place::open(limits).await;
    let mut client = place.connect().await;
    assert!(client.is_served().await);
    assert_eq!(client.requests.current_max_send_streams(), 100);
    let mut answers = Vec::new();
    for n in 0..100 {
        answers.push(client.posted(&format!("to=39{n}&text=a")).await);
    }
    for answer in answers {
        let (status, headers, _) = read(answer).await.unwrap();
        assert_eq!((status, headers.get("connection")), (200, None));
    }
    let mut numbers: Vec<String> = place.door.forms().iter().map(|form| form.to.concat()).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
    place.door.close().await;
}

#[tokio::test]
async fn requests_of_a_client_are_counted_over_its_connections() {
    let place = Place::open(Limits { connections_per_client: 2, ..limits() }).await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let (mut one, mut two) = (place.connect().await, place.connect().await);
    let first = one.posted(FORM).await;
    soon(place.door.recorder.arrived.notified()).await;
    let second = two.posted(FORM).await;
    soon(place.door.recorder.arrived.notified()).await;
    assert_eq!(one.requests.current_max_send_streams(), 2);
    let (status, headers, body) = one.get(get("/healthz")).await;
    assert_eq!((status, body.as_str()), (503, "too many requests at a time from your address\n"));
    assert_eq!(headers["retry-after"], "10");
    place.door.recorder.go.notify_waiters();
    assert_eq!(read(first).await.unwrap().0, 200);
    assert_eq!(read(second).await.unwrap().0, 200);
    assert!(one.is_served().await);
    place.door.close().await;
}

#[tokio::test]
async fn requests_of_all_clients_are_counted() {
    let place = Place::open(Limits { connections: 1, ..limits() }).await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let mut client = place.connect().await;
    let first = client.posted(FORM).await;
    soon(place.door.recorder.arrived.notified()).await;
    let (status, headers, _) = client.get(get("/healthz")).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "10"));
    place.door.recorder.go.notify_one();
    assert_eq!(read(first).await.unwrap().0, 200);
    assert!(client.is_served().await);
    place.door.close().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let place = Place::open(limits()).await;
    let mut client = place.connect().await;
    // RFC 9113 section 6.5.2: each field counts with its name, its value and 32 octets.
    let pseudo =
        [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/healthz")];
    let octets: usize = pseudo.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    let long = |list: usize| {
        let mut request = get("/healthz");
        let value = "x".repeat(list - octets - "x-a".len() - 32);
        request.headers_mut().insert("x-a", value.parse().unwrap());
        request
    };
    // The library takes what is below the limit that it tells clients.
    assert_eq!(client.get(long(16 * 1024 - 1)).await.0, 200);
    assert_eq!(client.get(long(16 * 1024)).await.0, 431);
    let many = |count: usize| {
        let mut request = get("/healthz");
        for _ in 0..count {
            request.headers_mut().append("x-a", "b".parse().unwrap());
        }
        request
    };
    assert_eq!(client.get(many(64)).await.0, 200);
    assert_eq!(client.get(many(65)).await.0, 431);
    assert!(client.is_served().await);
    let mut hosts = get("/healthz");
    hosts.headers_mut().append("host", "a".parse().unwrap());
    hosts.headers_mut().append("host", "b".parse().unwrap());
    assert_eq!(client.get(hosts).await.0, 400);
    assert!(client.is_served().await);
    place.door.close().await;
}

#[tokio::test]
async fn bodies_are_bounded_and_one_that_is_too_large_ends_only_its_request() {
    let place = Place::open(limits()).await;
    let mut client = place.connect().await;
    let text = "x".repeat(1000 - "to=391&text=".len());
    let taken = client.posted(&format!("to=391&text={text}")).await;
    assert_eq!(read(taken).await.unwrap().0, 200);
    let refused = client.posted(&format!("to=391&text={text}y")).await;
    assert_eq!(read(refused).await.unwrap().0, 413);
    // Announced only, and never sent.
    let mut announced = post();
    announced.headers_mut().insert("content-length", "1001".parse().unwrap());
    let (answer, _open) = client.begin(announced, false).await;
    let (status, headers, _) = read(answer).await.unwrap();
    assert_eq!((status, headers.get("connection")), (413, None));
    assert!(client.is_served().await);
    assert_eq!(place.door.forms(), [form(&["391"], &text)]);
    place.door.close().await;
}

#[tokio::test]
async fn a_request_whose_fate_is_unknown_is_reset_and_its_neighbours_are_not() {
    let place = Place::open(Limits { request_time: SOON, ..limits() }).await;
    let mut client = place.connect().await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let lost = client.posted(FORM).await;
    let reset = read(lost).await.unwrap_err();
    assert!(reset.is_reset() && reset.is_remote(), "{reset}");
    assert_eq!(reset.reason(), Some(Reason::INTERNAL_ERROR));
    assert!(client.is_served().await);
    place.door.close().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_408() {
    let place = Place::open(Limits { request_time: SOON, ..limits() }).await;
    let mut client = place.connect().await;
    let (answer, mut stream) = client.begin(post(), false).await;
    stream.send_data(Bytes::from("to=391&te"), false).unwrap();
    assert_eq!(read(answer).await.unwrap().0, 408);
    assert!(client.is_served().await);
    place.door.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let place = Place::open(Limits { request_time: SOON, ..limits() }).await;
    let mut client = place.connect_with(Builder::new().initial_window_size(0)).await;
    let (answer, _) = client.begin(get("/healthz"), true).await;
    let mut body = soon(answer).await.unwrap().into_body();
    let reset = soon(body.data()).await.unwrap().unwrap_err();
    assert!(reset.is_reset() && reset.is_remote(), "{reset}");
    place.door.close().await;
}

#[tokio::test]
async fn shutdown_says_goaway_and_lets_a_request_end() {
    let place = Place::open(limits()).await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let (mut idle, mut busy) = (place.connect().await, place.connect().await);
    assert!(idle.is_served().await);
    let answer = busy.posted(FORM).await;
    soon(place.door.recorder.arrived.notified()).await;
    place.door.shutdown.send(true).unwrap();
    soon(idle.ended).await.unwrap().unwrap();
    assert!(!place.door.running.is_finished());
    place.door.recorder.go.notify_one();
    assert_eq!(read(answer).await.unwrap().0, 200);
    soon(busy.ended).await.unwrap().unwrap();
    assert_eq!(place.door.forms(), [form(&["391"], "a")]);
    soon(place.door.running).await.unwrap();
}

#[tokio::test]
async fn idle_connections_end_whatever_they_say() {
    let place = Place::open(Limits { header_time: SOON, ..limits() }).await;
    let mut served = place.connect().await;
    assert!(served.is_served().await);
    soon(served.ended).await.unwrap().unwrap();
    // One never speaks, the other never hears: it does not answer the ping with which the farewell begins.
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for first in [&b""[..], preface] {
        let config = place.authority.config(&TLS13, &["h2"], None);
        let mut deaf = place.door.shake(config).await.unwrap();
        deaf.write_all(first).await.unwrap();
        let mut octets = Vec::new();
        let _ = soon(deaf.read_to_end(&mut octets)).await;
    }
    place.door.close().await;
}

#[tokio::test]
async fn a_request_under_way_keeps_its_connection() {
    let place = Place::open(Limits { header_time: SOON, ..limits() }).await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let mut client = place.connect().await;
    let answer = client.posted(FORM).await;
    soon(place.door.recorder.arrived.notified()).await;
    // Longer than the connection may idle, by the clock of one that does.
    let mut idle = place.connect().await;
    assert!(idle.is_served().await);
    soon(idle.ended).await.unwrap().unwrap();
    assert!(client.is_served().await, "it was not told to go");
    place.door.recorder.go.notify_one();
    assert_eq!(read(answer).await.unwrap().0, 200);
    place.door.close().await;
}

#[tokio::test]
async fn whoever_opens_and_resets_ten_thousand_streams_is_disconnected() {
    let place = Place::open(limits()).await;
    let mut attacker = place.connect().await;
    let mut neighbour = place.connect().await;
    let mut begun = 0;
    for _ in 0..10_000 {
        if poll_fn(|cx| attacker.requests.poll_ready(cx)).await.is_err() {
            break;
        }
        let Ok((_, mut stream)) = attacker.requests.send_request(post(), false) else { break };
        stream.send_reset(Reason::CANCEL);
        begun += 1;
        if begun % 100 == 0 {
            assert!(neighbour.is_served().await);
        }
    }
    assert!(begun < 10_000, "never disconnected");
    assert!(soon(attacker.ended).await.unwrap().is_err());
    assert!(neighbour.is_served().await);
    assert_eq!(place.door.forms(), []);
    place.door.close().await;
}

#[tokio::test]
async fn whoever_gives_up_one_request_after_the_other_is_disconnected_too() {
    // It is not for idling that it ends.
    let place = Place::open(Limits { header_time: Duration::from_secs(3600), ..limits() }).await;
    place.door.recorder.waits.store(true, Ordering::SeqCst);
    let mut client = place.connect().await;
    let give_up = async |client: &mut Client| {
        let (answer, mut stream) = client.begin(post(), false).await;
        stream.send_data(Bytes::from(FORM), true).unwrap();
        soon(place.door.recorder.arrived.notified()).await;
        stream.send_reset(Reason::CANCEL);
        drop(answer);
    };
    for _ in 0..100 {
        give_up(&mut client).await;
    }
    assert!(client.is_served().await, "a hundred are forgiven");
    give_up(&mut client).await;
    let _ = soon(client.ended).await.unwrap();
    assert!(place.connect().await.is_served().await);
    assert_eq!(place.door.forms(), []);
    place.door.close().await;
}

#[tokio::test]
async fn curl_gets_the_protocol_that_it_asks_for() {
    let place = Place::open(limits()).await;
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority.pem");
    std::fs::write(&authority, place.authority.pem()).unwrap();
    let address = place.door.addresses[3];
    let url = format!("https://localhost:{}/sms", address.port());
    let resolve = format!("localhost:{}:127.0.0.1", address.port());
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let authority = authority.to_str().unwrap();
        let arguments = [
            flag,
            "--cacert",
            authority,
            "--resolve",
            &resolve,
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{http_version}",
            "--data",
            FORM,
            &url,
        ];
        let Some(said) = curl(&arguments).await else { return };
        assert_eq!(said, format!("200 {version}"));
    }
    assert_eq!(place.door.forms().len(), 2);
    place.door.close().await;
}

#[tokio::test]
async fn without_tls_there_is_no_http_2() {
    let place = Place::open(limits()).await;
    let answer = place.door.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    place.door.close().await;
}
