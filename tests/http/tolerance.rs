//! What devices do to HTTP and to forms, and what is made of it all the same.

use sms_relay::http::Limits;
use sms_relay::intake::Form;
use tokio::io::AsyncReadExt;

use super::profiles::Relay;
use super::support::{Door, account, form, limits};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn post(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /sms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[track_caller]
fn taken(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn bodies_are_read_whatever_they_are_called_or_not() {
    let door = Door::open().await;
    let multipart =
        "Content-Type: multipart/form-data; boundary=------------------------8f3a7b0c1d2e4f56\r\n";
    // As curl 7.88 writes `-F to=391 -F text=@- -F 'note=x;type=text/plain'`.
    let parts = b"--------------------------8f3a7b0c1d2e4f56\r\n\
        Content-Disposition: form-data; name=\"to\"\r\n\r\n391\r\n\
        --------------------------8f3a7b0c1d2e4f56\r\n\
        Content-Disposition: form-data; name=\"text\"; filename=\"-\"\r\n\
        Content-Type: application/octet-stream\r\n\r\ncaff\xc3\xa8\r\n\
        --------------------------8f3a7b0c1d2e4f56\r\n\
        Content-Disposition: form-data; name=\"note\"\r\n\
        Content-Type: text/plain\r\n\r\nx\r\n\
        --------------------------8f3a7b0c1d2e4f56--\r\n";
    let latin1 = "Content-Type: application/x-www-form-urlencoded; charset=ISO-8859-1\r\n";
    let bodies: [(&str, &[u8]); 9] = [
        (FORM, b"to=391&text=caff%C3%A8"),
        ("", b"to=391&text=caff%C3%A8"),
        ("Content-Type:\r\n", b"to=391&text=caff\xc3\xa8"),
        ("", "{\"to\":\"391\",\"text\":\"caffè\"}".as_bytes()),
        (latin1, b"to=391&text=caff%E8"),
        (latin1, b"to=391&text=caff\xe8"),
        (FORM, b"_charset_=windows-1252&to=391&text=caff%E8"),
        (multipart, parts),
        ("Content-Type: text/plain; charset=utf-8\r\n", b"to=391&text=a"),
    ];
    for (fields, body) in &bodies[..8] {
        taken(&door.exchange(post(fields, body)).await);
    }
    assert_eq!(door.forms(), vec![form(&["391"], "caffè"); 8]);
    let (fields, body) = bodies[8];
    let answer = door.exchange(post(fields, body)).await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    door.close().await;
}

#[tokio::test]
async fn http_1_0_keeps_the_connection_for_who_asks_and_closes_it_for_the_others() {
    let door = Door::open().await;
    let mut raw = door.connect().await;
    for text in ["a", "b"] {
        raw.send(format!(
            "POST /sms HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 13\r\n\r\nto=391&text={text}"
        ))
        .await;
        let head = raw.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        assert!(
            head.contains("\r\nconnection: keep-alive\r\n") && head.contains("\r\ncontent-length: "),
            "{head}"
        );
        raw.until("\n").await;
    }
    raw.send("GET /healthz HTTP/1.0\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n").await;
    let answer = raw.rest().await;
    assert_eq!(answer.matches("HTTP/1.0 200 OK\r\n").count(), 1, "{answer}");
    assert!(answer.ends_with("alive\n"), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a"), form(&["391"], "b")]);
    door.close().await;
}

#[tokio::test]
async fn who_is_refused_by_the_head_alone_is_not_asked_for_the_body() {
    let accounts = vec![account("box", Some(("box", "secret1")))];
    let door = Door::with(limits(), accounts).await;
    let expect = "Expect: 100-continue\r\nContent-Length: 13\r\n";
    for (fields, status) in [
        // box:wrong
        (format!("Authorization: Basic Ym94Ondyb25n\r\n{expect}"), "401"),
        (format!("X-Api-Key: wrong\r\n{expect}"), "401"),
        (format!("X-Api-Key: secret1\r\nContent-Type: text/xml\r\n{expect}"), "415"),
        ("X-Api-Key: secret1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n".to_owned(), "413"),
        (format!("X-Api-Key: secret1\r\nTransfer-Encoding: chunked\r\n{expect}"), "400"),
    ] {
        // No `Connection: close`: the server knows by itself that nobody can tell what comes next.
        let answer = door.exchange(format!("POST /sms HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    for path in ["/nothing", "/v1/messages"] {
        let answer = door.exchange(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{expect}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(door.forms(), []);
    // Who is not refused is asked, also for chunks; who does not wait for it is not harmed.
    let expect = "X-Api-Key: secret1\r\nExpect: 100-Continue\r\n";
    let chunked = format!("POST /sms HTTP/1.1\r\nHost: a\r\n{expect}Transfer-Encoding: chunked\r\n\r\n");
    let mut raw = door.connect().await;
    raw.send(&chunked).await;
    assert_eq!(raw.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("d\r\nto=391&text=a\r\n0\r\n\r\n").await;
    taken(&raw.rest().await);
    let at_once = door.exchange(format!("{chunked}d\r\nto=391&text=b\r\n0\r\n\r\n")).await;
    assert!(at_once.ends_with("\n") && at_once.contains("HTTP/1.1 200 OK\r\n"), "{at_once}");
    assert_eq!(door.forms(), [form(&["391"], "a"), form(&["391"], "b")]);
    door.close().await;
}

#[tokio::test]
async fn chunks_come_with_extensions_and_trailers_in_any_pieces() {
    let door = Door::open().await;
    let head = "POST /sms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks =
        "3;a=b;c=\"d\"\r\nto=\r\n0000A\r\n391&text=a\r\n0;last\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\n";
    taken(&door.exchange(format!("{head}{chunks}")).await);
    let mut raw = door.connect().await;
    for octet in format!("{head}{chunks}").as_bytes() {
        raw.send([*octet]).await;
        tokio::task::yield_now().await;
    }
    taken(&raw.rest().await);
    assert_eq!(door.forms(), vec![form(&["391"], "a"); 2]);
    door.close().await;
}

#[tokio::test]
async fn destinations_are_told_apart_whatever_stands_between_them() {
    let door = Door::open().await;
    let three = ["+391111111", "+392222222", "+393333333"];
    for body in [
        "to=+391111111,+392222222,+393333333",
        "to=+391111111;+392222222;+393333333",
        "to=+391111111 +392222222 +393333333",
        "to=%2B391111111+%2B392222222+%2B393333333",
        "to=+391111111%0A+392222222%0D%0A+393333333",
        "to=+391111111,%20+392222222;+393333333,",
        "to=+391111111&number=+392222222&to=+393333333",
        "to=%20391111111,%20392222222,%20393333333",
    ] {
        taken(&door.exchange(post(FORM, format!("{body}&text=a").as_bytes())).await);
        let forms: Vec<Form> = std::mem::take(&mut *door.recorder.forms.lock().unwrap())
            .into_iter()
            .map(|(_, form)| form)
            .collect();
        assert_eq!(forms, [form(&three, "a")], "{body}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_the_same_however_they_are_written() {
    let relay = Relay::start(&["playsms"], "").await;
    for written in [
        "+393471234567",
        "%2B393471234567",
        "%20393471234567",
        "00393471234567",
        "3471234567",
        "393471234567",
        "%2B39%20347%20123-45-67",
        "0039.347/1234567",
        "%2B39(347)1234567",
    ] {
        let request =
            format!("GET /index.php?app=ws&op=pv&u=box&h=secret&to={written}&msg=a HTTP/1.0\r\n\r\n");
        let answer = relay.exchange(request.as_bytes()).await;
        assert!(
            answer.contains("\"status\":\"OK\"") && answer.contains("\"to\":\"393471234567\""),
            "{written}: {answer}"
        );
    }
    relay.app.stop().await;
}

#[tokio::test]
async fn a_body_behind_a_refusal_is_read_past_or_ends_the_connection() {
    let door = Door::with(Limits { body_octets: 40_000, ..limits() }, vec![account("lab", None)]).await;
    // Refused by the head, with a body that looks like a request.
    let hidden = "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=666&text=a";
    for body in [hidden.to_owned(), format!("{}{hidden}", "x".repeat(30_000))] {
        let mut raw = door.connect().await;
        raw.send(format!(
            "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let head = raw.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 415 "), "{head}");
        raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = raw.0.read_to_end(&mut rest).await;
        let rest = String::from_utf8(rest).unwrap();
        assert!(!rest.contains("HTTP/1.1 ") || rest.ends_with("alive\n"), "{rest}");
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}
