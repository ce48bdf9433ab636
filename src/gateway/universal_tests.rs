//! The client against sockets that behave as platforms and networks do.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::model::{
    Cause, DeliveryStatus, Encoding, EnhancedStatus, PhoneNumber, SenderId, SmsOptions, SmsText,
};

const ACCEPTED: &str = r#"{"messageId":"m","simulation":false,"results":{"sms":{"accepted":true,"unicode":true,"parts":3,"reasons":[]}}}"#;

/// What the other side does once it has read the request.
enum Then {
    /// Writes these octets and closes.
    Write(Vec<u8>),
    /// Cuts the connection without a word.
    Reset,
    /// Says nothing until the client has gone.
    Silence,
}

fn http(status: &str, headers: &str, body: &str) -> Then {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    Then::Write(format!("{head}{body}").into_bytes())
}

fn settings(base_url: &str) -> Settings {
    Settings {
        name: "main".to_owned(),
        base_url: base_url.to_owned(),
        credentials: Credentials::ApiKey(Secret::from("k3y-of-the-test")),
        ca_pem: None,
        connect_time: Duration::from_secs(5),
        total_time: Duration::from_secs(10),
    }
}

fn sms() -> Sms {
    Sms {
        id: "01ARZ3NDEKTSV4RRFFQ69G5FAV-1".parse().unwrap(),
        destination: PhoneNumber::from_e164("+393471234567").unwrap(),
        sender: SenderId::new("Alarm").unwrap(),
        text: SmsText { body: "water in the cellar".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
        options: SmsOptions::default(),
    }
}

/// Head and body of one request.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut octets = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => octets.extend_from_slice(&more[..count]),
        }
    }
}

/// A platform for one request on each of its connections; the requests come out of the channel.
async fn platform(answers: Vec<Then>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = mpsc::channel(16);
    tokio::spawn(async move {
        for then in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some(request) = read_request(&mut stream).await else { continue };
            requests.send(request).await.unwrap();
            match then {
                Then::Write(octets) => {
                    // The client may stop reading an answer that is too long.
                    let _ = stream.write_all(&octets).await;
                    let _ = stream.shutdown().await;
                }
                Then::Reset => stream.set_zero_linger().unwrap(),
                Then::Silence => {
                    let _ = stream.read(&mut [0; 1]).await;
                }
            }
        }
    });
    (base_url, received)
}

async fn sent_to(then: Then) -> SendOutcome {
    let (base_url, _requests) = platform(vec![then]).await;
    Universal::new(settings(&base_url)).unwrap().send(&sms()).await
}

async fn asked_of(then: Then) -> StatusOutcome {
    let (base_url, _requests) = platform(vec![then]).await;
    Universal::new(settings(&base_url)).unwrap().status(&sms().id, Channel::Sms).await
}

fn unknown_because(outcome: SendOutcome) -> String {
    match outcome {
        SendOutcome::Unknown(cause) => cause.text,
        SendOutcome::Accepted { .. }
        | SendOutcome::Refused(_)
        | SendOutcome::Later { .. }
        | SendOutcome::GatewayFault(_) => panic!("not unknown: {outcome:?}"),
    }
}

fn later_because(outcome: SendOutcome) -> String {
    match outcome {
        SendOutcome::Later { cause, .. } => cause.text,
        SendOutcome::Accepted { .. }
        | SendOutcome::Refused(_)
        | SendOutcome::Unknown(_)
        | SendOutcome::GatewayFault(_) => panic!("not later: {outcome:?}"),
    }
}

#[tokio::test]
async fn the_request_is_the_contracts_and_carries_the_key_in_its_header_only() {
    let (base_url, mut requests) = platform(vec![http("200 OK", "", ACCEPTED)]).await;
    let gateway = Universal::new(settings(&format!("{base_url}/prefix/"))).unwrap();
    assert_eq!(
        gateway.send(&sms()).await,
        SendOutcome::Accepted { parts: Some(3), unicode: Some(true), platform_id: Some("m".to_owned()) }
    );
    let request = requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    lines.sort_unstable();
    let host = base_url.strip_prefix("http://").unwrap();
    assert_eq!(
        lines,
        [
            "POST /prefix/api/message-server/sms/send HTTP/1.1".to_owned(),
            "accept: application/json".to_owned(),
            "content-length: 120".to_owned(),
            "content-type: application/json".to_owned(),
            format!("host: {host}"),
            concat!("user-agent: sms-relay/", env!("CARGO_PKG_VERSION")).to_owned(),
            "x-api-key: k3y-of-the-test".to_owned(),
        ]
    );
    assert_eq!(
        body,
        r#"{"destination":"+393471234567","sender":"Alarm","body":"water in the cellar","messageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-1"}"#
    );
    assert_eq!(gateway.name(), "main");
    assert_eq!(
        format!("{gateway:?}"),
        format!("Universal {{ name: \"main\", base_url: \"{base_url}/prefix\", .. }}")
    );
}

#[tokio::test]
async fn basic_credentials_are_encoded_as_utf8() {
    let (base_url, mut requests) = platform(vec![http("200 OK", "", r#"{"deliveryStatus":"SENT"}"#)]).await;
    let credentials = Credentials::Basic { username: "relay".to_owned(), password: Secret::from("pä:ss") };
    let gateway = Universal::new(Settings { credentials, ..settings(&base_url) }).unwrap();
    assert_eq!(gateway.status(&sms().id, Channel::Sms).await, StatusOutcome::Known(DeliveryStatus::Sent));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with(
        "GET /api/partner-gateway/v1/messages/status/01ARZ3NDEKTSV4RRFFQ69G5FAV-1?channel=SMS HTTP/1.1\r\n"
    ));
    assert!(request.contains("\r\nauthorization: Basic cmVsYXk6cMOkOnNz\r\n"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_a_fault_of_the_gateway_and_is_not_followed() {
    let (elsewhere, mut called) = platform(vec![http("200 OK", "", ACCEPTED)]).await;
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let outcome = sent_to(http(status, &format!("Location: {elsewhere}/\r\n"), "")).await;
        let code = &status[..3];
        assert_eq!(
            outcome,
            SendOutcome::GatewayFault(
                Cause::new(
                    EnhancedStatus::new(4, 3, 5),
                    format!("the SMS platform points to another address, which is not followed; correct the gateway's base_url (HTTP {code})")
                )
                .with_diagnostic(format!("http {status}"))
            )
        );
    }
    assert!(called.try_recv().is_err(), "the redirect was followed");
}

#[tokio::test]
async fn retry_after_reaches_the_outcome_in_both_forms() {
    let before = Timestamp::now();
    let SendOutcome::Later { until: Some(until), .. } =
        sent_to(http("429 Too Many Requests", "Retry-After: 120\r\n", "")).await
    else {
        panic!("a 429 names a time");
    };
    assert!(
        until >= before + Duration::from_secs(120) && until <= Timestamp::now() + Duration::from_secs(120)
    );
    let date = httpdate::fmt_http_date((before + Duration::from_secs(600)).into());
    let StatusOutcome::CannotTell { until: Some(until), .. } =
        asked_of(http("503 Service Unavailable", &format!("Retry-After: {date}\r\n"), "")).await
    else {
        panic!("a 503 names a time");
    };
    assert_eq!(until.as_second(), (before + Duration::from_secs(600)).as_second());
    let garbage = sent_to(http("429 Too Many Requests", "Retry-After: \u{e9}-5\r\n", "")).await;
    assert!(matches!(garbage, SendOutcome::Later { until: None, .. }));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_it_unknown() {
    let lost = "the SMS platform may have taken the message, but its answer was lost: ";
    assert_eq!(
        unknown_because(sent_to(Then::Reset).await),
        format!("{lost}Connection reset by peer (os error 104)")
    );
    for nothing in ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-"] {
        let text = unknown_because(sent_to(Then::Write(nothing.into())).await);
        assert_eq!(text, format!("{lost}connection closed before message completed"), "{nothing}");
    }
    let text = unknown_because(sent_to(Then::Write(b"\x16\x03\x01 what is this\r\n\r\n".to_vec())).await);
    assert!(text.starts_with(lost), "{text}");
}

#[tokio::test]
async fn a_body_that_is_cut_garbled_or_endless_leaves_it_unknown() {
    let unread = "the SMS platform answered HTTP 200, but its answer could not be read: ";
    let cut = Then::Write(format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{ACCEPTED}").into_bytes());
    assert_eq!(
        unknown_because(sent_to(cut).await),
        format!("{unread}end of file before message length reached")
    );
    let garbled = http("200 OK", "", "\u{0}\u{1}{{{");
    assert_eq!(unknown_because(sent_to(garbled).await), format!("{unread}it is not JSON (line 1 column 1)"));
    let huge = http("200 OK", "", &"x".repeat(10 * 1024 * 1024));
    assert_eq!(unknown_because(sent_to(huge).await), format!("{unread}it has more than 65536 octets"));
}

#[tokio::test]
async fn an_answer_of_64_kib_is_read_and_one_octet_more_is_not() {
    let padded = |length: usize| {
        let padding = length - ACCEPTED.len();
        http("200 OK", "", &format!("{ACCEPTED}{}", " ".repeat(padding)))
    };
    assert!(matches!(sent_to(padded(MAX_ANSWER)).await, SendOutcome::Accepted { .. }));
    unknown_because(sent_to(padded(MAX_ANSWER + 1)).await);
}

#[tokio::test]
async fn silence_after_the_request_leaves_it_unknown_and_a_status_untold() {
    let (base_url, _requests) = platform(vec![Then::Silence, Then::Silence]).await;
    let (connect_time, total_time) = (Duration::from_millis(900), Duration::from_secs(1));
    let gateway = Universal::new(Settings { connect_time, total_time, ..settings(&base_url) }).unwrap();
    assert_eq!(
        unknown_because(gateway.send(&sms()).await),
        "the SMS platform may have taken the message, but its answer was lost: no complete answer within the total time"
    );
    assert_eq!(
        gateway.status(&sms().id, Channel::Sms).await,
        StatusOutcome::CannotTell {
            until: None,
            cause: Cause::new(
                EnhancedStatus::new(4, 4, 2),
                "the SMS platform gave no status: no complete answer within the total time"
            )
        }
    );
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_mean_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        later_because(Universal::new(settings(&base_url)).unwrap().send(&sms()).await),
        "the SMS platform could not be reached: Connection refused (os error 111)"
    );
    // RFC 6761 section 6.4: this name never resolves.
    let nowhere = Universal::new(settings("http://platform.invalid")).unwrap();
    let text = later_because(nowhere.send(&sms()).await);
    assert!(text.starts_with("the SMS platform could not be reached: "), "{text}");
    assert!(matches!(nowhere.status(&sms().id, Channel::Sms).await, StatusOutcome::CannotTell { .. }));
}

#[tokio::test]
async fn a_connection_that_does_not_come_to_stand_in_time_means_later() {
    // Takes the connection and never answers the TLS greeting.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    let ca_pem = Some(include_bytes!("testdata/authority.pem").to_vec());
    let connect_time = Duration::from_millis(100);
    let gateway = Universal::new(Settings { ca_pem, connect_time, ..settings(&base_url) }).unwrap();
    assert_eq!(
        later_because(gateway.send(&sms()).await),
        "the SMS platform could not be reached: no connection within the connect time"
    );
}

#[tokio::test]
async fn plain_http_behind_an_https_address_means_later() {
    let (base_url, _requests) = platform(vec![http("200 OK", "", ACCEPTED)]).await;
    let base_url = base_url.replace("http://", "https://");
    let ca_pem = Some(include_bytes!("testdata/authority.pem").to_vec());
    // The listener waits for a head that never comes; closing is what both sides then do.
    let connect_time = Duration::from_millis(500);
    let gateway = Universal::new(Settings { ca_pem, connect_time, ..settings(&base_url) }).unwrap();
    let text = later_because(gateway.send(&sms()).await);
    assert!(text.starts_with("the SMS platform could not be reached: "), "{text}");
}

/// A platform behind TLS for one connection, with a certificate of the test authority for
/// 127.0.0.1; false comes back when the client did not like it.
fn tls_platform() -> (u16, std::thread::JoinHandle<bool>) {
    use rustls::pki_types::pem::PemObject as _;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate =
        rustls::pki_types::CertificateDer::from_pem_slice(include_bytes!("testdata/server.pem"));
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(include_bytes!("testdata/server.key"));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        let mut request = [0; 4096];
        if stream.read(&mut request).is_err() {
            return false;
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", ACCEPTED.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(ACCEPTED.as_bytes()).unwrap();
        stream.flush().unwrap();
        true
    });
    (port, served)
}

#[tokio::test]
async fn a_given_authority_is_trusted_and_its_name_check_holds() {
    let ca_pem = Some(include_bytes!("testdata/authority.pem").to_vec());
    let (port, served) = tls_platform();
    let right = Settings { ca_pem: ca_pem.clone(), ..settings(&format!("https://127.0.0.1:{port}")) };
    let outcome = Universal::new(right).unwrap().send(&sms()).await;
    assert_eq!(
        outcome,
        SendOutcome::Accepted { parts: Some(3), unicode: Some(true), platform_id: Some("m".to_owned()) }
    );
    assert!(served.join().unwrap());

    let (port, served) = tls_platform();
    let wrong_name = Settings { ca_pem, ..settings(&format!("https://localhost:{port}")) };
    let text = later_because(Universal::new(wrong_name).unwrap().send(&sms()).await);
    assert!(text.contains("certificate not valid for name"), "{text}");
    assert!(!served.join().unwrap());
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_never_trusted() {
    let (port, served) = tls_platform();
    // The leaf is not an authority; the one that signed it is not given.
    let ca_pem = Some(include_bytes!("testdata/stranger.pem").to_vec());
    let gateway =
        Universal::new(Settings { ca_pem, ..settings(&format!("https://127.0.0.1:{port}")) }).unwrap();
    assert_eq!(
        later_because(gateway.send(&sms()).await),
        "the SMS platform could not be reached: invalid peer certificate: UnknownIssuer"
    );
    assert!(!served.join().unwrap());
}

#[tokio::test]
async fn connections_are_kept_and_a_stale_one_is_not_the_end() {
    // Two answers on one connection, which is then closed; the third request needs a new one.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ACCEPTED}", ACCEPTED.len());
        for requests in [2, 1] {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..requests {
                read_request(&mut stream).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let gateway = Universal::new(settings(&base_url)).unwrap();
    for _ in 0..2 {
        assert!(matches!(gateway.send(&sms()).await, SendOutcome::Accepted { .. }));
    }
    // The close may be seen before the third request is written or after it: accepted on a new
    // connection, or unknown; never anything that would send without asking.
    match gateway.send(&sms()).await {
        SendOutcome::Accepted { .. } => {}
        SendOutcome::Unknown(_) => {
            assert!(matches!(gateway.send(&sms()).await, SendOutcome::Accepted { .. }))
        }
        outcome @ (SendOutcome::Refused(_) | SendOutcome::Later { .. } | SendOutcome::GatewayFault(_)) => {
            panic!("{outcome:?}")
        }
    }
    served.await.unwrap();
}

#[test]
fn what_is_wrong_in_the_settings_is_named_without_a_secret() {
    let error = |settings: Settings| {
        let error = Universal::new(settings).unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        error.to_string()
    };
    let url = |base_url: &str| error(settings(base_url));
    let form = "; write it like https://host or https://host:port";
    assert_eq!(
        url("lora-api.example"),
        format!("gateway `main`: base_url is not a URL (relative URL without a base){form}")
    );
    assert_eq!(url("https://"), format!("gateway `main`: base_url is not a URL (empty host){form}"));
    assert_eq!(
        url("ftp://host"),
        format!("gateway `main`: base_url has the scheme `ftp`, not https or http{form}")
    );
    assert_eq!(
        url("https://user:s3cret@host"),
        format!(
            "gateway `main`: base_url contains a user name or password, which belong in the gateway's credentials{form}"
        )
    );
    for odd in ["https://host/?key=s3cret", "https://host/#s3cret"] {
        assert_eq!(
            url(odd),
            format!(
                "gateway `main`: base_url has a `?` or `#`, which an address of an API does not have{form}"
            )
        );
    }
    let key = |key: &str| {
        error(Settings { credentials: Credentials::ApiKey(Secret::from(key)), ..settings("http://host") })
    };
    assert_eq!(key(""), "gateway `main`: the API key is empty");
    assert_eq!(
        key("s3cret\n"),
        "gateway `main`: the API key contains a character that an HTTP header cannot carry (a line end, perhaps)"
    );
    for username in ["", "a:b"] {
        let credentials =
            Credentials::Basic { username: username.to_owned(), password: Secret::from("s3cret") };
        assert_eq!(
            error(Settings { credentials, ..settings("http://host") }),
            "gateway `main`: the user name is empty or contains a colon, which HTTP Basic cannot carry"
        );
    }
    let authority = |pem: &[u8]| error(Settings { ca_pem: Some(pem.to_vec()), ..settings("https://host") });
    assert_eq!(
        authority(b"not a certificate"),
        "gateway `main`: the certificate authority is not usable: there is no certificate in it; give PEM certificates"
    );
    for broken in [
        &b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"[..],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let text = authority(broken);
        assert!(text.starts_with("gateway `main`: the certificate authority is not usable: "), "{text}");
    }
    let times = |connect_time, total_time| {
        Universal::new(Settings { connect_time, total_time, ..settings("http://host") })
    };
    let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
    assert!(times(one, two).is_ok());
    assert_eq!(
        times(one, one).unwrap_err().to_string(),
        "gateway `main`: the connect time 1s must be longer than nothing and shorter than the total time 1s"
    );
    assert!(times(Duration::ZERO, two).is_err());
}
