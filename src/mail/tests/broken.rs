//! Mails that are not as the standards want them, and are read all the same.

use super::*;

#[test]
fn mails_with_cr_alone_are_read() {
    let mail = read(b"Subject: UPS\rFrom: ups@example.com\r\rThe power is off.\rBattery: 80%\r\n");
    assert_eq!(mail.subject.as_deref(), Some("UPS"));
    assert_eq!(mail.text, "The power is off.\nBattery: 80%");
    assert_eq!(mail.header_section, 0..35);
    assert_eq!(read(b"Subject: a\r\rb").text, "b");
    let stray = read(b"Subject: a\rFrom: x@example.com\r\n\r\nb\r\n");
    assert_eq!(
        (stray.subject.as_deref(), stray.from),
        (Some("a From: x@example.com"), None),
        "no line end there"
    );
}

#[test]
fn marks_and_nuls_are_no_text() {
    let mail = read(b"\xEF\xBB\xBFSubject: a\r\n\r\n\xEF\xBB\xBFb\0c\0\r\n");
    assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (Some("a"), "bc"));
    assert_eq!(mail.header_section, 3..15);
    assert_eq!(read(b"\xEF\xBB\xBFno headers").text, "no headers");
    assert_eq!(read(b"Subject: a\0b\n\nc").subject.as_deref(), Some("a b"));
}

#[test]
fn the_line_end_in_front_of_a_delimiter_is_no_text() {
    let head = "Content-Type: text/plain; charset=utf-16be\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    let octets: Vec<u8> = "Zähler 7".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let with = |before: &str, end: &str| {
        read(&[before.as_bytes(), head.as_bytes(), &octets, end.as_bytes()].concat()).text
    };
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
    for end in ["", "\r\n", "\n"] {
        assert_eq!(with("", end), "Zähler 7", "{end:?}");
        assert_eq!(with(multipart, end), "Zähler 7", "cut off: {end:?}");
    }
    assert_eq!(with(multipart, "\r\n--b--\r\n"), "Zähler 7");
    assert_eq!(with(multipart, "\n--b\n\nnext\n--b--\n"), "Zähler 7");
    assert_eq!(with(multipart, "\r\n\r\n--b--\r\n"), "Zähler 7\u{D0A}", "one line end only");
}

#[test]
fn a_wrong_boundary_is_made_out() {
    let parts = "--real\nContent-Type: text/plain\n\nThe text.\n--real\nContent-Type: image/png; name=a.png\n\nx\n--real--\n";
    for content_type in [
        "multipart/mixed; boundary=wrong",
        "multipart/mixed",
        "multipart/mixed; boundary=\"\"",
        "multipart/mixed; boundary=--real",
    ] {
        let mail = read(format!("Content-Type: {content_type}\n\npreamble\n{parts}").as_bytes());
        assert_eq!(mail.text, "The text.", "{content_type}");
        let png = Attachment { name: Some("a.png".to_owned()), media_type: "image/png".to_owned() };
        assert_eq!(mail.attachments, [png], "{content_type}");
    }
    let text_only = "Content-Type: multipart/mixed; boundary=x\n\n-- \nsignature\n";
    assert_eq!(text(text_only), "-- \nsignature".replace("-- ", "--"));
}

#[test]
fn html_that_is_not_declared_is_read_as_html() {
    assert_eq!(text("Subject: x\n\n<html><body><p>a</p><p>b</p></body></html>"), "a\nb");
    assert_eq!(text("Content-Type: text/plain\n\n \n<!DOCTYPE HTML><b>a</b>"), "a");
    assert_eq!(text("Subject: x\n\n<b>a</b>"), "<b>a</b>");
}

#[test]
fn html_declares_its_charset_when_its_part_does_not() {
    let html = b"<meta charset=windows-1251><p>\xd2\xf0\xe5\xe2\xee\xe3\xe0</p>";
    let mail = |head: &str| read(&[head.as_bytes(), html].concat()).text;
    assert_eq!(mail("Content-Type: text/html\n\n"), "Тревога");
    assert_eq!(mail("Content-Type: text/html; charset=koi8-r\n\n"), "рПЕБНЦЮ");
}

#[test]
fn raw_subjects_are_in_the_charset_of_the_body() {
    let mail = read(
        b"Subject: \xd2\xf0\xe5\xe2\xee\xe3\xe0\nContent-Type: text/plain; charset=windows-1251\n\n\xd2\xf0",
    );
    assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (Some("Тревога"), "Тр"));
}

#[test]
fn names_of_senders_are_decoded_whole() {
    for (value, name) in [
        ("=?utf-8?q?Rossi, Mario?= <a@example.com>", "Rossi, Mario"),
        ("\"=?utf-8?B?Q2FmZsOo?=\" <a@example.com>", "Caffè"),
        ("=?utf-8?B?8J8=?= =?utf-8?B?mIA=?= <a@example.com>", "😀"),
        ("=?cp437?q?27_=F8C?= <a@example.com>", "27 °C"),
        ("a@example.com (=?utf-8?q?Caff=C3=A8?=)", "Caffè"),
    ] {
        let from = read(format!("From: {value}\n\nx").as_bytes()).from.unwrap();
        assert_eq!(
            (from.address.to_string().as_str(), from.name.as_deref()),
            ("a@example.com", Some(name)),
            "{value}"
        );
    }
}

#[test]
fn flowed_text_is_joined_as_its_standard_says() {
    for (format, body, expected) in [
        (
            "flowed",
            "`Take some more tea,\' the March Hare said to Alice, very \nearnestly.\n\n`I\'ve had nothing yet.\'\n",
            "`Take some more tea,' the March Hare said to Alice, very earnestly.\n\n`I've had nothing yet.'",
        ),
        ("flowed; delsp=yes", "https://a.example/ \nlong/ \npath\n", "https://a.example/long/path"),
        ("Flowed; DelSp=Yes", "two  \nwords\n", "two words"),
        ("flowed", "> a \n> b\n>> c \n>> d\ne\n", "> a b\n>> c d\ne"),
        ("flowed", "> a \n\nb\n", "> a\n\nb"),
        ("flowed", " >no quote\n  two spaces\n", ">no quote\n two spaces"),
        ("flowed", "text\n-- \nname \nphone\n", "text\n--\nname phone"),
        ("fixed", "a \nb\n", "a\nb"),
    ] {
        assert_eq!(
            text(&format!("Content-Type: text/plain; format={format}\n\n{body}")),
            expected,
            "{format} {body:?}"
        );
    }
}

#[test]
fn fields_are_found_and_decoded() {
    let section = b"X-Alert: first\n second\nx-alert: other\nX-Encoded: =?utf-8?q?Caff=C3=A8?=\r\n =?utf-8?q?_pronto?=\r\n\
        X-Raw: Caff\xe8\nX-Blank:  \nx-blank: behind it\nX-Nul: a\0b\nX-Spaced : c\n";
    let headers = Headers::new(section);
    for (name, expected) in [
        ("X-Alert", Some("first second")),
        ("x-ALERT", Some("first second")),
        ("X-Encoded", Some("Caffè pronto")),
        ("X-Raw", Some("Caffè")),
        ("X-Blank", Some("behind it")),
        ("X-Nul", Some("a b")),
        ("X-Spaced", Some("c")),
        ("X-Missing", None),
        ("X-Alert:", None),
        ("", None),
    ] {
        assert_eq!(headers.field(name).as_deref(), expected, "{name}");
    }
    assert_eq!(Headers::default().field("Subject"), None);
    let many = "X: y\n".repeat(100_000);
    assert_eq!(Headers::new(many.as_bytes()).field("z"), None);
}

#[test]
fn links_stand_beside_the_text() {
    let html = "<p>Alarm. <a href=\"https://a.example/1\">Details</a></p>";
    let mail = read(format!("Content-Type: text/html\n\n{html}").as_bytes());
    assert_eq!(mail.text, "Alarm. Details");
    assert_eq!(mail.text_with_links.as_deref(), Some("Alarm. Details (https://a.example/1)"));
    let plain = "Content-Type: text/plain\n\nplain\n";
    let both = multipart("alternative", &[plain, &format!("Content-Type: text/html\n\n{html}\n")]);
    assert_eq!(read(both.as_bytes()).text_with_links, None);
}
