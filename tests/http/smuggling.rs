//! Requests whose length or end can be read in two ways: each is refused, and nothing behind it is served; or it can be read
//! in one way only.

use super::support::{Door, form};

/// What follows each of them, and must never be served where it was refused.
const HIDDEN: &str = "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=666&text=x";
const CHUNKS: &str = "d\r\nto=391&text=a\r\n0\r\n\r\n";

/// How one of them is answered: the statuses in order.
async fn statuses(door: &Door, request: &str) -> Vec<String> {
    let answer = door.exchange(format!("{request}{HIDDEN}")).await;
    let lines = answer.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line[..3].to_owned()).collect()
}

async fn refused(name: &str, request: &str) {
    let door = Door::open().await;
    assert_eq!(statuses(&door, request).await, ["400"], "{name}");
    assert_eq!(door.forms(), [], "{name}");
    door.close().await;
}

#[tokio::test]
async fn heads_with_two_readings_are_400_and_the_end() {
    let heads: [(&str, &str); 28] = [
        ("CL.TE", "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n"),
        ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 13\r\n"),
        ("TE.CL, empty length", "Transfer-Encoding: chunked\r\nContent-Length:\r\n"),
        ("TE.CL0", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
        ("CL.CL equal", "Content-Length: 13\r\nContent-Length: 13\r\n"),
        ("CL.CL different", "Content-Length: 13\r\nContent-Length: 0\r\n"),
        ("CL list", "Content-Length: 13, 13\r\n"),
        ("CL sign", "Content-Length: +13\r\n"),
        ("CL negative", "Content-Length: -1\r\n"),
        ("CL hexadecimal", "Content-Length: 0xd\r\n"),
        ("CL point", "Content-Length: 13.0\r\n"),
        ("CL inner space", "Content-Length: 1 3\r\n"),
        ("CL too large", "Content-Length: 18446744073709551616\r\n"),
        ("CL empty", "Content-Length:\r\n"),
        ("TE x", "Transfer-Encoding: xchunked\r\n"),
        ("TE quoted", "Transfer-Encoding: \"chunked\"\r\n"),
        ("TE identity", "Transfer-Encoding: identity\r\n"),
        ("TE chunked, identity", "Transfer-Encoding: chunked, identity\r\n"),
        ("TE identity, chunked", "Transfer-Encoding: identity, chunked\r\n"),
        ("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
        ("TE vertical tab", "Transfer-Encoding: \u{b}chunked\r\n"),
        ("TE long s", "Transfer-Encoding: chunked\u{17f}\r\n"),
        ("TE parameter", "Transfer-Encoding: chunked;x=y\r\n"),
        ("TE empty", "Transfer-Encoding:\r\n"),
        ("TE space before the colon", "Transfer-Encoding : chunked\r\n"),
        ("TE tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
        ("TE control character in the name", "Transfer-Encoding\u{1}: chunked\r\n"),
        ("TE folded", "Transfer-Encoding:\r\n chunked\r\n"),
    ];
    for (name, fields) in heads {
        refused(name, &format!("POST /sms HTTP/1.1\r\nHost: a\r\n{fields}\r\n{CHUNKS}")).await;
    }
}

#[tokio::test]
async fn lines_with_two_ends_are_400_and_the_end() {
    let length = "Content-Length: 13\r\n";
    for (name, request) in [
        (
            "TE behind a bare LF",
            format!("POST /sms HTTP/1.1\r\nHost: a\r\n{length}X: y\nTransfer-Encoding: chunked\r\n\r\n"),
        ),
        (
            "TE behind a bare CR",
            format!("POST /sms HTTP/1.1\r\nHost: a\r\n{length}X: y\rTransfer-Encoding: chunked\r\n\r\n"),
        ),
        (
            "folded behind another",
            format!("POST /sms HTTP/1.1\r\nHost: a\r\n{length}X: y\r\n Transfer-Encoding: chunked\r\n\r\n"),
        ),
        ("folded first", format!("POST /sms HTTP/1.1\r\n Host: a\r\n{length}\r\n")),
        ("end by LF LF", format!("POST /sms HTTP/1.1\r\nHost: a\r\n{}\n\n", length.trim_end())),
        ("end by LF CR LF", format!("POST /sms HTTP/1.1\r\nHost: a\r\n{}\n\r\n", length.trim_end())),
        ("request line by LF", format!("POST /sms HTTP/1.1\nHost: a\r\n{length}\r\n")),
        ("request line by CR", format!("POST /sms HTTP/1.1\rHost: a\r\n{length}\r\n")),
        ("CR before the line", format!("\rPOST /sms HTTP/1.1\r\nHost: a\r\n{length}\r\n")),
        ("space before the line", format!(" POST /sms HTTP/1.1\r\nHost: a\r\n{length}\r\n")),
        ("tab in the line", format!("POST\t/sms HTTP/1.1\r\nHost: a\r\n{length}\r\n")),
        ("two spaces in the line", format!("POST  /sms HTTP/1.1\r\nHost: a\r\n{length}\r\n")),
        ("no version", format!("POST /sms\r\nHost: a\r\n{length}\r\n")),
        ("another version", format!("POST /sms HTTP/1.2\r\nHost: a\r\n{length}\r\n")),
        ("NUL in a value", format!("POST /sms HTTP/1.1\r\nHost: a\r\nX: \0\r\n{length}\r\n")),
        ("no colon", format!("POST /sms HTTP/1.1\r\nHost: a\r\n{length}X\r\n\r\n")),
        ("no name", format!("POST /sms HTTP/1.1\r\nHost: a\r\n{length}: x\r\n\r\n")),
        ("two hosts", format!("POST /sms HTTP/1.1\r\nHost: a\r\nHost: b\r\n{length}\r\n")),
        ("list of hosts", format!("POST /sms HTTP/1.1\r\nHost: a, b\r\n{length}\r\n")),
    ] {
        refused(name, &format!("{request}to=391&text=a")).await;
    }
}

#[tokio::test]
async fn chunks_with_two_readings_are_400_and_the_end() {
    let long = "x".repeat(20_000);
    let many = "X: y\r\n".repeat(1000);
    for (name, chunks) in [
        ("size beyond 64 bits", "1000000000000000d\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("largest size and one", "ffffffffffffffff1\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("sign", "+d\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("negative", "-d\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("prefix", "0xd\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("space first", " d\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("underscore", "0_d\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("no size", "\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("bare LF behind the size", "d\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("bare CR behind the size", "d\rto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("bare LF behind an extension", "d;a\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("no end of the data", "d\r\nto=391&text=a0\r\n\r\n".to_owned()),
        ("bare LF behind the data", "d\r\nto=391&text=a\n0\r\n\r\n".to_owned()),
        ("more data than told", "c\r\nto=391&text=a\r\n0\r\n\r\n".to_owned()),
        ("endless extension", format!("d;{long}\r\nto=391&text=a\r\n0\r\n\r\n")),
        ("endless trailer", format!("d\r\nto=391&text=a\r\n0\r\nX: {long}\r\n\r\n")),
        ("many trailers", format!("d\r\nto=391&text=a\r\n0\r\n{many}\r\n")),
    ] {
        let head = "POST /sms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(name, &format!("{head}{chunks}")).await;
    }
}

#[tokio::test]
async fn what_can_be_read_in_one_way_only_is_served_as_what_it_is() {
    let body = "to=391&text=a";
    let close = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (name, request, status) in [
        (
            "underscore",
            "POST /sms HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 13\r\n\r\n",
            "200",
        ),
        (
            "another name",
            "POST /sms HTTP/1.1\r\nHost: a\r\nX-Content-Length: 1\r\nContent-Length: 13\r\n\r\n",
            "200",
        ),
        ("zeros", "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 00013\r\n\r\n", "200"),
        ("absolute", "POST http://a/sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n", "200"),
        ("absolute of another", "POST http://b/sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n", "200"),
        (
            "upgrade",
            "POST /sms HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 13\r\n\r\n",
            "200",
        ),
        ("GET with a body", "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n", "200"),
        ("host and port", "GET a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n", "404"),
        ("asterisk", "POST * HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n", "404"),
    ] {
        let door = Door::open().await;
        let answer = door.exchange(format!("{request}{body}{close}")).await;
        let statuses: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
        assert!(statuses[0].starts_with(status), "{name}: {answer}");
        assert_eq!(statuses[1..], ["200 OK"], "{name}: {answer}");
        assert!(answer.ends_with("alive\n"), "{name}: {answer}");
        let forms = if request.starts_with("POST /sms") || name.starts_with("absolute") { 1 } else { 0 };
        assert_eq!(door.forms(), vec![form(&["391"], "a"); forms], "{name}");
        door.close().await;
    }
    for line in ["CONNECT a:80 HTTP/1.1", "CONNECT /sms HTTP/1.1"] {
        let door = Door::open().await;
        let answer = door.exchange(format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n{HIDDEN}")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{line}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{line}: {answer}");
        assert_eq!(door.forms(), []);
        door.close().await;
    }
}
