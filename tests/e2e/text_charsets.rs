//! Mails in the charsets and forms that senders use, as octets through SMTP to the phone.

use encoding_rs::{ISO_2022_JP, WINDOWS_1252};

use crate::support::{Smtp, Talk, World};

/// What the phone on call gets of subject and text of this mail.
fn received(mail: &[u8]) -> (String, &'static str) {
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"all\"\ntext = \"both\"\n".to_owned();
    let relay = world.start();
    let reply = Talk::greeted(relay.smtp).mail("m@example.com", &["oncall@sms.local"], mail);
    Smtp::queued(&reply);
    world.wait_for_platform("it", |record| record.total() == 1);
    assert!(relay.terminate().success());
    let accepted = world.emulator.accepted().remove(0);
    (accepted.text, accepted.encoding.as_str())
}

#[test]
fn japanese_in_iso_2022_jp() {
    let (text, _, lost) =
        ISO_2022_JP.encode("サーバー1が応答しません。\n原因: ディスクの空き容量がありません");
    assert!(!lost);
    let head = "From: m@example.com\nSubject: =?ISO-2022-JP?B?GyRCPmMzMhsoQg==?=\n\
        MIME-Version: 1.0\nContent-Type: text/plain; charset=ISO-2022-JP\nContent-Transfer-Encoding: 7bit\n\n";
    let expected = "障害\nサーバー1が応答しません。\n原因: ディスクの空き容量がありません";
    assert_eq!(received(&[head.as_bytes(), &*text].concat()), (expected.to_owned(), "ucs2"));
}

#[test]
fn windows_1252_that_nobody_declared() {
    let (mail, _, lost) = WINDOWS_1252.encode(
        "From: m@example.com\nSubject: Température élevée\n\n\
        Salle 3 – il fait “trop chaud” : 41 °C, coût estimé 150 €. Ouvrez les fenêtres…\n",
    );
    assert!(!lost);
    let expected = "Température élevée\n\
        Salle 3 - il fait \"trop chaud\" : 41 C, cout estimé 150 €. Ouvrez les fenetres...";
    assert_eq!(received(&mail), (expected.to_owned(), "gsm7"));
}

#[test]
fn html_alone() {
    let mail = r#"From: m@example.com
Subject: Backup failed
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><head><style>td { color: red }</style><title>Backup</title></head><body>
<div style=3D"display:none">Preview of the mail</div>
<h1>Backup failed</h1><table><tr><td>Host</td><td>db1</td></tr>
<tr><td>Error</td><td>Disk&nbsp;full &amp; read-only</td></tr></table>
<ul><li>/var<li>/srv</ul><script>alert("x")</script>
<p>See the <a href=3D"https://example.com/log">log</a>.</p></body></html>
"#;
    let expected =
        "Backup failed\nBackup failed\nHost db1\nError Disk full & read-only\n- /var\n- /srv\nSee the log.";
    assert_eq!(received(mail.as_bytes()), (expected.to_owned(), "gsm7"));
}
