//! Bad form posts are answered with what is wrong, and the pages for supervisors with how it goes.

use std::io::Write;

use crate::support::{Relay, World, run, tool};

/// The status and the text of the answer.
fn curl(relay: &Relay, path: &str, arguments: &[&str]) -> (String, String) {
    let url = format!("http://{}{path}", relay.http);
    let usual = ["--silent", "--show-error", "--write-out", "%{http_code}"];
    let (code, printed) = run("curl", &[&usual[..], arguments, &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    let (text, status) = printed.split_at(printed.len() - 3);
    (status.to_owned(), text.to_owned())
}

fn answer(status: &str, text: &str) -> (String, String) {
    (status.to_owned(), text.to_owned())
}

#[test]
fn every_refusal_says_what_is_wrong() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let user = ["--user", "pbx:swordfish"];
    let post = |fields: &[&str]| curl(&relay, "/sms", &[&user[..], fields].concat());
    let expected = [
        (
            post(&["-d", "to=oncall"]),
            (
                "400",
                "there is no `text`, or it is empty; these names are taken: text, message, msg, body, content\n",
            ),
        ),
        (
            post(&["-d", "to=oncall", "-d", "text="]),
            (
                "400",
                "there is no `text`, or it is empty; these names are taken: text, message, msg, body, content\n",
            ),
        ),
        (
            post(&["-d", "text=x"]),
            (
                "400",
                "there is no `to`, or it is empty; these names are taken: to, number, phone, phone_number, phones, num, dst, recipient\n",
            ),
        ),
        (
            post(&["-d", "to=nobody", "-d", "text=x"]),
            ("400", "`nobody` is not a phone number, and there is no alias of that name\n"),
        ),
        (
            post(&["-d", "to=+447911123456", "-d", "text=x"]),
            (
                "403",
                "destination `+447911123456` is not allowed here; the operator has to allow its prefix\n",
            ),
        ),
        (
            post(&["-d", "to=oncall", "-d", "text=x", "-d", "from=ABCDEFGHIJKL"]),
            ("403", "sender `ABCDEFGHIJKL` has 12 characters; an alphanumeric sender has at most 11\n"),
        ),
        (
            post(&["--json", "{\"to\": [\"oncall\"]"]),
            (
                "400",
                "{\"error\":\"the JSON body cannot be read: EOF while parsing an object at line 1 column 17\"}",
            ),
        ),
        (
            post(&["-H", "Content-Type: text/csv", "-d", "a;b"]),
            (
                "415",
                "the content type `text/csv` is not taken; send application/x-www-form-urlencoded, multipart/form-data or application/json\n",
            ),
        ),
        (
            curl(&relay, "/sms", &["--user", "pbx:sword", "-d", "to=oncall", "-d", "text=x"]),
            ("401", "the user name, password or API key is wrong\n"),
        ),
        (
            curl(&relay, "/sms", &["-d", "to=oncall", "-d", "text=x"]),
            ("401", "a user name and password are needed, or an API key\n"),
        ),
        (curl(&relay, "/", &[]), ("404", "there is nothing here; forms go to /sms\n")),
    ];
    for (found, (status, text)) in expected {
        assert_eq!(found, answer(status, text));
    }
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}

#[test]
fn fifty_megabytes_are_refused() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let path = world.directory.path().join("form");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"to=oncall&text=").unwrap();
    file.set_len(50 * 1024 * 1024).unwrap();
    let data = format!("@{}", path.display());
    let expected = answer("413", "the body is larger than 65536 octets, which is the most that is taken\n");
    let form = ["--user", "pbx:swordfish", "--data-binary", &data];
    assert_eq!(curl(&relay, "/sms", &form), expected);
    // Without its length told beforehand, and without waiting to be asked for the body.
    let chunked = [&form[..], &["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]].concat();
    assert_eq!(curl(&relay, "/sms", &chunked), expected);
    assert_eq!(curl(&relay, "/healthz", &[]), answer("200", "alive\n"));
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}

#[test]
fn get_sends_nothing_where_it_is_not_enabled() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("allow_get = true\n", String::new()));
    let relay = world.start();
    let query = "/sms?user=pbx&password=swordfish&to=oncall&text=x";
    let (status, printed) = curl(&relay, query, &["--include"]);
    assert_eq!(status, "405");
    assert!(printed.to_lowercase().contains("\r\nallow: post\r\n"), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}

#[test]
fn supervisors_are_answered_without_credentials() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    assert_eq!(curl(&relay, "/healthz", &[]), answer("200", "alive\n"));
    assert_eq!(curl(&relay, "/readyz", &[]), answer("200", "ready\n"));
    let json = ["-H", "Accept: application/json"];
    assert_eq!(curl(&relay, "/healthz", &json), answer("200", "{\"alive\":true}"));
    assert_eq!(curl(&relay, "/readyz", &json), answer("200", "{\"ready\":true,\"reasons\":[]}"));
    assert!(relay.terminate().success());
}
