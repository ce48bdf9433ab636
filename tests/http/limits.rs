//! What a client may use up, at the limit and one beyond (R37).

use std::sync::atomic::Ordering;
use std::time::Duration;

use sms_relay::http::Limits;
use tokio::net::TcpStream;

use super::support::{Door, PATIENCE, Raw, account, form, limits};

const SOON: Duration = Duration::from_millis(300);

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

async fn healthy(door: &Door) {
    assert_eq!(reqwest::get(door.url("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_of_the_limit_is_taken_and_one_octet_more_is_413() {
    let door = Door::open().await;
    let text = "x".repeat(1000 - "to=391&text=".len());
    let taken = door.exchange(post(&format!("to=391&text={text}"))).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    let refused = door.exchange(post(&format!("to=391&text={text}y"))).await;
    assert!(refused.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{refused}");
    assert!(
        refused.ends_with("the body is larger than 1000 octets, which is the most that is taken\n"),
        "{refused}"
    );
    assert_eq!(door.forms(), [form(&["391"], &text)]);
    door.close().await;
}

#[tokio::test]
async fn chunks_are_counted_while_they_arrive() {
    let door = Door::open().await;
    let head = "POST /sms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let text = "x".repeat(1000 - "to=391&text=".len());
    let taken = door.exchange(format!("{head}c\r\nto=391&text=\r\n3dc\r\n{text}\r\n0\r\n\r\n")).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    // No last chunk: the answer does not wait for it.
    let refused = door.exchange(format!("{head}c\r\nto=391&text=\r\n3dd\r\n{text}y\r\n")).await;
    assert!(refused.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{refused}");
    assert_eq!(door.forms().len(), 1);
    door.close().await;
}

#[tokio::test]
async fn a_form_of_50_mb_is_413_even_for_a_client_that_sends_all_of_it_first() {
    let door = Door::open().await;
    let mut raw = door.connect().await;
    let length = 50_000_000;
    raw.send(format!("POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nto=391&text=")).await;
    let block = vec![b'x'; 1_000_000];
    for _ in 0..49 {
        raw.send(&block).await;
    }
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert_eq!(door.forms(), []);
    healthy(&door).await;
    door.close().await;
}

#[tokio::test]
async fn a_head_of_the_limit_is_taken_and_one_octet_more_is_431() {
    let door = Door::open().await;
    let head = |octets: usize| {
        let start = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: ";
        format!("{start}{}\r\n\r\n", "x".repeat(octets - start.len() - 4))
    };
    let taken = door.exchange(head(16 * 1024)).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    let refused = door.exchange(head(16 * 1024 + 1)).await;
    assert!(refused.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{refused}");
    let endless = door.exchange(format!("GET /{}", "x".repeat(100_000))).await;
    assert!(endless.starts_with("HTTP/1.1 431 ") || endless.starts_with("HTTP/1.1 414 "), "{endless}");
    door.close().await;
}

#[tokio::test]
async fn headers_are_counted() {
    let door = Door::open().await;
    let head = |lines: usize| {
        let more = "X-A: b\r\n".repeat(lines - 2);
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n")
    };
    let taken = door.exchange(head(64)).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    let refused = door.exchange(head(65)).await;
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    door.close().await;
}

#[tokio::test]
async fn clients_slow_with_their_head_are_cut_while_others_are_served() {
    let door = Door::with(Limits { header_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    let mut silent = door.connect().await;
    let mut half = door.connect().await;
    half.send("POST /sms HTTP/1.1\r\nHo").await;
    let mut idle = door.connect().await;
    idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(idle.until("alive\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    healthy(&door).await;
    for raw in [&mut silent, &mut half, &mut idle] {
        assert_eq!(raw.rest().await, "");
    }
    healthy(&door).await;
    door.close().await;
}

#[tokio::test]
async fn a_head_that_drips_is_cut_too() {
    let door = Door::with(Limits { header_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    let (mut reading, mut writing) = door.connect().await.0.into_split();
    let drip = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while writing.write_all(b"X").await.is_ok() {
            ticks.tick().await;
        }
    });
    let mut octets = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut octets).await;
    assert_eq!(octets, b"");
    drip.abort();
    door.close().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let door = Door::with(Limits { request_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    let answer = door.exchange("POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=391&").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.ends_with("the body did not arrive within 300ms\n"), "{answer}");
    assert_eq!(door.forms(), []);
    healthy(&door).await;
    door.close().await;
}

#[tokio::test]
async fn a_body_that_drips_is_cut_too() {
    let door = Door::with(Limits { request_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let (mut reading, mut writing) = door.connect().await.0.into_split();
        let drip = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let head = format!("POST /sms HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n");
            writing.write_all(head.as_bytes()).await.unwrap();
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            // A size of a chunk, or what it may be.
            while writing.write_all(b"0").await.is_ok() {
                ticks.tick().await;
            }
        });
        let mut octets = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut octets);
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server closes");
        let answer = String::from_utf8(octets).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
        drip.abort();
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

/// A door for bodies that are larger than those of the other tests.
async fn roomy() -> Door {
    Door::with(Limits { body_octets: 256 * 1024, ..limits() }, vec![account("lab", None)]).await
}

/// The status and the last line of the answer to a body of this type.
async fn answered(door: &Door, target: &str, content_type: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let answer = door
        .exchange(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        ))
        .await;
    let last = answer.lines().last().unwrap_or_else(|| panic!("no answer to {length} octets"));
    (answer[9..12].parse().unwrap(), last.to_owned())
}

#[tokio::test]
async fn fields_are_counted_in_query_form_parts_and_json() {
    let door = roomy().await;
    let urlencoded = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=b";
    let refused = (400, "the request has more than 256 fields".to_owned());
    let query = |fields: usize| format!("/sms?{}", "x=y&".repeat(fields - 2));
    let form = |fields: usize| format!("{}to=391&text=a", "x=y&".repeat(fields - 2));
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = |count: usize| {
        format!("{}{}{}--b--\r\n", part("x", "y").repeat(count - 2), part("to", "391"), part("text", "a"))
    };
    for (target, kind, body) in [
        ("/sms".to_owned(), urlencoded, form(256)),
        (query(256), urlencoded, form(2)),
        ("/sms".to_owned(), multipart, parts(256)),
    ] {
        assert_eq!(answered(&door, &target, kind, &body).await.0, 200, "{target} {kind}");
    }
    for (target, kind, body) in [
        ("/sms".to_owned(), urlencoded, form(257)),
        (query(257), urlencoded, form(2)),
        (query(3), urlencoded, form(256)),
        ("/sms".to_owned(), multipart, parts(257)),
    ] {
        assert_eq!(answered(&door, &target, kind, &body).await, refused, "{target} {kind}");
    }
    let json =
        |members: usize| format!("{{{}\"to\":\"391\",\"text\":\"a\"}}", "\"x\":1,".repeat(members - 2));
    assert_eq!(answered(&door, "/sms", "application/json", &json(256)).await.0, 200);
    assert_eq!(
        answered(&door, "/sms", "application/json", &json(257)).await,
        (
            400,
            "{\"error\":\"the JSON body cannot be read: it must be one object with up to 256 members\"}"
                .to_owned()
        )
    );
    assert_eq!(door.forms().len(), 4);
    door.close().await;
}

#[tokio::test]
async fn a_part_has_up_to_32_headers_of_any_length_that_the_body_may_have() {
    let door = roomy().await;
    let body = |headers: usize, value: &str| {
        let more = format!("X: {value}\r\n").repeat(headers - 1);
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"to\"\r\n{more}\r\n391\r\n\
             --b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\n--b--\r\n"
        )
    };
    let multipart = "multipart/form-data; boundary=b";
    assert_eq!(answered(&door, "/sms", multipart, &body(32, "y")).await.0, 200);
    assert_eq!(answered(&door, "/sms", multipart, &body(33, "y")).await.0, 400);
    let rest = body(2, "").len();
    let most = body(2, &"y".repeat(256 * 1024 - rest));
    assert_eq!(answered(&door, "/sms", multipart, &most).await.0, 200);
    assert_eq!(answered(&door, "/sms", multipart, &format!("{most}x")).await.0, 413);
    // A part whose header does not end, and a boundary that is none.
    let endless =
        format!("--b\r\nContent-Disposition: form-data; name=\"to\"\r\n{}", "X: y\r\n".repeat(9000));
    assert_eq!(answered(&door, "/sms", multipart, &endless).await.0, 400);
    let boundary = format!("multipart/form-data; boundary={}", "b".repeat(5000));
    assert_eq!(answered(&door, "/sms", &boundary, "--b").await.0, 400);
    assert_eq!(door.forms().len(), 2);
    door.close().await;
}

#[tokio::test]
async fn json_is_read_to_a_depth_of_127() {
    let door = roomy().await;
    let json = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!("{{\"to\":\"391\",\"text\":\"a\",\"x\":{open}{close}}}")
    };
    for (path, taken) in [("/sms", 200), ("/v1/messages", 400)] {
        let (status, answer) = answered(&door, path, "application/json", &json(127)).await;
        assert_eq!(status, taken, "{answer}");
        assert!(!answer.contains("recursion"), "{answer}");
        for depth in [128, 100_000] {
            let (status, answer) = answered(&door, path, "application/json", &json(depth)).await;
            assert_eq!(status, 400, "{answer}");
            assert!(answer.contains("recursion limit exceeded"), "{answer}");
        }
    }
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    door.close().await;
}

#[tokio::test]
async fn a_form_whose_fate_is_unknown_gets_no_answer() {
    let door = Door::with(Limits { request_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    assert_eq!(door.exchange(post("to=391&text=a")).await, "");
    door.recorder.waits.store(false, Ordering::SeqCst);
    let answer = door.exchange(post("to=391&text=a")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    door.close().await;
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_cut() {
    let door = Door::with(Limits { request_time: SOON, ..limits() }, vec![account("lab", None)]).await;
    let mut raw = door.connect().await.0;
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    // Goes on until the server, unable to answer, has given up reading and then the connection.
    let written = tokio::time::timeout(Duration::from_secs(20), async {
        while tokio::io::AsyncWriteExt::write_all(&mut raw, request.as_bytes()).await.is_ok() {}
    });
    assert!(written.await.is_ok());
    healthy(&door).await;
    door.close().await;
}

#[tokio::test]
async fn a_client_gets_its_connections_and_503_for_one_more() {
    let door = Door::with(Limits { connections_per_client: 2, ..limits() }, vec![account("lab", None)]).await;
    let mut first = door.connect().await;
    let mut second = door.connect().await;
    for raw in [&mut first, &mut second] {
        raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        raw.until("alive\n").await;
    }
    let third = door.connect().await.rest().await;
    assert_eq!(
        third,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\
         Retry-After: 10\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n\
         too many connections from your address\n"
    );
    first.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    first.rest().await;
    // The place is free once the server has seen the end of the first.
    loop {
        let answer = door.exchange("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200 OK\r\n") {
            break;
        }
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    door.close().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let door = Door::with(Limits { connections: 1, ..limits() }, vec![account("lab", None)]).await;
    let mut first = door.connect().await;
    first.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    first.until("alive\n").await;
    let mut second = door.connect().await;
    second.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let unanswered = tokio::time::timeout(SOON, second.rest()).await;
    assert!(unanswered.is_err(), "served beyond the limit");
    drop(first);
    assert!(second.rest().await.ends_with("alive\n"));
    door.close().await;
}

#[tokio::test]
async fn a_flood_at_one_listener_takes_no_place_at_another() {
    // Nobody's patience ends before that of the test.
    let limits = Limits { connections: 2, header_time: Duration::from_secs(60), ..limits() };
    let door = Door::with(limits, vec![account("lab", None)]).await;
    let mut flood = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw(TcpStream::connect(door.addresses[2]).await.unwrap());
        raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        raw.until("alive\n").await;
        flood.push(raw);
    }
    let mut late = Raw(TcpStream::connect(door.addresses[2]).await.unwrap());
    late.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(tokio::time::timeout(SOON, late.rest()).await.is_err(), "the flooded listener is full");
    let taken = door.exchange(post("to=391&text=On+battery")).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    drop(flood);
    assert!(late.rest().await.ends_with("alive\n"));
    door.close().await;
}

#[tokio::test]
async fn a_client_has_its_connections_at_each_listener() {
    let door = Door::with(Limits { connections_per_client: 1, ..limits() }, vec![account("lab", None)]).await;
    // Callbacks and forms may come from one address: that of a proxy in front of both.
    let mut at_calls = Raw(TcpStream::connect(door.addresses[2]).await.unwrap());
    at_calls.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    at_calls.until("alive\n").await;
    let second = Raw(TcpStream::connect(door.addresses[2]).await.unwrap()).rest().await;
    assert!(second.starts_with("HTTP/1.1 503 "), "{second}");
    let taken = door.exchange(post("to=391&text=On+battery")).await;
    assert!(taken.starts_with("HTTP/1.1 200 OK\r\n"), "{taken}");
    door.close().await;
}
