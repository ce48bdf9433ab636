//! Request lines with a text in them as it is, octet by octet, where an API asks for it and where none does.

use std::time::Duration;

use sms_relay::http::Limits;
use sms_relay::intake::Form;
use sms_relay::profile::Action;
use tokio::io::AsyncWriteExt;

use super::other_gateways::profiles;
use super::profiles::ALL;
use super::support::{Door, Raw, account, form, limits, log_lines};

/// Three APIs: raw lines in UTF-8, raw lines in the charset of old devices, and none.
const OWN: &str = r#"
    [[http.profile]]
    name = "own"
    [http.profile.answers]
    accepted = { body = "TAKEN" }
    refused = { status = 400, body = "REFUSED {{ reason }}" }
    unavailable = { status = 503, body = "LATER" }
    [[http.profile.endpoint]]
    paths = ["/raw", "/süd"]
    raw_request_line = true
    names = { to = "to", text = "text" }
    [[http.profile.endpoint]]
    paths = "/old"
    raw_request_line = true
    charset = "iso-8859-1"
    names = { to = "to", text = "text" }
    [[http.profile.endpoint]]
    paths = "/strict"
    names = { to = "to", text = "text" }
"#;

/// A door whose `posts` speaks them, and whose `gets` does not.
async fn door() -> Door {
    Door::speaking(profiles(&["own"], OWN), vec![account("box", None)]).await
}

/// `line` with what belongs behind it.
fn request(line: &[u8]) -> Vec<u8> {
    [line, b"\r\nHost: a\r\nConnection: close\r\n\r\n"].concat()
}

async fn answers(door: &Door, line: &[u8]) -> String {
    door.exchange(request(line)).await
}

#[track_caller]
fn taken(answer: &str) {
    assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("\r\n\r\nTAKEN"), "{answer}");
}

#[track_caller]
fn refused(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_text_that_was_pasted_into_a_url_is_taken_as_it_was_written() {
    let door = door().await;
    let lines: [(&[u8], &[&str], &str); 9] = [
        (b"GET /raw?to=+39347 1234567&text=Pump down HTTP/1.0", &["+39347 1234567"], "Pump down"),
        ("GET /raw?to=391&text=Pumpe läuft nicht HTTP/1.1".as_bytes(), &["391"], "Pumpe läuft nicht"),
        ("GET /süd?to=391&text=5 € HTTP/1.1".as_bytes(), &["391"], "5 €"),
        (b"GET /old?to=391&text=Pumpe l\xe4uft nicht HTTP/1.1", &["391"], "Pumpe läuft nicht"),
        (b"GET /old?to=391&text=l\xe4uft HTTP/1.1", &["391"], "läuft"),
        (b"GET /raw?to=391&text=Pump #3: 50% {\"x\"} <a|b> HTTP/1.1", &["391"], "Pump #3: 50% {\"x\"} <a|b>"),
        (b"GET /raw?to=391&text=Pump%20#3 HTTP/1.1", &["391"], "Pump #3"),
        (b"GET /raw?to=391&text=GET / HTTP/1.1 failed HTTP/1.1", &["391"], "GET / HTTP/1.1 failed"),
        (b"GET /raw?to=391&text=tail  HTTP/1.1", &["391"], "tail "),
    ];
    let mut forms: Vec<Form> = Vec::new();
    for (line, to, text) in lines {
        taken(&answers(&door, line).await);
        forms.push(form(to, text));
        assert_eq!(door.forms(), forms, "{}", line.escape_ascii());
    }
    door.close().await;
}

#[tokio::test]
async fn octets_that_the_charset_does_not_have_are_refused_by_the_api_itself() {
    let door = door().await;
    let answer = answers(&door, b"GET /raw?to=391&text=l\xe4uft nicht HTTP/1.1").await;
    assert!(
        answer.ends_with(
            "REFUSED `text` is not valid UTF-8; send UTF-8, or declare the charset in Content-Type"
        )
    );
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn without_it_such_a_line_is_400_as_ever() {
    let door = door().await;
    for line in [
        &b"GET /strict?to=391&text=a b HTTP/1.1"[..],
        b"GET /strict?to=391&text=l\xe4uft HTTP/1.1",
        b"GET /strict?to=391&text=Pump%20#3 HTTP/1.1",
        b"GET /raw2?to=391&text=a b HTTP/1.1",
        b"GET /sms?to=391&text=a b HTTP/1.1",
        b"POST /sms?to=391&text=a b HTTP/1.1",
        b"GET http://a/raw?to=391&text=a b HTTP/1.1",
        b"GET  /raw?to=391&text=a b HTTP/1.1",
        b"GET /raw ?to=391&text=a b HTTP/1.1",
        b"PUT /raw?to=391&text=a b HTTP/1.1",
        b"GET /raw?to=391&text=a b",
        b"GET /raw?to=391&text=a b HTTP/1.1 ",
        b"GET /raw?to=391&text=a b HTTP/3.1",
        b"GET /raw?to=391&text=a\0b c HTTP/1.1",
        b"GET /raw?to=391&text=a\tb c HTTP/1.1",
        b"GET /raw?to=391&text=a\rb c HTTP/1.1",
        b"GET /raw?to=391&text=a b HTTP/1.1\r",
    ] {
        refused(&answers(&door, line).await);
    }
    refused(&door.exchange("GET /raw?to=391&text=a b HTTP/1.1\nHost: a\nConnection: close\n\n").await);
    // What hyper takes by itself is as before.
    taken(&answers(&door, "GET /strict?to=391&text=läuft HTTP/1.1".as_bytes()).await);
    // A listener that takes `/sms` from URLs takes it from such lines, too.
    for line in [&b"GET /sms?to=391&text=a b HTTP/1.1"[..], b"GET /sms?to=391&text=Pump%20#3 HTTP/1.1"] {
        let mut gets = door.connect_to_gets().await;
        gets.send(request(line)).await;
        let answer = gets.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let texts = ["läuft", "a b", "Pump #3"];
    assert_eq!(door.forms(), texts.map(|text| form(&["391"], text)));
    door.close().await;
}

#[tokio::test]
async fn pipelined_requests_are_each_read_by_their_own_line_in_any_pieces() {
    let door = door().await;
    let hidden = "GET /raw?to=666 hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let stream = format!(
        "GET /raw?to=391&text=a b HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /raw?to=392 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\ntext={hidden}\
         \r\nPOST /raw?to=393&text=c d HTTP/1.1\r\nX: {}\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
         GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /raw?to=394&text=e f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "text=".len() + hidden.len(),
        hidden.lines().next().unwrap(),
    );
    let expected = [
        form(&["391"], "a b"),
        form(&["392"], hidden.replace("\r\n", "\n").as_str()),
        form(&["393"], "c d"),
        form(&["394"], "e f"),
    ];
    for piece in [stream.len(), 1, 7, 64] {
        let mut raw = door.connect().await;
        for octets in stream.as_bytes().chunks(piece) {
            raw.send(octets).await;
            tokio::task::yield_now().await;
        }
        let answer = raw.rest().await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 5, "{piece}: {answer}");
        assert_eq!(std::mem::take(&mut *door.recorder.forms.lock().unwrap()).len(), 4, "{piece}");
    }
    door.exchange(&stream).await;
    assert_eq!(door.forms(), expected);
    door.close().await;
}

#[tokio::test]
async fn a_raw_line_hides_no_request() {
    let door = door().await;
    let line = "POST /raw?to=391&text=a b HTTP/1.1\r\nHost: a\r\n";
    let next = "GET /raw?to=666&text=x HTTP/1.1\r\nHost: a\r\n\r\n";
    refused(
        &door
            .exchange(format!("{line}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"))
            .await,
    );
    refused(&door.exchange(format!("{line}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc{next}")).await);
    let chunked = door.exchange(format!("{line}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}")).await;
    assert_eq!(chunked.matches("HTTP/1.1 ").count(), 1, "{chunked}");
    taken(&chunked);
    assert_eq!(door.forms(), [form(&["391"], "a b")]);
    door.close().await;
}

#[tokio::test]
async fn the_head_has_its_limit_with_what_was_raw_encoded() {
    let door = door().await;
    let line = |octets: usize, raw: &str| {
        let rest = "GET /raw?to=391&text= HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".len();
        format!("GET /raw?to=391&text={raw}{} HTTP/1.1", "x".repeat(octets - rest - 3 * raw.len()))
    };
    for raw in ["", " ", "ä"] {
        taken(&answers(&door, line(16 * 1024, raw).as_bytes()).await);
        let beyond = answers(&door, line(16 * 1024 + 1, raw).as_bytes()).await;
        assert!(beyond.starts_with("HTTP/1.1 431 "), "{beyond}");
    }
    // Longer than what is looked at at all.
    let beyond = answers(&door, line(40_000, " ").as_bytes()).await;
    assert!(beyond.starts_with("HTTP/1.1 4"), "{beyond}");
    let mut endless = door.connect().await;
    let _ = endless.0.write_all(&[b"GET /raw?text=", &b"x y ".repeat(25_000)[..]].concat()).await;
    let answer = endless.rest().await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(door.forms().len(), 3);
    door.close().await;
}

#[tokio::test]
async fn a_line_that_does_not_end_is_cut_like_any_other() {
    let short = Limits { header_time: Duration::from_millis(300), ..limits() };
    let door = Door::speaking_within(short, profiles(&["own"], OWN), vec![account("box", None)]).await;
    let mut half = door.connect().await;
    half.send("GET /raw?to=391&text=a b").await;
    let mut idle = door.connect().await;
    idle.send("GET /raw?to=391&text=a b HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.until("TAKEN").await;
    idle.send("GET /raw?to=391&text=c d").await;
    for raw in [&mut half, &mut idle] {
        assert_eq!(raw.rest().await, "");
    }
    // And one whose end comes first is as incomplete as it was.
    let mut left = door.connect().await;
    left.send("GET /raw?to=391&text=a b HTTP/1.1").await;
    left.0.shutdown().await.unwrap();
    let answer = left.rest().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a b")]);
    door.close().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_at_once() {
    let door = door().await;
    // No end of a line, and the connection stays open: an answer comes all the same.
    for octets in [&b"\x16\x03\x01\x02\x00\x01"[..], b"EHLO a\r\n", b"GET /raw?a\0", b"GET /raw?a\rb"] {
        let mut raw: Raw = door.connect().await;
        raw.send(octets).await;
        refused(&raw.rest().await);
    }
    door.close().await;
}

#[tokio::test]
async fn the_apis_that_are_built_in_take_such_lines_where_they_take_a_get() {
    let speaking = profiles(&ALL, OWN);
    let sends = speaking.iter().flat_map(|profile| &profile.endpoints).filter(|endpoint| {
        endpoint.action == Action::Send && endpoint.methods.get && !endpoint.reading.hex_text
    });
    for endpoint in sends {
        assert!(endpoint.reading.raw_request_line, "{:?}", endpoint.paths);
    }
    let door = Door::speaking(speaking, vec![account("box", Some(("box", "secret")))]).await;
    log_lines();
    for target in [
        "/http/sendmsg?user=box&password=secret&to=39347123456&text=Pumpe läuft nicht",
        "/http/send-message?username=box&password=secret&to=39347123456&message=Pumpe läuft nicht",
        "/send?username=box&password=secret&to=39347123456&content=Pumpe läuft nicht",
        "/cgi-bin/sendsms?username=box&password=secret&to=39347123456&text=Pumpe läuft nicht",
        "/?User=box&Password=secret&PhoneNumber=39347123456&Text=Pumpe läuft nicht",
        "/api?action=sendmessage&username=box&password=secret&recipient=39347123456&messagedata=Pumpe läuft nicht",
        "/http_api/send_sms?login=box&pass=secret&to=39347123456&message=Pumpe läuft nicht",
        "/http_api/send_togroup?login=box&pass=secret&groupname=39347123456&message=Pumpe läuft nicht",
        "/index.php?app=ws&op=pv&u=box&h=secret&to=39347123456&msg=Pumpe läuft nicht",
        "/prtg?user=box&password=secret&to=39347123456&text=Pumpe läuft nicht",
        "/qnap?user=box&password=secret&to=39347123456&text=Pumpe läuft nicht",
        "/synology?user=box&password=secret&to=39347123456&text=Pumpe läuft nicht",
        "/cgi-bin/sms_send?username=box&password=secret&number=39347123456&text=Pumpe läuft nicht",
    ] {
        let answer = answers(&door, format!("GET {target} HTTP/1.1").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 20"), "{target}: {answer}");
        assert_eq!(door.forms().last().unwrap().text, "Pumpe läuft nicht", "{target}");
    }
    for line in log_lines().iter().filter(|line| line.contains("sms_relay")) {
        assert!(!line.contains("secret") && !line.contains("39347") && !line.contains("Pumpe"), "{line}");
    }
    door.close().await;
}
