//! Request shapes, octet by octet (R36, R54).

use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;

use super::support::{Door, ID, form, undated};

const BODY: &str = "to=391&text=a";

fn request(fields: &str, body: &str) -> String {
    format!("POST /sms HTTP/1.1\r\nHost: relay\r\n{fields}\r\n{body}")
}

/// Sends a request with another one behind it, which must not be served.
async fn refused(fields: &str, body: &str) -> String {
    let door = Door::open().await;
    let next = request(&format!("Content-Length: {}\r\n", BODY.len()), BODY);
    let answer = door.exchange(request(fields, body) + &next).await;
    assert_eq!(door.forms(), [], "{fields:?}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    door.close().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    format!("{} | {body}", head.lines().next().unwrap())
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_is_400_and_the_end() {
    let both = "HTTP/1.1 400 Bad Request | the request has both Content-Length and Transfer-Encoding; send only \
                one of them\n";
    let chunked = "0\r\n\r\n";
    assert_eq!(refused("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked).await, both);
    assert_eq!(refused("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked).await, both);
    // hyper's own answer: without words.
    assert_eq!(
        refused("Content-Length: 13\r\nContent-Length: 14\r\n", BODY).await,
        "HTTP/1.1 400 Bad Request | "
    );
    assert_eq!(
        refused("Content-Length: 13\r\nContent-Length: 13\r\n", BODY).await,
        "HTTP/1.1 400 Bad Request | the request has more than one Content-Length; send one\n"
    );
    assert_eq!(refused("Content-Length: 13, 13\r\n", BODY).await, "HTTP/1.1 400 Bad Request | ");
    assert_eq!(refused("Content-Length: +13\r\n", BODY).await, "HTTP/1.1 400 Bad Request | ");
}

#[tokio::test]
async fn an_encoding_other_than_chunked_is_400_and_the_end() {
    assert_eq!(refused("Transfer-Encoding: gzip\r\n", BODY).await, "HTTP/1.1 400 Bad Request | ");
    let words = "HTTP/1.1 400 Bad Request | Transfer-Encoding is not `chunked`; nothing else is understood\n";
    assert_eq!(refused("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n").await, words);
    assert_eq!(
        refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n").await,
        words
    );
}

#[tokio::test]
async fn damaged_heads_are_400_and_the_end() {
    let length = format!("Content-Length: {}", BODY.len());
    for fields in [
        format!("{length}\r\nX-A : b\r\n"),
        format!("Content-Length : {}\r\n", BODY.len()),
        format!("{length}\r\nX-A: b\0c\r\n"),
        format!("{length}\r\nX\0A: b\r\n"),
        format!("{length}\r\nX-A: b\r\n folded\r\n"),
        format!("{length}\r\nno colon\r\n"),
        format!("{length}\r\nX-A: b\rc\r\n"),
    ] {
        assert_eq!(refused(&fields, BODY).await, "HTTP/1.1 400 Bad Request | ", "{fields:?}");
    }
    assert_eq!(
        refused(&format!("{length}\nX-A: b\r\n"), BODY).await,
        "HTTP/1.1 400 Bad Request | a line of the request head ends without CR; end each with CR LF\n"
    );
}

#[tokio::test]
async fn one_host_is_needed() {
    let two = refused("Host: other\r\nContent-Length: 13\r\n", BODY).await;
    assert_eq!(two, "HTTP/1.1 400 Bad Request | the request has more than one Host header; send one\n");
    let door = Door::open().await;
    let none = door.exchange("GET /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(
        undated(&none),
        "HTTP/1.1 400 Bad Request\n\
         content-type: text/plain; charset=utf-8\n\
         cache-control: no-store\n\
         x-content-type-options: nosniff\n\
         connection: close\n\
         content-length: 56\n\
         \n\
         the request has no Host header, which HTTP/1.1 requires"
    );
    door.close().await;
}

#[tokio::test]
async fn http_1_0_is_served_without_host_and_closed() {
    let door = Door::open().await;
    let head = format!("POST /sms HTTP/1.0\r\nContent-Length: {}\r\n\r\n", BODY.len());
    let answer = door.exchange(head + BODY).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(&format!("\r\n\r\nOK; ID={ID}\n")), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    let chunked = door.exchange("POST /sms HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await;
    assert!(chunked.starts_with("HTTP/1.0 400 ") || chunked.starts_with("HTTP/1.1 400 "), "{chunked}");
    door.close().await;
}

#[tokio::test]
async fn chunked_bodies_are_read_and_end_the_connection() {
    let door = Door::open().await;
    let chunks = "6;x=y\r\nto=391\r\n7\r\n&text=a\r\n0\r\nX-Trailer: z\r\n\r\n";
    let answer = door.exchange(request("Transfer-Encoding: chunked\r\n", chunks)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    door.close().await;
}

#[tokio::test]
async fn damaged_chunks_are_400_and_nothing_is_submitted() {
    let door = Door::open().await;
    for chunks in ["zz\r\nto=391\r\n0\r\n\r\n", "6\r\nto=391&text=a\r\n0\r\n\r\n", "d\nto=391&text=a\n0\n\n"]
    {
        let answer = door.exchange(request("Transfer-Encoding: chunked\r\n", chunks)).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_submits_nothing() {
    let door = Door::open().await;
    let mut raw = door.connect().await;
    raw.send(request("Content-Length: 14\r\n", BODY)).await;
    raw.0.shutdown().await.unwrap();
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("the body ended before its time, or its chunks are damaged\n"), "{answer}");
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let door = Door::open().await;
    let mut raw = door.connect().await;
    raw.send(request("Content-Length: 13\r\nExpect: 100-continue\r\nConnection: close\r\n", "")).await;
    assert_eq!(raw.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send(BODY).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    door.close().await;
}

#[tokio::test]
async fn a_refusal_spares_the_client_the_body_that_it_announced() {
    let door = Door::open().await;
    let answer = door.exchange(request("Content-Length: 1001\r\nExpect: 100-continue\r\n", "")).await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    door.close().await;
}

#[tokio::test]
async fn pipelined_requests_are_served_in_order() {
    let door = Door::open().await;
    let one = |text: &str| {
        let body = format!("to=391&text={text}");
        request(&format!("Content-Length: {}\r\n", body.len()), &body)
    };
    let health = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = door.exchange(one("a") + "\r\n" + &one("b") + &one("c") + health).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{answer}");
    assert!(answer.ends_with("\r\n\r\nalive\n"), "{answer}");
    let texts: Vec<_> = door.forms().into_iter().map(|form| form.text).collect();
    assert_eq!(texts, ["a", "b", "c"]);
    door.close().await;
}

#[tokio::test]
async fn a_refused_request_does_not_stop_the_ones_before_it() {
    let door = Door::open().await;
    let good = request("Content-Length: 13\r\n", BODY);
    let chunks = "d\r\nto=391&text=a\r\n0\r\n\r\n";
    let bad = request("Content-Length: 13\r\nTransfer-Encoding: chunked\r\n", chunks);
    let answer = door.exchange(good.clone() + &bad + &good).await;
    let statuses: Vec<_> = answer.lines().filter(|line| line.starts_with("HTTP/1.1")).collect();
    assert_eq!(statuses, ["HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request"]);
    assert_eq!(door.forms().len(), 1);
    door.close().await;
}

#[tokio::test]
async fn odd_targets_and_methods_are_4xx() {
    let door = Door::open().await;
    for line in
        ["OPTIONS * HTTP/1.1", "CONNECT relay:443 HTTP/1.1", "BREW /sms HTTP/1.1", "GET //sms HTTP/1.1"]
    {
        let answer = door.exchange(format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{line}: {answer}");
    }
    for line in ["GET /", "GET / HTTP/2.0", "\u{1}\u{2} / HTTP/1.1", "GET /a b HTTP/1.1"] {
        let answer = door.exchange(format!("{line}\r\nHost: a\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
    }
    let absolute =
        door.exchange("GET http://a/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(absolute.starts_with("HTTP/1.1 200"), "{absolute}");
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_and_closed_its_side_gets_its_answer() {
    let door = Door::open().await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    let mut raw = door.connect().await;
    raw.send(request("Content-Length: 13\r\n", BODY)).await;
    door.recorder.arrived.notified().await;
    raw.0.shutdown().await.unwrap();
    // Served on another connection: by now the end of the first one has been seen.
    assert_eq!(reqwest::get(door.url("/healthz")).await.unwrap().status(), 200);
    door.recorder.go.notify_one();
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    door.close().await;
}

#[tokio::test]
async fn raw_utf_8_in_a_query_is_taken_and_raw_latin1_is_400() {
    let door = Door::open().await;
    for (text, status) in [(&b"caff\xc3\xa8"[..], "200"), (b"caff\xe8", "400")] {
        let mut raw = door.connect_to_gets().await;
        raw.send(
            [b"GET /sms?to=391&text=", text, b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat(),
        )
        .await;
        let answer = raw.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(door.forms(), [form(&["391"], "caffè")]);
    door.close().await;
}
