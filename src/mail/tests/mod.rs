//! Whole mails, one edge each. Line ends are CRLF where it matters and LF elsewhere: both are read.

use proptest::prelude::*;

use super::*;

mod attached;
mod broken;

fn text(mail: &str) -> String {
    read(mail.as_bytes()).text
}

fn subject(value: &str) -> Option<String> {
    read(format!("From: a@example.com\r\nSubject: {value}\r\n\r\nx").as_bytes()).subject
}

/// A multipart of these parts, each with its headers.
fn multipart(subtype: &str, parts: &[&str]) -> String {
    let mut mail =
        format!("MIME-Version: 1.0\nContent-Type: multipart/{subtype}; boundary=\"b 1\"\n\npreamble\n");
    for part in parts {
        mail.push_str("--b 1\n");
        mail.push_str(part);
        mail.push('\n');
    }
    mail.push_str("--b 1--\nepilogue\n");
    mail
}

#[test]
fn a_plain_mail_is_read_whole() {
    let bytes = b"Received: from a\r\nReceived: from b\r\nFrom: =?utf-8?q?Caf=C3=A9?= Alarm <Alarm@example.com>\r\n\
        Message-ID: <1@example.com>\r\nSubject: Temperature\r\n  high\r\n\r\nRoom 1: 41 degrees  \r\n\r\nCheck it.\r\n";
    assert_eq!(
        read(bytes),
        Mail {
            subject: Some("Temperature high".to_owned()),
            text: "Room 1: 41 degrees\n\nCheck it.".to_owned(),
            text_with_links: None,
            attachments: Vec::new(),
            from: Some(HeaderSender {
                address: MailAddress::parse("Alarm@example.com").unwrap(),
                name: Some("Café Alarm".to_owned()),
            }),
            message_id: Some("<1@example.com>".to_owned()),
            automatic: Automatic::No,
            received_count: 2,
            priority: Priority::Normal,
            header_section: 0..150,
            lone_cr: false,
        }
    );
    assert!(bytes[..150].ends_with(b"high\r\n") && bytes[150..].starts_with(b"\r\nRoom"));
}

#[test]
fn nothing_at_all_is_an_empty_mail() {
    for bytes in ["", "\r\n\r\n", "Subject: \r\n\r\n \r\n", "From: a@example.com", "Subject:", "\0"] {
        let mail = read(bytes.as_bytes());
        assert_eq!((mail.subject, mail.text.as_str()), (None, ""), "{bytes:?}");
    }
}

#[test]
fn a_text_without_headers_is_all_text() {
    for whole in ["The door is open", "Alarm: the door is open\nRoom: 1", "Note: a\n\nb", "Straße"] {
        let mail = read(whole.as_bytes());
        assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (None, whole));
        assert_eq!(mail.header_section, 0..0);
    }
}

#[test]
fn headers_alone_are_a_mail_without_text() {
    let mail = read(b"Subject: Disk full\r\nFrom: nas@example.com\r\n");
    assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (Some("Disk full"), ""));
    assert_eq!(mail.header_section, 0..43);
}

#[test]
fn a_missing_blank_line_behind_the_headers_is_put_in() {
    let mail = read(b"Subject: UPS\nFrom: ups@example.com\nThe power is off.\nBattery: 80%\n");
    assert_eq!(mail.subject.as_deref(), Some("UPS"));
    assert_eq!(mail.text, "The power is off.\nBattery: 80%");
}

#[test]
fn an_odd_line_between_headers_does_not_end_them() {
    let mail = read(b"Subject: UPS\nnot a field\nFrom: ups@example.com\n\nThe power is off.\n");
    assert_eq!(mail.from.map(|f| f.address.to_string()).as_deref(), Some("ups@example.com"));
    assert_eq!(mail.text, "The power is off.");
}

#[test]
fn blank_lines_and_mbox_lines_in_front_of_the_headers_are_passed_over() {
    let mail = read(b"\r\n  \r\nSubject: a\r\n\r\nb\r\n");
    assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (Some("a"), "b"));
    assert_eq!(mail.header_section, 6..18);
    let mail = read(b"From root@example.com Mon Jan  1 00:00:00 2024\nSubject: a\n\nb\n");
    assert_eq!((mail.subject.as_deref(), mail.text.as_str()), (Some("a"), "b"));
}

#[test]
fn subjects_are_decoded_onto_one_line() {
    for (value, expected) in [
        ("plain", "plain"),
        ("folded\r\n\tand\r\n   again", "folded and again"),
        ("=?utf-8?B?Q2FmZsOo?=\r\n =?utf-8?Q?_pronto?=", "Caffè pronto"),
        ("=?utf-8?Q?two=0D=0Alines=00?=", "two lines"),
        ("=?utf-8?Q?broken", "broken"),
        ("Straße", "Straße"),
    ] {
        assert_eq!(subject(value).as_deref(), Some(expected), "{value:?}");
    }
    assert_eq!(subject(""), None);
    assert_eq!(subject("=?utf-8?Q?_?="), None);
    assert_eq!(read(b"Subject: Caff\xe8\n\n").subject.as_deref(), Some("Caffè"));
    assert_eq!(read(b"subject : a\nSubject: b\n\n").subject.as_deref(), Some("a"), "the first counts");
}

#[test]
fn transfer_encodings_and_charsets_are_undone() {
    for (headers, body, expected) in [
        (
            "text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            "Caff=C3=A8 =\npronto",
            "Caffè pronto",
        ),
        (
            "text/plain; charset=\"iso-8859-1\"\nContent-Transfer-Encoding: Quoted-Printable",
            "Caff=E8",
            "Caffè",
        ),
        ("text/plain; charset=utf-8\nContent-Transfer-Encoding: BASE64 ", "Q2Fm\nZsOo", "Caffè"),
        ("TEXT/PLAIN; CHARSET=KOI8-R\nContent-Transfer-Encoding: base64", "9NLF18/HwQ==", "Тревога"),
        ("text/plain; charset=utf-8\nContent-Transfer-Encoding: x-unknown", "Caffè", "Caffè"),
        (
            "text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
            "not encoded, in truth",
            "not encoded, in truth",
        ),
        ("text/plain; format=flowed", "one \ntwo\nthree", "one two\nthree"),
        ("nonsense", "readable", "readable"),
    ] {
        assert_eq!(text(&format!("Content-Type: {headers}\n\n{body}\n")), expected, "{headers}");
    }
}

#[test]
fn undeclared_latin_text_is_read_as_windows_1252() {
    assert_eq!(read(b"Subject: x\n\nCaff\xe8 \x80 3\n").text, "Caffè € 3");
    assert_eq!(read(b"Content-Type: text/plain; charset=utf-8\n\nCaff\xe8\n").text, "Caffè");
}

#[test]
fn an_alternative_gives_its_plain_text_and_otherwise_the_last_readable() {
    let plain = "Content-Type: text/plain\n\nplain\n";
    let html = "Content-Type: text/html\n\n<p>html</p>\n";
    assert_eq!(text(&multipart("alternative", &[plain, html])), "plain");
    assert_eq!(text(&multipart("alternative", &[html, plain])), "plain");
    assert_eq!(text(&multipart("alternative", &["Content-Type: text/plain\n\n \n", html])), "html");
    assert_eq!(text(&multipart("alternative", &[plain, "Content-Type: text/plain\n\nbetter\n"])), "better");
    assert_eq!(text(&multipart("alternative", &[html, "Content-Type: text/calendar\n\nBEGIN\n"])), "html");
    let related = multipart("related", &[html, "Content-Type: image/png\n\nxx\n"]).replace("b 1", "inner");
    assert_eq!(text(&multipart("alternative", &[&related])), "html");
    assert_eq!(text(&multipart("alternative", &[plain, &related])), "plain");
}

#[test]
fn the_first_text_of_a_mixed_mail_is_its_text() {
    let one = "Content-Type: text/plain\n\none\n";
    assert_eq!(text(&multipart("mixed", &["\nbare\n", one])), "bare");
    assert_eq!(text(&multipart("mixed", &["Content-Type: image/png\n\nxx\n", one])), "one");
    assert_eq!(text(&multipart("mixed", &["\n \n", one])), "one");
    let inner = multipart("alternative", &[one]).replace("b 1", "inner");
    assert_eq!(text(&multipart("mixed", &[&inner, "Content-Type: text/plain\n\nfooter\n"])), "one");
}

#[test]
fn attachments_and_attached_messages_are_no_text() {
    let attachment =
        "Content-Type: text/plain\nContent-Disposition: Attachment; filename=a.txt\n\nattached\n";
    let message = "Content-Type: message/rfc822\n\nSubject: inner\n\ninner text\n";
    assert_eq!(text(&multipart("mixed", &[attachment, message])), "");
    assert_eq!(text(&multipart("mixed", &[message, "\nown text\n"])), "own text");
    assert_eq!(text(&multipart("digest", &["\nSubject: inner\n\ninner text\n"])), "");
    assert_eq!(text("Content-Type: message/rfc822\n\nSubject: inner\n\ninner text\n"), "");
    let inline = "Content-Type: text/plain; name=a.txt\nContent-Disposition: inline\n\nshown\n";
    assert_eq!(text(&multipart("mixed", &[attachment, inline])), "shown");
}

#[test]
fn an_attached_multipart_does_not_end_the_mail() {
    let inner = multipart("mixed", &["\ninner\n"]).replace("b 1", "inner");
    let message = format!("Content-Type: message/rfc822\n\n{inner}");
    assert_eq!(text(&multipart("mixed", &[&message, "\nown text\n"])), "own text");
}

#[test]
fn a_truncated_multipart_shows_the_text_that_came() {
    let whole =
        multipart("mixed", &["Content-Type: text/plain\n\nThe text.\n", "Content-Type: image/png\n\nxx\n"]);
    for cut in ["--b 1--", "\n--b 1\nContent-Type: image/png", "ext.\n"] {
        let end = whole.find(cut).unwrap();
        let found = text(&whole[..end]);
        assert_eq!(found, if cut == "ext.\n" { "The t" } else { "The text." }, "cut at {cut:?}");
    }
    let inner = "Content-Type: multipart/alternative; boundary=inner\n\n--inner\n\nplain\n";
    let outer = multipart("mixed", &[inner, "\nnext\n"]);
    assert_eq!(text(&outer), "plain", "the outer delimiter ends what the inner one left open");
}

#[test]
fn a_multipart_without_its_boundary_is_text_when_nothing_else_is() {
    assert_eq!(text("Content-Type: multipart/mixed; boundary=gone\n\nThe text.\n"), "The text.");
    assert_eq!(text("Content-Type: multipart/mixed\n\nThe text.\n"), "The text.");
    assert_eq!(text(&multipart("mixed", &[])), "", "its boundary is there, its preamble no text");
    let lost = "Content-Type: multipart/related; boundary=gone\n\nlost\n";
    assert_eq!(text(&multipart("alternative", &["Content-Type: text/html\n\nfound\n", lost])), "found");
}

#[test]
fn delimiters_are_whole_lines() {
    let mail = "Content-Type: multipart/mixed; boundary=b\n\n--b  \n\nx --b\n--bb\n-b\n--b\n\nnext\n--b--\n";
    assert_eq!(text(mail), "x --b\n--bb\n-b");
}

#[test]
fn html_alone_becomes_lines_of_text() {
    let html = "<html><head><title>t</title><style>p{}</style></head><body><!-- c --><p>One &amp; two</p>\n\
        <ul><li>a</li><li>b</li></ul><table><tr><td>Room</td><td>41&nbsp;&deg;C</td></tr></table>x<br>y\
        <script>1</script></body></html>";
    assert_eq!(text(&format!("Content-Type: text/html\n\n{html}")), "One & two\n- a\n- b\nRoom 41 °C\nx\ny");
}

#[test]
fn automatic_mail_is_known_by_its_headers() {
    for (headers, expected) in [
        ("Auto-Submitted: no", Automatic::No),
        ("Auto-Submitted: No (really)", Automatic::No),
        ("Auto-Submitted: auto-replied; owner-email=a", Automatic::AutoSubmitted),
        ("auto-submitted: AUTO-GENERATED", Automatic::AutoSubmitted),
        ("Auto-Submitted:", Automatic::No),
        ("Precedence: bulk", Automatic::Bulk),
        ("Precedence: List", Automatic::Bulk),
        ("precedence: junk", Automatic::Bulk),
        ("Precedence: first-class", Automatic::No),
        ("List-Id: A list <list.example.com>", Automatic::Bulk),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", Automatic::Report),
        ("Content-Type: Multipart/Report;\n boundary=x\nAuto-Submitted: auto-replied", Automatic::Report),
        ("Content-Type: text/plain", Automatic::No),
    ] {
        let mail = read(format!("Subject: x\n{headers}\n\nx").as_bytes());
        assert_eq!(mail.automatic, expected, "{headers}");
        assert_eq!(mail.automatic.reason().is_none(), expected == Automatic::No);
    }
}

#[test]
fn message_ids_have_their_brackets_and_nothing_strange() {
    for (value, expected) in [
        ("<a@b>", Some("<a@b>")),
        (" a@b ", Some("<a@b>")),
        ("\n <a@b> (comment)", Some("<a@b>")),
        ("<a b>", None),
        ("<>", None),
        ("", None),
        ("<a\0b>", None),
    ] {
        let mail = read(format!("Message-ID: {value}\n\nx").as_bytes());
        assert_eq!(mail.message_id.as_deref(), expected, "{value:?}");
    }
    let of_length = |n: usize| read(format!("Message-ID: <{}>\n\n", "a".repeat(n - 2)).as_bytes()).message_id;
    assert!(of_length(998).is_some());
    assert_eq!(of_length(999), None);
}

#[test]
fn senders_are_found_in_every_way_of_writing_them() {
    for (value, address, name) in [
        ("a@example.com", "a@example.com", None),
        ("<a@example.com>", "a@example.com", None),
        ("\"Alarm, Room 1\" <a@example.com>", "a@example.com", Some("Alarm, Room 1")),
        ("a@example.com (Alarm)", "a@example.com", Some("Alarm")),
        ("Group: a@example.com, b@example.com;", "a@example.com", None),
        ("nobody, b@example.com", "b@example.com", None),
        ("=?iso-8859-1?q?Caf=E9?=\n <a@example.com>", "a@example.com", Some("Café")),
    ] {
        let from = read(format!("From: {value}\n\nx").as_bytes()).from.unwrap();
        assert_eq!((from.address.to_string().as_str(), from.name.as_deref()), (address, name), "{value}");
    }
    for value in ["", "nobody", "<>", "root@", "a b <c d>"] {
        assert_eq!(read(format!("From: {value}\n\nx").as_bytes()).from, None, "{value}");
    }
}

/// Inputs made to hurt: each would take minutes, or the stack, if its cost were not linear.
#[test]
fn hostile_mails_are_read_like_others() {
    const N: usize = 100_000;
    let head = "Content-Type: multipart/mixed; boundary=b\n\n";
    let parts = format!("{head}{}--b\n\nfound\n--b--\n", "--b\nContent-Type: image/png\n\nx\n".repeat(N));
    assert_eq!(text(&parts), "found");
    let mut unused = head.to_owned();
    for i in 0..N {
        unused.push_str(&format!("--b\nContent-Type: multipart/mixed; boundary=x{i}\n\n"));
    }
    assert_eq!(text(&format!("{unused}--b\n\nfound\n")), "found");
    let mut nested = String::new();
    for i in 0..N {
        nested.push_str(&format!("Content-Type: multipart/mixed; boundary=x{i}\n\n--x{i}\n"));
    }
    assert_eq!(text(&format!("{nested}\ndeep\n")), "", "nobody nests this deep");
    assert_eq!(text(&format!("{}Subject: x\n\ndeep\n", "Content-Type: message/rfc822\n\n".repeat(N))), "");
    let words = |word: &str| subject(&word.repeat(N)).map_or(0, |s| s.chars().count());
    assert_eq!(words("=?utf-8?q?=C3=A8?=\r\n "), N);
    assert_eq!(words("=?utf-8?q?a"), (N - 1) * "=?utf-8?q?a".len() + 1, "the last may lack its end");
    assert_eq!(words("=?"), N * 2);
    assert_eq!(words("=?utf-8?b?"), N * "=?utf-8?b?".len());
    let fields = format!("Content-Type: text/plain{}\n\nfound\n", "; a*1=x".repeat(N));
    assert_eq!(text(&fields), "found");
    assert_eq!(text(&format!("{}Subject: x\n\nfound\n", "X: y\n".repeat(N))), "found");
    assert_eq!(read(format!("From: {}\n\nfound\n", "(\"<a,@".repeat(N)).as_bytes()).text, "found");
    assert_eq!(text(&format!("Subject: x\n{}", "not a field\n".repeat(N))).lines().count(), N);
}

/// What the fuzz target `extraction` takes for the most.
#[test]
fn a_text_is_at_most_five_times_its_mail() {
    let quotes = "<blockquote type=cite>".repeat(10);
    let head = format!("Content-Type: text/html; charset=windows-1252\n\n{quotes}<pre>");
    let mail = [head.as_bytes(), &b"\x80\n".repeat(10_000)].concat();
    let text = read(&mail).text;
    assert!(text.lines().all(|line| line == "> > > €"));
    assert!(text.len() > 4 * mail.len() && text.len() <= 5 * mail.len(), "{} of {}", text.len(), mail.len());
}

/// Pieces of mails in any order, which get further into the reader than random octets do.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "Subject: ",
        "From: ",
        "Message-ID: <",
        "Content-Type: ",
        "multipart/mixed; boundary=b",
        "text/html",
        "multipart/alternative; boundary=\"b\"",
        "message/rfc822",
        "text/plain; charset=",
        "utf-8",
        "utf-7",
        "hz",
        "iso-2022-kr",
        "utf-32",
        "cp852",
        "; name=",
        "; filename*0*=utf-8''%C3",
        "Content-Disposition: attachment",
        "text/calendar",
        "text/x-unknown",
        "begin 644 a\n",
        "#0V%T\n",
        "end\n",
        "<div hidden>",
        "<p style=\"font-size:0\">",
        "</div>",
        "<td>",
        "<li>",
        "<table>",
        "</table>",
        "<br>",
        "<div>",
        "<blockquote type=cite>",
        "</blockquote>",
        "application/json",
        "image/png",
        "<a href=https://a.example>",
        "</a>",
        "<img alt=x>",
        "&zwnj;",
        "\r",
        "\u{FEFF}",
        "iso-2022-jp",
        "utf-16",
        "gb18030",
        "Content-Transfer-Encoding: ",
        "base64",
        "quoted-printable",
        "--b",
        "--",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "\n\n",
        " ",
        "\t",
        "=?",
        "?=",
        "?q?",
        "?B?",
        "=?utf-8?Q?",
        "=C3",
        "=",
        "=\n",
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<p>",
        "<style>",
        "</style>",
        "<a b=\"",
        "&amp;",
        "&#x110000;",
        "&",
        ";",
        ":",
        ",",
        "@",
        "(",
        ")",
        "\"",
        "\\",
        "*",
        "*0*=''",
        "*1=",
        "%E8",
        "è",
        "a",
        "Zm9v",
        "format=flowed; delsp=yes",
        "> ",
        "-- ",
        "+",
        "-",
        "\u{1B}$B",
        "\0",
    ]);
    let piece = prop_oneof![
        12 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// What every mail keeps to, whatever the octets.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mail = read(bytes);
    prop_assert!(bytes.get(mail.header_section.clone()).is_some());
    prop_assert!(!mail.text.contains(['\r', '\0']));
    if let Some(linked) = &mail.text_with_links {
        prop_assert!(!linked.contains(['\r', '\0']) && *linked != mail.text);
        prop_assert!(linked.lines().all(|line| line.trim_end() == line));
    }
    prop_assert!(mail.attachments.len() <= 100);
    for attachment in &mail.attachments {
        prop_assert!(attachment.media_type.contains('/') && attachment.media_type.len() <= 255);
        if let Some(name) = &attachment.name {
            prop_assert!(!name.trim().is_empty() && name.chars().count() <= 255);
            prop_assert!(!name.contains(char::is_control) && !name.contains(['/', '\\']));
        }
    }
    prop_assert_eq!(mail.text.trim(), &mail.text);
    prop_assert!(mail.text.lines().all(|line| line.trim_end() == line));
    if let Some(subject) = mail.subject {
        prop_assert!(!subject.trim().is_empty() && !subject.contains(char::is_control));
    }
    if let Some(id) = mail.message_id {
        prop_assert!(id.starts_with('<') && id.ends_with('>') && !id.contains(char::is_control));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_octets_give_a_mail(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes)?;
        check(&[b"Subject: x\nContent-Type: text/html\n\n", bytes.as_slice()].concat())?;
        check(&[b"From: ", bytes.as_slice()].concat())?;
        check(&[b"Content-Type: ", bytes.as_slice()].concat())?;
    }

    #[test]
    fn any_pieces_of_mails_give_a_mail(bytes in pieces()) {
        check(&bytes)?;
        check(&[b"Content-Type: multipart/mixed; boundary=b\n\n--b\n", bytes.as_slice()].concat())?;
    }

    #[test]
    fn a_text_survives_every_transfer_encoding(text in "[a-zèж€ =_?\\-]{1,80}(\n[a-zèж€ =_?\\-]{1,80}){0,4}") {
        let expected = super::read(format!("Subject: x\n\n{text}").as_bytes()).text;
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &text);
        let quoted: String = text.bytes().map(|b| if b == b'\n' { "\n".to_owned() } else { format!("={b:02X}") }).collect();
        for (encoding, body) in [("base64", base64), ("quoted-printable", quoted), ("8bit", text.clone())] {
            let mail = format!("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{body}");
            prop_assert_eq!(&super::read(mail.as_bytes()).text, &expected);
        }
    }
}
