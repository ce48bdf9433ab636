//! Several mails of a client that keeps its connection (lettre), and what becomes of their texts.

use lettre::message::{MultiPart, SinglePart, header::ContentType};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{PoolConfig, SmtpTransportBuilder};
use lettre::{Message, SmtpTransport, Transport as _};
use sms_relay::model::Encoding;

use crate::support::{DOORS, IMPLICIT, PASSWORD, Relay, STARTTLS, USERNAME, World};

#[test]
fn several_mails_over_one_connection_arrive_in_order() {
    let world = World::new();
    let relay = world.start();
    let lettre = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(relay.smtp.port())
        .pool_config(PoolConfig::new().max_size(1))
        .build();
    let mail = || {
        let mail = Message::builder().from("Zähler <meter@example.com>".parse().unwrap());
        mail.to("oncall@sms.local".parse().unwrap()).subject("Wasserstand")
    };
    // 170 characters of the GSM alphabet in two parts, cut to one; and one that is no GSM.
    let long = "Pegel ".repeat(30);
    let mails = [
        mail().body("Der Pegel fällt.".to_owned()).unwrap(),
        mail()
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_HTML)
                    .body("<p>Der <b>Pegel</b><br>steht.</p>".to_owned()),
            )
            .unwrap(),
        mail()
            .multipart(MultiPart::alternative_plain_html("Уровень растёт".to_owned(), "<p>x</p>".to_owned()))
            .unwrap(),
        mail().body(long.repeat(4)).unwrap(),
    ];
    for mail in &mails {
        let reply = lettre.send(mail).unwrap();
        assert!(reply.is_positive(), "{reply:?}");
    }
    world.wait_for_platform("all", |record| record.total() == 4);
    let accepted = world.emulator.accepted();
    let seen: Vec<_> = accepted[..3].iter().map(|sms| (sms.text.as_str(), sms.encoding, sms.parts)).collect();
    let expected = [
        ("Der Pegel fällt.", Encoding::Gsm7, 1),
        ("Der Pegel\nsteht.", Encoding::Gsm7, 1),
        ("Уровень растёт", Encoding::Ucs2, 1),
    ];
    assert_eq!(seen, expected);
    // 720 characters are cut at a word, to three parts of 153 septets with the ellipsis in them.
    let cut = &accepted[3];
    assert_eq!((cut.encoding, cut.parts), (Encoding::Gsm7, 3));
    assert_eq!(cut.text, format!("{}...", "Pegel ".repeat(76).trim_end()));
    assert_eq!(relay.log().iter().filter(|line| line["message"] == "connection opened").count(), 1);
    assert!(relay.terminate().success());
}

/// A transport that speaks as a door does.
fn speaking(door: &str, relay: &Relay, authority: &str) -> SmtpTransportBuilder {
    let authority = Certificate::from_pem(&std::fs::read(authority).unwrap()).unwrap();
    let trust = TlsParameters::builder("localhost".to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(authority)
        .build()
        .unwrap();
    let tls = match door {
        STARTTLS => Tls::Required(trust),
        IMPLICIT => Tls::Wrapper(trust),
        _ => Tls::None,
    };
    SmtpTransport::builder_dangerous("127.0.0.1").port(relay.door(door).port()).tls(tls)
}

fn mail(text: &str) -> Message {
    let mail = Message::builder().from("meter@example.com".parse().unwrap());
    mail.to("oncall@sms.local".parse().unwrap()).subject("Level").body(text.to_owned()).unwrap()
}

#[test]
fn tls_with_and_without_trust() {
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| speaking(door, &relay, authority).build().send(&mail(door));
        trust(&world.authority()).unwrap();
        let error = trust(&world.stranger()).unwrap_err();
        assert!(format!("{error:?}").contains("UnknownIssuer"), "{door}: {error:?}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    let world = World::with_doors("required");
    let relay = world.start();
    let send = |door: &str, mechanism: Mechanism, password: &str, text: &str| {
        let transport = speaking(door, &relay, &world.authority())
            .authentication(vec![mechanism])
            .credentials(Credentials::new(USERNAME.to_owned(), password.to_owned()));
        transport.build().send(&mail(text))
    };
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let text = format!("{door} {mechanism}");
            send(door, mechanism, PASSWORD, &text).unwrap();
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    let error = send(STARTTLS, Mechanism::Plain, "guessed", "x").unwrap_err();
    assert_eq!(error.status().map(|code| code.to_string()).as_deref(), Some("535"), "{error:?}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
