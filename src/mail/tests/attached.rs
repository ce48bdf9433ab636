//! What comes along with a text: named, bounded, and never taken for it.

use super::*;

fn attached(mail: &str) -> Vec<(Option<String>, String)> {
    read(mail.as_bytes()).attachments.into_iter().map(|a| (a.name, a.media_type)).collect()
}

fn check(mail: &str, expected_text: &str, expected: &[(Option<&str>, &str)]) {
    assert_eq!(text(mail), expected_text, "{mail}");
    let found = attached(mail);
    let found: Vec<_> =
        found.iter().map(|(name, media_type)| (name.as_deref(), media_type.as_str())).collect();
    assert_eq!(found, expected, "{mail}");
}

#[test]
fn everything_beside_the_text_is_named() {
    let parts = [
        "Content-Type: text/plain\n\nThe text.\n",
        "Content-Type: APPLICATION/PDF; name=old.pdf\nContent-Disposition: attachment; filename=\"=?utf-8?Q?Caff=C3=A8.pdf?=\"\n\nxx\n",
        "Content-Type: image/png; name=\"C:\\Temp\\chart.png\"\n\nxx\n",
        "Content-Type: text/plain\nContent-Disposition: attachment; filename*=utf-8''log%20%C3%A8.txt\n\nlog\n",
        "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n",
        "Content-Type: message/rfc822\n\nSubject: inner\n\ninner\n",
        "Content-Type: text/plain\n\nA list footer.\n",
        "Content-Type: text/plain\n\n\n",
        "Content-Disposition: attachment\n\nundeclared\n",
        "Content-Type: strange; name=x\nContent-Disposition: attachment\n\nx\n",
    ];
    check(
        &multipart("mixed", &parts),
        "The text.",
        &[
            (Some("Caffè.pdf"), "application/pdf"),
            (Some("chart.png"), "image/png"),
            (Some("log è.txt"), "text/plain"),
            (None, "text/calendar"),
            (None, "message/rfc822"),
            (None, "text/plain"),
            (None, "text/plain"),
            (Some("x"), "application/octet-stream"),
        ],
    );
}

#[test]
fn other_versions_of_the_text_do_not_come_along() {
    let plain = "Content-Type: text/plain\n\nplain\n";
    let html = "Content-Type: text/html\n\n<p>html</p>\n";
    let image = "Content-Type: image/png; name=logo.png\n\nxx\n";
    let related = multipart("related", &[html, image]).replace("b 1", "inner");
    let calendar = "Content-Type: text/calendar\n\nBEGIN\n";
    check(&multipart("alternative", &[plain, html]), "plain", &[]);
    check(
        &multipart("alternative", &[plain, "Content-Type: text/x-amp-html\n\n<p>amp</p>\n", html]),
        "plain",
        &[],
    );
    check(&multipart("alternative", &[plain, &related]), "plain", &[(Some("logo.png"), "image/png")]);
    check(&multipart("alternative", &[plain, html, calendar]), "plain", &[(None, "text/calendar")]);
    check(&multipart("alternative", &[html, "Content-Type: text/plain\n\n \n"]), "html", &[]);
    let two = ["Content-Type: text/html\n\n<p>first</p>\n", html, "Content-Type: text/html\n\n<br>\n"];
    check(&multipart("alternative", &two), "html", &[]);
}

#[test]
fn a_mail_that_is_an_attachment_has_no_text() {
    check(
        "Content-Type: application/pdf; name=scan.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n",
        "",
        &[(Some("scan.pdf"), "application/pdf")],
    );
    check("Content-Type: message/rfc822\n\nSubject: inner\n\ninner\n", "", &[(None, "message/rfc822")]);
    for never in [
        "text/calendar",
        "text/css",
        "text/x-vcard",
        "text/rfc822-headers",
        "message/delivery-status",
        "message/disposition-notification",
        "application/jsonp",
        "image/svg+xml",
    ] {
        check(&format!("Content-Type: {never}\n\nraw\n"), "", &[(None, never)]);
    }
    check(&multipart("digest", &["\nSubject: a\n\na\n"]), "", &[(None, "message/rfc822")]);
}

#[test]
fn a_report_shows_what_it_says_to_people() {
    let parts = [
        "Content-Type: text/plain\n\nYour mail could not be delivered.\n",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\nAction: failed\n",
        "Content-Type: text/rfc822-headers\n\nSubject: x\n",
    ];
    check(
        &multipart("report", &parts),
        "Your mail could not be delivered.",
        &[(None, "message/delivery-status"), (None, "text/rfc822-headers")],
    );
    check(
        &multipart("report", &parts[1..]),
        "",
        &[(None, "message/delivery-status"), (None, "text/rfc822-headers")],
    );
}

#[test]
fn unknown_types_of_text_are_read_when_there_is_no_other() {
    check("Content-Type: text/x-log\n\na  b\n", "a  b", &[]);
    check("Content-Type: text/enriched\n\n<bold>a</bold> &lt;\n", "a <", &[]);
    check(
        &multipart("mixed", &["Content-Type: text/x-log\n\nlog\n", "Content-Type: text/plain\n\nplain\n"]),
        "plain",
        &[(None, "text/x-log")],
    );
}

#[test]
fn data_is_read_when_there_is_nothing_else() {
    let json = "{\"status\":\"firing\"}";
    for data in [
        "application/json",
        "Application/JSON; name=a.json",
        "application/ld+json",
        "text/json",
        "application/xml",
        "text/xml",
    ] {
        check(&format!("Content-Type: {data}\n\n{json}\n"), json, &[]);
    }
    check("Content-Type: application/xhtml+xml\n\n<p>a</p>\n", "a", &[]);
    check(
        "Content-Type: application/json\nContent-Disposition: attachment\n\n{}\n",
        "",
        &[(None, "application/json")],
    );
    let part = format!("Content-Type: application/json\n\n{json}\n");
    let blank = "Content-Type: text/plain\n\n \n";
    check(&multipart("mixed", &[blank, &part]), json, &[]);
    for before in ["Content-Type: text/plain\n\na\n", "Content-Type: text/x-log\n\na\n"] {
        let listed = (None, "application/json");
        check(&multipart("mixed", &[&part, before]), "a", &[listed]);
        check(&multipart("alternative", &[before, &part]), "a", &[listed]);
    }
    let file = "Content-Type: application/json; name=a.json\n\n{}\n";
    check(&multipart("mixed", &[blank, file]), "", &[(Some("a.json"), "application/json")]);
}

#[test]
fn words_go_on_below_a_picture() {
    let above = "Content-Type: text/plain\n\nabove\n";
    let below = "Content-Type: text/plain; format=flowed\n\nbelow \n it\n";
    let picture = "Content-Type: image/jpeg; name=a.jpg\nContent-Disposition: inline; filename=a.jpg\n\nx\n";
    let undeclared = "Content-Type: Image/PNG\n\nx\n";
    let jpeg = (Some("a.jpg"), "image/jpeg");
    let png = (None, "image/png");
    let plain = (None, "text/plain");
    check(&multipart("mixed", &[above, picture, below]), "above\nbelow it", &[jpeg]);
    check(
        &multipart("mixed", &[undeclared, above, undeclared, picture, below, picture, "\nend\n"]),
        "above\nbelow it\nend",
        &[png, png, jpeg, jpeg],
    );
    check(
        &multipart("mixed", &[above, picture, "\n \n", undeclared, below]),
        "above\nbelow it",
        &[jpeg, png],
    );
    let html = |words: &str| format!("Content-Type: text/html\n\n<p>{words}</p>\n");
    let link = "<a href=https://a.example>b</a>";
    let mail = multipart("mixed", &[&html("a"), picture, &html(link), picture, &html("c")]);
    check(&mail, "a\nb\nc", &[jpeg, jpeg]);
    assert_eq!(read(mail.as_bytes()).text_with_links.as_deref(), Some("a\nb (https://a.example)\nc"));
    let inner = multipart("mixed", &[&html("a"), picture, &html("b")]).replace("b 1", "inner");
    check(&multipart("alternative", &[above, &inner]), "above", &[jpeg]);
    check(&multipart("alternative", &[&inner]), "a\nb", &[jpeg]);

    // These are not words of the same writer.
    let pdf = "Content-Type: application/pdf\n\nx\n";
    let saved = "Content-Type: image/jpeg\nContent-Disposition: attachment; filename=a.jpg\n\nx\n";
    let log = "Content-Type: text/plain; name=a.log\n\nlog\n";
    let kept = "Content-Type: text/plain\nContent-Disposition: attachment\n\nlog\n";
    check(&multipart("mixed", &[above, below, picture, below]), "above", &[plain, jpeg, plain]);
    check(&multipart("mixed", &[above, pdf, below]), "above", &[(None, "application/pdf"), plain]);
    check(
        &multipart("mixed", &[above, picture, pdf, below]),
        "above",
        &[jpeg, (None, "application/pdf"), plain],
    );
    check(&multipart("mixed", &[above, saved, below]), "above", &[jpeg, plain]);
    check(&multipart("mixed", &[above, picture, below, below]), "above\nbelow it", &[jpeg, plain]);
    check(&multipart("mixed", &[above, picture, log]), "above", &[jpeg, (Some("a.log"), "text/plain")]);
    check(&multipart("mixed", &[above, picture, kept]), "above", &[jpeg, plain]);
    check(&multipart("mixed", &[above, picture, &html("b")]), "above", &[jpeg, (None, "text/html")]);
    check(&multipart("mixed", &[above, picture, "\n<html><p>b</p></html>\n"]), "above", &[jpeg, plain]);
    let alternative = multipart("alternative", &[above, &html("a")]).replace("b 1", "inner");
    check(&multipart("mixed", &[&alternative, picture, below]), "above", &[jpeg, plain]);
    check(&multipart("mixed", &[above, picture, &alternative]), "above", &[jpeg]);
    check(&multipart("mixed", &[above, picture, kept, picture, below]), "above", &[jpeg, plain, jpeg, plain]);
}

#[test]
fn uuencoded_files_are_cut_out() {
    let block = "begin 644 C:\\cat.txt\n#0V%T\n`\nend\n";
    let file = (Some("cat.txt"), "application/octet-stream");
    check(&format!("Subject: x\n\nA\n{block}B\n{block}"), "A\nB", &[file, file]);
    check(&format!("Subject: x\n\n{block}"), "", &[file]);
    let image = "Content-Type: image/png\n\nx\n";
    check(
        &multipart("mixed", &[image, &format!("\nA\n{block}"), image]),
        "A",
        &[(None, "image/png"), file, (None, "image/png")],
    );
}

#[test]
fn at_most_a_hundred_are_kept() {
    let of = |n: usize| attached(&multipart("mixed", &vec!["Content-Type: image/png\n\nx\n"; n])).len();
    assert_eq!((of(100), of(101)), (100, 100));
    let files =
        |n: usize| attached(&format!("Subject: x\n\n{}", "begin 644 a\n#0V%T\nend\n".repeat(n))).len();
    assert_eq!((files(100), files(101)), (100, 100));
}

#[test]
fn many_attachments_cost_what_they_weigh() {
    const N: usize = 100_000;
    let head = "Content-Type: multipart/mixed; boundary=b\n\n";
    let part = "--b\nContent-Disposition: attachment; filename=a.txt\n\nx\n";
    assert_eq!(attached(&format!("{head}{}", part.repeat(N))).len(), 100);
    assert_eq!(attached(&format!("{head}{}", "--b\n\n \n".repeat(N))).len(), 0);
    let alternative = "Content-Type: multipart/alternative; boundary=b\n\n";
    assert_eq!(
        attached(&format!("{alternative}{}", "--b\nContent-Type: text/html\n\n<br>\n".repeat(N))).len(),
        0
    );
    let starts = format!("Subject: x\n\n{}", "begin 644 a\n".repeat(N));
    assert_eq!(text(&starts).lines().count(), N);
    let mut nested = String::new();
    for i in 0..10_000 {
        nested.push_str(&format!("Content-Type: multipart/alternative; boundary=x{i}\n\n--x{i}\n"));
    }
    assert_eq!(attached(&nested), []);
}
