//! Several mails of a client that keeps its connection (lettre), and what becomes of their texts.

use lettre::message::{MultiPart, SinglePart, header::ContentType};
use lettre::transport::smtp::PoolConfig;
use lettre::{Message, SmtpTransport, Transport as _};
use sms_relay::model::Encoding;

use crate::support::World;

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
