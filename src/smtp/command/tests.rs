//! Command lines as clients send them, and worse.

use proptest::prelude::*;

use super::*;
use secrecy::ExposeSecret as _;

/// Nothing is forgiven.
const STRICT: Profile = Profile {
    bare_addresses: false,
    stray_spaces: false,
    any_hello_name: false,
    empty_hello: false,
    ..Profile::APPLIANCE
};

fn reply(line: &[u8]) -> String {
    match parse(line, &STRICT) {
        Ok(command) => format!("{command:?}"),
        Err(error) => match error.status() {
            (code, Some(enhanced)) => format!("{code} {enhanced} {error}"),
            (code, None) => format!("{code} {error}"),
        },
    }
}

fn mail_of(line: &str) -> MailFrom {
    match parse(line.as_bytes(), &STRICT) {
        Ok(Command::Mail(mail)) => mail,
        other => panic!("{line}: {other:?}"),
    }
}

fn rcpt_of(line: &str) -> RcptTo {
    match parse(line.as_bytes(), &STRICT) {
        Ok(Command::Rcpt(rcpt)) => rcpt,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn verbs_in_any_case_with_white_space_behind() {
    let table: [(&[u8], &str); 16] = [
        (b"EHLO x.it", "Ehlo(Some(\"x.it\"))"),
        (b"ehlo [192.0.2.1]", "Ehlo(Some(\"[192.0.2.1]\"))"),
        (b"HeLo x \t ", "Helo(Some(\"x\"))"),
        (b"DATA", "Data"),
        (b"data  ", "Data"),
        (b"RSET\t", "Rset"),
        (b"NOOP", "Noop"),
        (b"noop whatever <this> is", "Noop"),
        (b"HELP", "Help"),
        (b"HELP MAIL", "Help"),
        (b"VRFY ops", "Vrfy"),
        (b"quit", "Quit"),
        (b"VRFY", "501 5.5.4 syntax: VRFY name"),
        (b"DATA now", "501 5.5.4 syntax: DATA takes no argument"),
        (b"RSET all", "501 5.5.4 syntax: RSET takes no argument"),
        (b"QUIT now", "501 5.5.4 syntax: QUIT takes no argument"),
    ];
    for (line, expected) in table {
        assert_eq!(reply(line), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn what_is_no_command_gets_its_code() {
    let control =
        "500 5.5.2 a command cannot contain control characters; lines end with CR LF and nothing else";
    let table: [(&[u8], &str); 21] = [
        (b"", "500 5.5.1 unknown command; try HELP"),
        (b"   ", "500 5.5.1 unknown command; try HELP"),
        (b"TURN", "500 5.5.1 unknown command; try HELP"),
        (b" NOOP", "500 5.5.1 unknown command; try HELP"),
        (b"MAILFROM:<a@x>", "500 5.5.1 unknown command; try HELP"),
        (b"EXPN list", "502 5.5.1 EXPN is not offered here"),
        (b"GET / HTTP/1.1", "421 4.7.0 this port speaks SMTP, not HTTP"),
        (b"POST /sms HTTP/1.0\nHost: x", "421 4.7.0 this port speaks SMTP, not HTTP"),
        (b"NOOP\nMAIL FROM:<a@x>", control),
        (b"NOOP\rMAIL FROM:<a@x>", control),
        (b"MAIL FROM:<a\r@x>", control),
        (b"MAIL FROM:<a@x>\n", control),
        (b"MAIL FROM:<a@x>\r", control),
        (b"NO\0OP", control),
        (b"NOOP \x1b[2J", control),
        (b"NOOP \x7f", control),
        (b"NOOP a\tb", control),
        (b"MAIL FROM:<\xff@x>", "500 5.5.2 a command can contain ASCII and UTF-8 only"),
        (b"\xc3\xa9", "500 5.5.1 unknown command; try HELP"),
        (b"EHLO", "501 EHLO needs the client's domain name or [address]"),
        (b"HELO my_host", "501 HELO needs the client's domain name or [address]"),
    ];
    for (line, expected) in table {
        assert_eq!(reply(line), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn mail_with_all_its_parameters() {
    let mail =
        mail_of("mail from:<ups@x.it>  size=1000 BODY=8bitmime smtputf8 ret=hdrs EnvId=QQ314+2Bx+20y ");
    assert_eq!(mail.reverse_path.to_string(), "<ups@x.it>");
    assert_eq!(mail.size, Some(1000));
    assert!(mail.smtputf8);
    assert_eq!(mail.ret, Some(Ret::Headers));
    assert_eq!(mail.envid.as_deref(), Some("QQ314+x y"));
    let mail = mail_of("MAIL FROM:<> BODY=7BIT RET=FULL");
    let expected = MailFrom {
        reverse_path: ReversePath::Null,
        size: None,
        ret: Some(Ret::Full),
        envid: None,
        smtputf8: false,
    };
    assert_eq!(mail, expected);
}

#[test]
fn rcpt_with_all_its_parameters() {
    let rcpt = rcpt_of("rcpt to:<a@x> notify=success,Delay ORCPT=rfc822;Bob+2BSms@x.it");
    assert_eq!(rcpt.notify, Notify::On { success: true, failure: false, delay: true });
    let orcpt = Orcpt { kind: "rfc822".to_owned(), address: "Bob+Sms@x.it".to_owned() };
    assert_eq!(rcpt.orcpt, Some(orcpt));
    let rcpt = rcpt_of("RCPT TO:<Postmaster>");
    assert_eq!(rcpt, RcptTo { recipient: ForwardPath::Postmaster, notify: Notify::Unspecified, orcpt: None });
    assert_eq!(rcpt_of("RCPT TO:<a@x> NOTIFY=never").notify, Notify::Never);
    let orcpt = rcpt_of("RCPT TO:<a@x> ORCPT=utf-8;ü@x").orcpt.unwrap();
    assert_eq!(orcpt.address, "ü@x");
}

#[test]
fn wrong_parameters_get_their_code() {
    let form = "501 5.5.4 parameters follow the address after a space and look like NAME or NAME=value";
    let size = "501 5.5.4 SIZE needs a number of octets";
    let envid = "501 5.5.4 ENVID needs up to 100 octets of xtext (RFC 3461)";
    let auth = "501 5.5.4 AUTH needs <> or up to 500 octets of xtext (RFC 4954)";
    let table = [
        ("MAIL FROM:<a@x>SIZE=1", form),
        ("MAIL FROM:<a@x> =1", form),
        ("MAIL FROM:<a@x> SIZE=", form),
        ("MAIL FROM:<a@x> SIZE=1=2", form),
        ("MAIL FROM:<a@x> -A", form),
        ("MAIL FROM:<a@x> <b@x>", form),
        ("MAIL FROM:<a@x> SIZE", size),
        ("MAIL FROM:<a@x> SIZE=-1", size),
        ("MAIL FROM:<a@x> SIZE=+1", size),
        ("MAIL FROM:<a@x> SIZE=1k", size),
        ("MAIL FROM:<a@x> SIZE=18446744073709551616", size),
        ("MAIL FROM:<a@x> SIZE=000000000000000000001", size),
        ("MAIL FROM:<a@x> SIZE=1 size=1", "501 5.5.4 the parameter SIZE stands there twice"),
        ("MAIL FROM:<a@x> SMTPUTF8 SMTPUTF8", "501 5.5.4 the parameter SMTPUTF8 stands there twice"),
        ("MAIL FROM:<a@x> SMTPUTF8=YES", "501 5.5.4 SMTPUTF8 takes no value"),
        ("MAIL FROM:<a@x> BODY=9BIT", "501 5.5.4 BODY is 7BIT or 8BITMIME"),
        ("MAIL FROM:<a@x> BODY", "501 5.5.4 BODY is 7BIT or 8BITMIME"),
        ("MAIL FROM:<a@x> BODY=BINARYMIME", "504 5.5.4 BODY=BINARYMIME is not offered here"),
        ("MAIL FROM:<a@x> RET=SOME", "501 5.5.4 RET is FULL or HDRS"),
        ("MAIL FROM:<a@x> ENVID=a+2bc", envid),
        ("MAIL FROM:<a@x> ENVID=a+0Ab", envid),
        ("MAIL FROM:<a@x> ENVID=a+", envid),
        ("MAIL FROM:<a@x> ENVID=ü", envid),
        ("MAIL FROM:<a@x> ENVID", envid),
        ("MAIL FROM:<a@x> AUTH", auth),
        ("MAIL FROM:<a@x> AUTH=a+2bb@x", auth),
        ("MAIL FROM:<a@x> AUTH=a+0D+0Ab", auth),
        ("MAIL FROM:<a@x> AUTH=<> AUTH=<>", "501 5.5.4 the parameter AUTH stands there twice"),
        ("RCPT TO:<a@x> AUTH=<>", "555 5.5.4 the parameter AUTH is unknown"),
        ("MAIL FROM:<a@x> NOTIFY=NEVER", "555 5.5.4 the parameter NOTIFY is unknown"),
        ("RCPT TO:<a@x> SIZE=1", "555 5.5.4 the parameter SIZE is unknown"),
        ("RCPT TO:<a@x> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4 the parameter NOTIFY stands there twice"),
    ];
    for (line, expected) in table {
        assert_eq!(reply(line.as_bytes()), expected, "{line}");
    }
    for value in ["", "=", "=NEVER,FAILURE", "=SOON", "=SUCCESS,SUCCESS"] {
        let (code, _) =
            parse(format!("RCPT TO:<a@x> NOTIFY{value}").as_bytes(), &STRICT).unwrap_err().status();
        assert_eq!(code, 501, "NOTIFY{value}");
    }
    for value in ["", "=", "=rfc822", "=;a", "=rfc822;", "=rf c;a", "=rfc822;ü", "=rfc822;a+00", "=r=;a"] {
        let (code, _) =
            parse(format!("RCPT TO:<a@x> ORCPT{value}").as_bytes(), &STRICT).unwrap_err().status();
        assert_eq!(code, 501, "ORCPT{value}");
    }
}

#[test]
fn syntax_of_the_paths_gets_501() {
    let from =
        "501 5.1.7 the address must stand in angle brackets right behind the colon, like <name@domain>";
    let table = [
        ("MAIL", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
        ("MAIL <a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
        ("MAIL  FROM:<a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
        ("MAIL FROM <a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
        ("RCPT FROM:<a@x>", "501 5.5.4 syntax: RCPT TO:<name@domain>"),
        ("MAIL FROM:", from),
        ("MAIL FROM:a@x", from),
        ("MAIL FROM: <a@x>", from),
        ("RCPT TO:<>", "501 5.1.3 a recipient cannot be empty"),
        ("RCPT TO:<ops>", "501 5.1.3 the address needs an @ and a domain"),
    ];
    for (line, expected) in table {
        assert_eq!(reply(line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn limits_at_n_and_n_plus_one() {
    assert_eq!(mail_of("MAIL FROM:<> SIZE=18446744073709551615").size, Some(u64::MAX));
    let envid = |octets| format!("MAIL FROM:<> ENVID={}", "e".repeat(octets));
    assert_eq!(mail_of(&envid(100)).envid.unwrap().len(), 100);
    assert!(parse(envid(101).as_bytes(), &STRICT).is_err());
    let orcpt = |octets: usize| format!("RCPT TO:<a@x> ORCPT=rfc822;{}", "o".repeat(octets - 7));
    assert_eq!(rcpt_of(&orcpt(500)).orcpt.unwrap().address.len(), 493);
    assert!(parse(orcpt(501).as_bytes(), &STRICT).is_err());
}

#[test]
fn starttls_takes_nothing() {
    assert_eq!(reply(b"starttls "), "StartTls");
    assert_eq!(reply(b"STARTTLS now"), "501 5.5.4 syntax: STARTTLS takes no argument");
}

#[test]
fn auth_names_a_mechanism_and_may_bring_its_first_response() {
    let initial_of = |line: &str| match parse(line.as_bytes(), &STRICT) {
        Ok(Command::Auth { mechanism, initial }) => {
            format!("{mechanism} {}", initial.as_ref().map_or("-", |secret| secret.expose_secret()))
        }
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(initial_of("AUTH LOGIN"), "LOGIN -");
    assert_eq!(initial_of("auth Cram-MD5  "), "CRAM-MD5 -");
    assert_eq!(initial_of("AUTH PLAIN ="), "PLAIN =");
    assert_eq!(initial_of("AUTH plain AHVwcwBQYXNzMQ=="), "PLAIN AHVwcwBQYXNzMQ==");
    let longest = "x".repeat(12_000);
    assert_eq!(initial_of(&format!("AUTH EXTERNAL {longest}")), format!("EXTERNAL {longest}"));
    assert_eq!(initial_of("AUTH ABCDEFGHIJKLMNOPQR-_"), "ABCDEFGHIJKLMNOPQR-_ -");
    let wrong = ["AUTH", "AUTH ", "AUTH PLAIN a b", "AUTH PLÄIN", "AUTH A=B", "AUTH ABCDEFGHIJKLMNOPQRST1"];
    for line in wrong {
        assert_eq!(reply(line.as_bytes()), "501 5.5.4 syntax: AUTH mechanism [initial-response]", "{line}");
    }
}

#[test]
fn credentials_are_not_shown() {
    let shown = reply(b"AUTH PLAIN AHVwcwBQYXNzMQ==");
    assert!(
        shown.starts_with("Auth { mechanism: \"PLAIN\", initial: Some(") && !shown.contains("AHVw"),
        "{shown}"
    );
}

#[test]
fn bdat_says_how_many_octets_follow() {
    let table = [
        ("BDAT 10", "Bdat { octets: 10, last: false }"),
        ("bdat 0 last", "Bdat { octets: 0, last: true }"),
        ("BDAT 00000000000000000010 LAST ", "Bdat { octets: 10, last: true }"),
        ("BDAT 18446744073709551615", "Bdat { octets: 18446744073709551615, last: false }"),
    ];
    for (line, expected) in table {
        assert_eq!(reply(line.as_bytes()), expected);
    }
    let wrong = [
        "BDAT",
        "BDAT LAST",
        "BDAT 10 FIRST",
        "BDAT 10 LAST LAST",
        "BDAT -1",
        "BDAT +1",
        "BDAT 1k",
        "BDAT 10LAST",
        "BDAT 0x10",
        "BDAT 18446744073709551616",
        "BDAT 000000000000000000010",
        "bdat\t10",
        "BDAT:10",
        "BDAT 10\0",
        "BDAT 10 ü",
    ];
    for line in wrong {
        assert_eq!(reply(line.as_bytes()), "501 5.5.4 syntax: BDAT octets [LAST]", "{line}");
    }
    assert_eq!(reply(b"BDAT \xff"), "501 5.5.4 syntax: BDAT octets [LAST]");
    assert_eq!(reply(b"BDATA 10"), "500 5.5.1 unknown command; try HELP");
}

#[test]
fn who_first_sent_a_mail_is_read_and_dropped() {
    let longest = format!("MAIL FROM:<a@x> AUTH={}", "a".repeat(500));
    for line in [
        "MAIL FROM:<a@x> AUTH=<>",
        "MAIL FROM:<a@x> auth=b+2Bc@x SIZE=1",
        "MAIL FROM:<a@x> AUTH=ü@x",
        &longest,
    ] {
        assert_eq!(mail_of(line).reverse_path.to_string(), "<a@x>");
    }
    assert!(parse(format!("{longest}a").as_bytes(), &STRICT).is_err());
}

#[test]
fn an_unknown_parameter_is_not_repeated_at_any_length() {
    let line = format!("MAIL FROM:<a@x> {}", "K".repeat(10_000));
    assert_eq!(reply(line.as_bytes()), format!("555 5.5.4 the parameter {} is unknown", "K".repeat(64)));
}

/// With these switches on: `<reverse path> SIZE`, the recipient, the name, or the error.
fn read(switches: &[&str], line: &str) -> String {
    let profile = switches.iter().fold(Profile::default(), |profile, switch| profile.with(switch).unwrap());
    match parse(line.as_bytes(), &profile) {
        Ok(Command::Mail(mail)) => {
            format!("{}{}", mail.reverse_path, mail.size.map(|size| format!(" {size}")).unwrap_or_default())
        }
        Ok(Command::Rcpt(RcptTo { recipient: ForwardPath::Mailbox(address), notify, .. })) => {
            format!("{address} {}", notify.to_parameter()).trim_end().to_owned()
        }
        Ok(Command::Rcpt(RcptTo { recipient: ForwardPath::Postmaster, .. })) => "postmaster".to_owned(),
        Ok(Command::Ehlo(name) | Command::Helo(name)) => format!("{name:?}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.status().0.to_string(),
    }
}

const BARE: &[&str] = &["bare_addresses"];
const SPACES: &[&str] = &["stray_spaces"];
const BOTH: &[&str] = &["bare_addresses", "stray_spaces"];

#[test]
fn brackets_may_be_missing_where_that_is_forgiven() {
    let table = [
        ("MAIL FROM:a@b", "<a@b>"),
        ("MAIL FROM:a@b SIZE=1", "<a@b> 1"),
        ("MAIL FROM:a@[192.0.2.1] SIZE=1", "<a@[192.0.2.1]> 1"),
        ("MAIL FROM:\"a b\"@x SIZE=1", "<\"a b\"@x> 1"),
        ("MAIL FROM:@r:a@b", "<a@b>"),
        ("MAIL FROM:<a@b", "<a@b>"),
        ("MAIL FROM:<a@b SIZE=1", "<a@b> 1"),
        ("MAIL FROM:a@b>", "<a@b>"),
        ("MAIL FROM:a@b> SIZE=1", "<a@b> 1"),
        ("RCPT TO:a@b", "a@b"),
        ("RCPT TO:+393471234567@sms.local NOTIFY=NEVER", "+393471234567@sms.local NEVER"),
        ("RCPT TO:postmaster", "postmaster"),
        ("RCPT TO:PostMaster NOTIFY=NEVER", "postmaster"),
        ("RCPT TO:<postmaster", "postmaster"),
        ("RCPT TO:postmaster@x", "postmaster@x"),
        ("RCPT TO:postmaster.b@x", "postmaster.b@x"),
    ];
    for (line, expected) in table {
        assert_eq!(read(BARE, line), expected, "{line}");
        assert_eq!(read(BOTH, line), expected, "{line}");
        assert_eq!(read(SPACES, line), "501", "{line}");
    }
    for line in ["MAIL FROM:<>", "MAIL FROM:<> SIZE=1", "MAIL FROM:<a@b>", "RCPT TO:<postmaster>"] {
        assert_eq!(read(BARE, line), read(&[], line));
    }
    let still_wrong = [
        "MAIL FROM:a",
        "MAIL FROM:a@b,c@d",
        "MAIL FROM:a@b<c",
        "MAIL FROM:a@b;SIZE=1",
        "MAIL FROM:<a@b>SIZE=1",
        "MAIL FROM:a@b>SIZE=1",
        "MAIL FROM:<",
        "MAIL FROM:>",
        "MAIL FROM:Name <a@b>",
        "MAIL FROM:<<a@b>>",
        "MAIL a@b",
        "RCPT TO:",
        "RCPT TO:<>",
        "RCPT TO:postmasters",
        "RCPT TO:oncall",
        "RCPT TO:a b@c",
    ];
    for line in still_wrong {
        assert_eq!(read(BARE, line), "501", "{line}");
        assert_eq!(read(BOTH, line), "501", "{line}");
    }
}

#[test]
fn a_sender_that_is_left_out_is_nobody() {
    for (line, expected) in [("MAIL FROM:", "<>"), ("MAIL FROM: ", "<>"), ("MAIL FROM: SIZE=1", "<> 1")] {
        assert_eq!(read(BARE, line), expected, "{line}");
        assert_eq!(read(BOTH, line), expected, "{line}");
        assert_eq!(read(SPACES, line), "501", "{line}");
    }
    // These are no parameters, and the reply says what is wrong with them.
    for line in ["MAIL FROM:SIZE=1", "MAIL FROM: <a=b>", "MAIL FROM:<a=b>"] {
        let error = parse(line.as_bytes(), &Profile::APPLIANCE).unwrap_err();
        assert_eq!(error, CommandError::ReversePath(PathError::NoDomain), "{line}");
    }
    assert_eq!(read(BOTH, "MAIL FROM: SIZE=1@x"), "<SIZE=1@x>");
    assert_eq!(read(BOTH, "MAIL"), "501");
}

#[test]
fn stray_spaces_are_forgiven_where_the_switch_says_so() {
    let table = [
        ("MAIL FROM: <a@b>", "<a@b>"),
        ("MAIL FROM:\t<a@b>\tSIZE=1", "<a@b> 1"),
        ("MAIL FROM :<a@b>", "<a@b>"),
        ("MAIL FROM : <a@b> SIZE=1", "<a@b> 1"),
        ("MAIL  FROM:<a@b>", "<a@b>"),
        ("MAIL\tFROM:<a@b>", "<a@b>"),
        ("MAIL FROM:< a@b >", "<a@b>"),
        ("MAIL FROM: < a@b > SIZE=1", "<a@b> 1"),
        ("MAIL FROM: <>", "<>"),
        ("MAIL FROM:< >", "<>"),
        ("RCPT TO: <a@b>", "a@b"),
        ("rcpt to : <\ta@b\t> NOTIFY=NEVER", "a@b NEVER"),
        ("RCPT TO:< postmaster >", "postmaster"),
    ];
    for (line, expected) in table {
        assert_eq!(read(SPACES, line), expected, "{line}");
        assert_eq!(read(BOTH, line), expected, "{line}");
        assert!(["501", "500"].contains(&read(&[], line).as_str()), "{line}");
    }
    for (line, expected) in [
        ("RCPT TO: a@b", "a@b"),
        ("MAIL FROM : a@b SIZE=1", "<a@b> 1"),
        ("RCPT TO: postmaster", "postmaster"),
    ] {
        assert_eq!(read(BOTH, line), expected);
        assert_eq!((read(BARE, line).as_str(), read(SPACES, line).as_str()), ("501", "501"));
    }
    for line in ["MAIL FROM: a@b", "MAIL FROM: <a@b>"] {
        let bare = Profile { bare_addresses: true, ..STRICT };
        let error = parse(line.as_bytes(), &bare).unwrap_err();
        assert_eq!(error, CommandError::ReversePath(PathError::NotBracketed), "{line}");
    }
    for line in [
        "MAIL FROM:<a @b>",
        "MAIL FROM:<a@ b>",
        "MAIL FROM:<a b@c>",
        "MAIL FR OM:<a@b>",
        "RCPT TO:< >",
        "MAIL FROM:<\"a\tb\"@x>",
    ] {
        assert_eq!(read(SPACES, line), "501", "{line}");
        assert_eq!(read(BOTH, line), "501", "{line}");
    }
    for line in ["MAIL FROM:<a@b>\rNOOP", "MAIL FROM:<a@b>\nNOOP", "MAIL\0FROM:<a@b>", "MAIL FROM:\x0b<a@b>"]
    {
        assert_eq!(read(BOTH, line), "500", "{line}");
    }
}

#[test]
fn odd_names_are_forgiven_and_kept_harmless() {
    let any = &["any_hello_name"][..];
    let table = [
        ("EHLO my_printer", "Some(\"my_printer\")"),
        ("HELO (none)", "Some(\"(none)\")"),
        ("HELO foo  bar", "Some(\"foo bar\")"),
        ("HELO  foo", "Some(\"foo\")"),
        ("EHLO Büro", "Some(\"B?ro\")"),
        ("EHLO [x]", "Some(\"[x]\")"),
        ("EHLO x.", "Some(\"x.\")"),
        ("EHLO a\u{202e}b\u{85}c", "Some(\"a?b?c\")"),
        ("EHLO x.it", "Some(\"x.it\")"),
    ];
    for (line, expected) in table {
        assert_eq!(read(any, line), expected, "{line}");
        assert!(line == "EHLO x.it" || read(&[], line) == "501", "{line}");
    }
    for line in ["EHLO", "HELO ", "HELO\t"] {
        assert_eq!(read(any, line), "501", "{line}");
        assert_eq!(read(&["empty_hello"], line), "None", "{line}");
        assert_eq!(read(&["empty_hello", "any_hello_name"], line), "None", "{line}");
    }
    assert_eq!(read(&["empty_hello"], "HELO my_printer"), "501");
    for line in ["EHLO a\rb", "EHLO a\nb", "EHLO \0", "EHLO \x1b[2J", "EHLO a\tb"] {
        assert_eq!(read(any, line), "500", "{line}");
    }
    assert_eq!(read(&["any_hello_name", "stray_spaces"], "EHLO a\tb"), "Some(\"a b\")");
    // The cut falls behind a space, which is not kept at the end of a name.
    let cut_at_a_space = format!("EHLO {} b", "a".repeat(254));
    assert_eq!(read(any, &cut_at_a_space), format!("Some({:?})", "a".repeat(254)));
    assert_eq!(read(SPACES, "EHLO  x.it"), "Some(\"x.it\")");
    let long = read(any, &format!("EHLO _{}", "x".repeat(5000)));
    assert_eq!(long, format!("Some(\"_{}\")", "x".repeat(254)));
    let latin1 = parse(b"EHLO B\xfcro", &Profile::APPLIANCE);
    assert!(matches!(latin1, Ok(Command::Ehlo(Some(name))) if name == "B?ro"));
    assert_eq!(reply(b"EHLO B\xfcro"), "500 5.5.2 a command can contain ASCII and UTF-8 only");
}

/// Something close to MAIL and RCPT, half of it of pieces that do fit.
fn hostile_line() -> impl Strategy<Value = String> {
    let anything =
        "(MAIL FROM|RCPT TO) ?:[ \t]?<? ?[ -~\\PC\r\n\0]{0,40}@?[ -~\r\n]{0,20}>?( [A-Z]{3,8}=[ -~]{0,20})?";
    let pieces = prop::sample::select(vec![
        " ",
        "\t",
        "<",
        ">",
        "a",
        "@",
        "x.it",
        "[192.0.2.1]",
        "\"a b\"",
        "@r:",
        "postmaster",
        "<>",
        "<a@x>",
        " SIZE=1",
        " AUTH=<>",
        " NOTIFY=NEVER",
    ]);
    let start = prop::sample::select(vec!["MAIL FROM:", "RCPT TO:", "MAIL FROM:<", "RCPT TO:<"]);
    let fitting = (start, proptest::collection::vec(pieces, 0..7));
    prop_oneof![anything, fitting.prop_map(|(start, pieces)| format!("{start}{}", pieces.concat()))]
}

proptest! {
    #[test]
    fn any_octets_give_a_command_or_an_error(line in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = (parse(&line, &STRICT), parse(&line, &Profile::APPLIANCE));
    }

    #[test]
    fn what_is_understood_without_switches_means_the_same_with_them(line in hostile_line()) {
        if let Ok(command) = parse(line.as_bytes(), &STRICT) {
            let lenient = parse(line.as_bytes(), &Profile::APPLIANCE);
            prop_assert_eq!(format!("{command:?}"), format!("{:?}", lenient.unwrap()));
        }
    }

    #[test]
    fn a_name_that_is_kept_is_one_short_line_of_ascii(
        name in proptest::collection::vec(any::<u8>(), 0..600),
        verb in "(EHLO|helo)[ \t]",
    ) {
        let line = [verb.as_bytes(), &name].concat();
        if let Ok(Command::Ehlo(name) | Command::Helo(name)) = parse(&line, &Profile::APPLIANCE) {
            let name = name.unwrap_or("none".to_owned());
            prop_assert!((1..=255).contains(&name.len()) && name.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", name);
        }
    }

    #[test]
    fn nothing_that_breaks_a_line_survives_in_an_address(line in hostile_line()) {
        let written = match parse(line.as_bytes(), &Profile::APPLIANCE) {
            Ok(Command::Mail(MailFrom { reverse_path, .. })) => reverse_path.to_string(),
            Ok(Command::Rcpt(RcptTo { recipient: ForwardPath::Mailbox(address), .. })) => address.to_string(),
            Ok(_) | Err(_) => String::new(),
        };
        prop_assert!(!written.chars().any(char::is_control), "{written:?}");
    }

    #[test]
    fn a_written_address_is_read_back(local in "[ -~]{1,20}", domain in "[a-z]{1,9}(\\.[a-z]{2,5}){0,2}") {
        let address = crate::model::MailAddress::new(&local, &domain).unwrap();
        let rcpt = rcpt_of(&format!("RCPT TO:<{address}>"));
        prop_assert_eq!(rcpt.recipient, ForwardPath::Mailbox(address));
    }
}

#[test]
fn the_switch_that_would_forgive_a_line_is_known() {
    let strict = Profile::default();
    let table: [(&[u8], Option<&str>); 14] = [
        (b"MAIL FROM:a@b.it", Some("bare_addresses")),
        (b"RCPT TO:a@b.it", Some("bare_addresses")),
        (b"MAIL FROM: <a@b.it>", Some("stray_spaces")),
        (b"RCPT\tTO:<a@b.it>", Some("stray_spaces")),
        (b"MAIL FROM: a@b.it", Some("appliance")),
        (b"EHLO my_ups", Some("any_hello_name")),
        (b"HELO B\xfcro", Some("any_hello_name")),
        (b"HELO", Some("empty_hello")),
        (b"EHLO \t", Some("empty_hello")),
        (b"MAIL FROM:<a@@b.it>", None),
        (b"MAIL FROM:<a@b.it> X=1", None),
        (b"NOOP\nNOOP", None),
        (b"HALLO", None),
        (b"GET / HTTP/1.1", None),
    ];
    for (line, switch) in table {
        assert!(parse(line, &strict).is_err(), "{}", line.escape_ascii());
        assert_eq!(forgiven_by(line, &strict), switch, "{}", line.escape_ascii());
    }
    // What is forgiven already need not be named again.
    let spaces = strict.with("stray_spaces").unwrap();
    assert_eq!(forgiven_by(b"MAIL FROM: a@b.it", &spaces), Some("bare_addresses"));
}
