//! Clients behind a proxy: to `gets` the proxy is whoever connects and writes X-Forwarded-For, to `calls` one that
//! writes Forwarded, and `posts` has none.

use sms_relay::http::{Account, Limits};

use super::support::{Door, account, limits, log_lines};

const BODY: &str = "to=391&text=a";

/// One of 192.0.2.0/24, one of 2001:db8::/64.
fn outside() -> Vec<Account> {
    let with = |name: &str, network: &str| Account {
        networks: vec![network.parse().unwrap()],
        ..account(name, Some((name, "secret1")))
    };
    vec![with("v4", "192.0.2.0/24"), with("v6", "2001:db8::/64")]
}

/// The status and text of a form that `user` posts to the listener with this place, with these header lines.
async fn post(
    door: &Door,
    listener: usize,
    lines: &[(&'static str, &str)],
    user: &str,
    password: &str,
) -> (u16, String) {
    let url = format!("http://{}/sms", door.addresses[listener]);
    let mut request = reqwest::Client::new().post(url).basic_auth(user, Some(password)).body(BODY);
    request = request.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The addresses of the clients of the forms so far.
fn clients(door: &Door) -> Vec<String> {
    door.recorder.forms.lock().unwrap().drain(..).map(|(client, _)| client.address.to_string()).collect()
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_names_and_not_whom_the_client_names() {
    let door = Door::with(limits(), outside()).await;
    let named = ("x-forwarded-for", "192.0.2.7");
    for (listener, lines, user) in [
        (1, &[named][..], "v4"),
        (1, &[("x-forwarded-for", "198.51.100.1, 192.0.2.7")], "v4"),
        (1, &[("x-forwarded-for", "198.51.100.1"), named], "v4"),
        (1, &[("x-forwarded-for", "192.0.2.7, 127.0.0.1")], "v4"),
        (1, &[named, ("forwarded", "for=198.51.100.1")], "v4"),
        (2, &[("forwarded", "for=10.9.9.9, for=192.0.2.7;proto=https")], "v4"),
        (2, &[("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "198.51.100.1")], "v4"),
        (2, &[("forwarded", "for=\"[2001:db8::7]:4711\"")], "v6"),
    ] {
        let (status, text) = post(&door, listener, lines, user, "secret1").await;
        assert_eq!(status, 200, "{lines:?} {text}");
        assert_eq!(clients(&door), [if user == "v4" { "192.0.2.7" } else { "2001:db8::7" }], "{lines:?}");
    }
    // Nobody posts from these.
    for (listener, lines, address) in [
        (1, &[("x-forwarded-for", "192.0.2.7, 198.51.100.1")][..], "198.51.100.1"),
        (1, &[("forwarded", "for=192.0.2.7")], "127.0.0.1"),
        (1, &[("x-forwarded-for", "192.0.2.7, unknown")], "127.0.0.1"),
        (2, &[("x-forwarded-for", "192.0.2.7")], "127.0.0.1"),
        (2, &[("forwarded", "for=192.0.2.7, for=_hidden")], "127.0.0.1"),
        (0, &[("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")], "127.0.0.1"),
    ] {
        let (status, text) = post(&door, listener, lines, "v4", "secret1").await;
        let expected = format!("nobody may post from {address}; see the networks of the accounts\n");
        assert_eq!((status, text), (403, expected), "{lines:?}");
    }
    assert_eq!(clients(&door), [""; 0]);
    door.close().await;
}

#[tokio::test]
async fn what_a_proxy_writes_must_be_readable() {
    let door = Door::with(limits(), outside()).await;
    drop(log_lines());
    let (status, text) =
        post(&door, 1, &[("x-forwarded-for", "192.0.2.7, proxy.example")], "v4", "secret1").await;
    let said =
        "the header `x-forwarded-for` cannot be read at `proxy.example`; see the proxy's configuration";
    assert_eq!((status, text), (400, format!("{said}\n")));
    let lines = log_lines();
    assert!(lines.iter().any(|line| line.contains("request refused") && line.contains(said)), "{lines:#?}");
    let (status, _) = post(&door, 2, &[("forwarded", "for=\"192.0.2.7")], "v4", "secret1").await;
    assert_eq!(status, 400);
    // Elsewhere nobody reads it.
    let (status, _) = post(&door, 0, &[("x-forwarded-for", "proxy.example")], "v4", "secret1").await;
    assert_eq!(status, 403);
    assert_eq!(clients(&door), [""; 0]);
    door.close().await;
}

#[tokio::test]
async fn wrong_credentials_behind_a_proxy_are_those_of_their_client() {
    let door = Door::with(Limits { auth_failures: 1, ..limits() }, outside()).await;
    let from = |address: &'static str| [("x-forwarded-for", address)];
    assert_eq!(post(&door, 1, &from("192.0.2.7"), "v4", "wrong").await.0, 401);
    assert_eq!(post(&door, 1, &from("192.0.2.7"), "v4", "secret1").await.0, 429);
    assert_eq!(post(&door, 1, &from("192.0.2.8"), "v4", "secret1").await.0, 200);
    // An IPv6 client is its /64.
    assert_eq!(post(&door, 1, &from("2001:db8::7"), "v6", "wrong").await.0, 401);
    assert_eq!(post(&door, 1, &from("2001:db8::ffff:1"), "v6", "secret1").await.0, 429);
    assert_eq!(clients(&door), ["192.0.2.8"]);
    door.close().await;
}
