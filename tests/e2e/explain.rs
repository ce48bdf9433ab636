//! `sms-relay explain`: what an operator sees before anything is sent, in full.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::run_fed;

const AT: [&str; 2] = ["--at", "2026-11-21 03:00"];

/// Rules that show one thing each.
const CONFIG: &str = r#"
hostname = "relay.example.com"

[[smtp.listener]]
name = "lan"
bind = "127.0.0.1:1"
networks = ["127.0.0.0/8", "10.0.0.0/8"]

[[smtp.listener]]
name = "dmz"
bind = "127.0.0.1:2"

[[smtp.listener]]
name = "closed"
bind = "127.0.0.1:4"
auth = "required"
auth_without_tls = true

[[smtp.account]]
name = "ups"
cram_md5 = { env = "EXPLAIN_TEST_PASSWORD" }

[[http.listener]]
name = "forms"
bind = "127.0.0.1:3"
allow_get = true
profiles = ["kannel", "playsms", "clickatell"]

[[http.account]]
name = "shop"
networks = ["127.0.0.0/8"]
username = "till"
password = { env = "EXPLAIN_TEST_PASSWORD" }

[[http.account]]
name = "desk"
networks = ["127.0.0.0/8"]
password = { env = "EXPLAIN_TEST_PASSWORD" }
may_choose_lane = true

[[http.account]]
name = "open"
networks = ["10.0.0.0/8"]
without_password = true

[routing]
domains = ["sms.example"]
allowed = ["+39"]

[defaults]
sender = "Relay"

[aliases]
oncall = "+393471234567"
night = ["+393471234567", "+393470000001"]

[[rule]]
name = "paper"
when.subject = "paper"
drop = "nobody is woken for paper"

[[rule]]
name = "host"
when.subject = '^(?P<host>srv\d+)'
sender = "Monitor"
text = "both"

[[rule]]
name = "boss"
when.recipient = "0001$"
refuse = "the boss sleeps"

[spool]
directory = "spool"

[gateway]
url = "http://127.0.0.1:9"
credentials = "emulator"

[reporting]
to = "off"
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("relay.toml"), CONFIG).unwrap();
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn fed(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let config = self.path().join("relay.toml");
        let program = env!("CARGO_BIN_EXE_sms-relay");
        let fixed = ["TZ=UTC", "EXPLAIN_TEST_PASSWORD=secret", program, "explain", "--config"];
        let all = [&fixed, &[config.to_str().unwrap()][..], arguments].concat();
        run_fed("env", &all, input)
    }

    fn explain(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.fed(&[arguments, &AT].concat(), "")
    }

    /// Without the variables, which have a test of their own.
    fn shown(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (code, printed) = self.explain(arguments);
        let kept = printed.split_inclusive('\n').filter(|line| !line.starts_with("    variable "));
        (code, kept.collect())
    }
}

#[test]
fn a_mail_goes_through_two_rules_to_its_sms() {
    let desk = Desk::new();
    let mail = desk.write(
        "alarm.eml",
        "From: Monitor <m@example.com>\nTo: oncall@sms.example, Boss <boss@example.org>\nCc: oncall@SMS.example\n\
         Subject: srv3 is down\n\nSince 3:00. The other one answers.\n",
    );
    let expected = "\
From        m@example.com
MAIL FROM   <m@example.com>
Subject     srv3 is down
Text        34 characters in 1 line
Came in     2026-11-21 03:00:00 UTC through listener lan from 127.0.0.1
Recipients  those of the To: and Cc: fields that are ours

oncall@sms.example
  +393471234567
    paper: subject does not match \"paper\": srv3 is down
    host: matches
    SMS from Monitor
    ┌──────────────────────────────────┐
    │ srv3 is down                     │
    │ Since 3:00. The other one        │
    │ answers.                         │
    └──────────────────────────────────┘
    GSM 7-bit, 47 of 160, 1 part

1 SMS, 1 part
";
    // The same address in another case of its domain is another recipient, as it would be in SMTP.
    let (code, printed) = desk.shown(&[mail.to_str().unwrap(), "--to", "oncall@sms.example"]);
    assert_eq!(
        (code, printed),
        (Some(0), expected.replace("Recipients  those of the To: and Cc: fields that are ours\n", ""))
    );
    let (code, printed) = desk.shown(&[mail.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with(&expected[..expected.find("\n1 SMS").unwrap()]), "{printed}");
    assert!(
        printed.ends_with(
            "not sent: the same text goes to this phone for oncall@sms.example\n\n1 SMS, 1 part\n"
        ),
        "{printed}"
    );
    let from_stdin = desk.fed(&[&["-"], &AT[..]].concat(), &std::fs::read_to_string(&mail).unwrap());
    assert_eq!(from_stdin, desk.explain(&[mail.to_str().unwrap()]));
}

#[test]
fn variables_and_groups_are_shown() {
    let desk = Desk::new();
    let (_, printed) =
        desk.explain(&["--to", "oncall", "--subject", "srv3 is down", "--from", "m@example.com"]);
    for line in [
        "subject = srv3 is down",
        "from = m@example.com",
        "to = oncall",
        "listener = lan",
        "groups.host = srv3",
    ] {
        assert!(printed.contains(&format!("\n    variable {line}\n")), "{line}\n{printed}");
    }
}

#[test]
fn what_is_refused_or_dropped_says_so_as_the_door_would() {
    let desk = Desk::new();
    let to = ["--to", "nobody", "--to", "+447911123456", "--to", "night", "--to", "x@example.org"];
    let (code, printed) = desk.shown(&[&to[..], &["--subject", "Hot", "--from", "<>"]].concat());
    let expected = "\
From        <>
MAIL FROM   <>, so that no failure is reported
Subject     Hot
Text        none
Came in     2026-11-21 03:00:00 UTC through listener lan from 127.0.0.1

nobody@sms.example
  refused: 550 5.1.1 `nobody` is not a phone number, and there is no alias of that name

+447911123456@sms.example
  refused: 550 5.7.1 destination `+447911123456` is not allowed here; the operator has to allow its prefix

night@sms.example
  +393471234567
    paper: subject does not match \"paper\": Hot
    host: subject does not match \"^(?P<host>srv\\d+)\": Hot
    boss: recipient does not match \"0001$\": night (+393471234567)
    default: no rule matches
    SMS from Relay
    ┌──────────────────────────────────┐
    │ Hot                              │
    └──────────────────────────────────┘
    GSM 7-bit, 3 of 160, 1 part
  +393470000001
    paper: subject does not match \"paper\": Hot
    host: subject does not match \"^(?P<host>srv\\d+)\": Hot
    boss: matches
    refused: the boss sleeps

x@example.org
  refused: 550 5.1.2 `x@example.org` is not served here; write number@sms.example

1 SMS, 1 part
";
    assert_eq!((code, printed), (Some(0), expected.to_owned()));

    let (code, printed) = desk.shown(&["--to", "night", "--subject", "Paper jam"]);
    let dropped = "\
night@sms.example
  +393471234567
    paper: matches
    dropped: nobody is woken for paper
  +393470000001
    the same as +393471234567

Nothing is sent.
";
    assert_eq!(code, Some(1));
    assert!(printed.ends_with(dropped), "{printed}");

    // What a rule refuses whatever comes is told when the recipient is named, if no rule before it could send.
    let (code, printed) = desk.shown(&["--to", "+393470000001", "--subject", "Hot"]);
    assert_eq!(code, Some(1));
    assert!(
        printed.ends_with("    refused: the boss sleeps\n\nRefused: 550 5.7.1 the boss sleeps\n"),
        "{printed}"
    );

    let closed = ["--to", "oncall", "--subject", "Hot", "--listener", "closed"];
    let (code, printed) = desk.shown(&closed);
    let end = "Refused: 530 5.7.0 only authenticated clients may send here; name the account by --account\n";
    assert!(code == Some(1) && printed.ends_with(end), "{printed}");
    assert_eq!(desk.shown(&[closed.as_slice(), &["--account", "ups"]].concat()).0, Some(0));

    let (code, printed) = desk.shown(&["--to", "oncall", "--subject", "Hot", "--client", "192.0.2.7"]);
    let end = "Refused: 554 5.7.1 192.0.2.7 is in none of the networks that this listener serves\n";
    assert_eq!(code, Some(1));
    assert!(printed.ends_with(end), "{printed}");
}

#[test]
fn the_character_that_forces_ucs2_is_named_with_its_place() {
    let desk = Desk::new();
    let text = "Printer 3F\nThe toner isn’t full";
    let (code, printed) = desk.shown(&["--to", "oncall", "--text", text]);
    let end = "\
    │ Printer 3F                       │
    │ The toner isn’t full             │
    └──────────────────────────────────┘
    UCS-2, 31 of 70, 1 part
    ’ (U+2019) at line 2, column 14 forces UCS-2

1 SMS, 1 part
";
    assert_eq!(code, Some(0));
    assert!(printed.ends_with(end), "{printed}");
    // A letter that has no other spelling in the alphabet.
    let text = format!("ж{}", "a".repeat(100));
    let (_, printed) = desk.shown(&["--to", "oncall", "--text", &text]);
    let end = "
    UCS-2, 101 of 134, 2 parts
    ж (U+0436) at line 1, column 1 forces UCS-2: without it 1 part would do

1 SMS, 2 parts
";
    assert!(printed.ends_with(end), "{printed}");
    let (_, printed) = desk.shown(&["--to", "oncall", "--text", "жжжжжжж"]);
    let end = "
    ж (U+0436) at line 1, column 5
    and 2 more force UCS-2

1 SMS, 1 part
";
    assert!(printed.ends_with(end), "{printed}");
}

#[test]
fn the_borders_of_three_parts_are_drawn() {
    let desk = Desk::new();
    let text = (1..=80).map(|n| format!("w{n:02}")).collect::<Vec<_>>().join(" ");
    let (code, printed) = desk.shown(&["--to", "oncall", "--text", &text]);
    let end = "\
    ┌──────────────────────────────────┐
    │ w01 w02 w03 w04 w05 w06 w07 w08  │
    │ w09 w10 w11 w12 w13 w14 w15 w16  │
    │ w17 w18 w19 w20 w21 w22 w23 w24  │
    │ w25 w26 w27 w28 w29 w30 w31 w32  │
    │ w33 w34 w35 w36 w37 w38 w        │
    ├╌ part 2 of 3 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
    │ 39 w40 w41 w42 w43 w44 w45 w46   │
    │ w47 w48 w49 w50 w51 w52 w53 w54  │
    │ w55 w56 w57 w58 w59 w60 w61 w62  │
    │ w63 w64 w65 w66 w67 w68 w69 w70  │
    │ w71 w72 w73 w74 w75 w76 w7       │
    ├╌ part 3 of 3 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
    │ 7 w78 w79 w80                    │
    └──────────────────────────────────┘
    GSM 7-bit, 319 of 459, 3 parts

1 SMS, 3 parts
";
    assert_eq!(code, Some(0));
    assert!(printed.ends_with(end), "{printed}");
}

#[test]
fn a_request_is_read_as_the_http_door_reads_it() {
    let desk = Desk::new();
    let request = ["--request", "GET /sms?to=oncall&text=Door+3&username=till&password=secret HTTP/1.1"];
    let expected = "\
From        shop
Text        6 characters in 1 line
Came in     2026-11-21 03:00:00 UTC through listener forms from 127.0.0.1 as account shop

oncall
  +393471234567
    paper: subject does not match \"paper\": it is empty
    host: subject does not match \"^(?P<host>srv\\d+)\": it is empty
    boss: recipient does not match \"0001$\": oncall (+393471234567)
    default: no rule matches
    SMS from Relay
    ┌──────────────────────────────────┐
    │ Door 3                           │
    └──────────────────────────────────┘
    GSM 7-bit, 6 of 160, 1 part

1 SMS, 1 part
";
    assert_eq!(desk.shown(&request), (Some(0), expected.to_owned()));
    let url = "http://relay:3/sms?to=oncall&text=Door+3";
    for arguments in [["--request", url], ["--form", "to=oncall&text=Door+3"]] {
        assert_eq!(
            desk.shown(&[&arguments[..], &["--account", "shop"]].concat()),
            (Some(0), expected.to_owned())
        );
    }
    for (arguments, said) in [
        (&["--request", url][..], "401 a user name and password are needed, or an API key"),
        (
            &["--request", url, "--client", "192.0.2.1"],
            "403 nobody may post from 192.0.2.1; see the networks of the accounts",
        ),
        (
            &["--request", url, "--account", "open"],
            "401 account `open` may not post from 127.0.0.1; see its networks",
        ),
        (
            &["--request", "/sms?to=nobody&text=x", "--account", "shop"],
            "400 `nobody` is not a phone number, and there is no alias of that name",
        ),
    ] {
        let (code, printed) = desk.shown(arguments);
        assert_eq!(code, Some(1));
        assert!(printed.ends_with(&format!("Refused: {said}\n")), "{printed}");
    }
}

#[test]
fn a_request_of_another_gateways_api_is_read_as_its_profile_has_it() {
    let desk = Desk::new();
    let url =
        "/cgi-bin/sendsms?user=till&pass=secret&to=+393471234567+00393470000002&text=caff%E8&charset=latin1";
    let expected = "\
From        shop
Text        5 characters in 1 line
Came in     2026-11-21 03:00:00 UTC through listener forms from 127.0.0.1 as account shop
Asked       kannel at /cgi-bin/sendsms

+393471234567
";
    let (code, printed) = desk.shown(&["--request", url]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.starts_with(expected), "{printed}");
    assert!(printed.contains("│ caffè "), "{printed}");
    assert!(printed.ends_with("\n2 SMS, 2 parts\nAnswered: 202 accepted\n"), "{printed}");

    // Refused by the profile's own words, which are told with what they mean.
    for (request, said) in [
        (
            "/cgi-bin/sendsms?user=till&pass=guess&to=a&text=b",
            "403 Authorization failed for sendsms (unauthorized: the user name, password or API key is wrong)",
        ),
        (
            "/cgi-bin/sendsms?user=till&pass=secret&to=%2B447911123456&text=b",
            "403 Not routable. Do not try again. (not_allowed: ",
        ),
        (
            "/cgi-bin/sendsms?user=till&pass=secret&text=b",
            "400 Missing receiver number, rejected (missing_to: ",
        ),
        ("PUT /cgi-bin/sendsms", "400 this method is not taken here; use GET, POST (method: "),
        (
            "/http/sendmsg?session_id=0a&to=a&text=b",
            "200 ERR: 003, Session ID expired (no_session: sessions are known to the running relay only; ",
        ),
        ("/index.php?app=ws&op=zz&u=till&h=secret", "200 {\"status\":\"ERR\",\"error\":\"101\","),
    ] {
        let (code, printed) = desk.shown(&["--request", request]);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(&format!("Refused: {said}")), "{request}: {printed}");
    }

    let all = |arguments: &[&str]| {
        let (code, printed) = desk.explain(&[arguments, &["--json"]].concat());
        let all: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        (code, all["api"].clone(), all["is_sent"].clone())
    };
    let kannel = |outcome: &str, status: u16, body: Option<&str>| {
        let path = "/cgi-bin/sendsms";
        serde_json::json!({
            "profile": "kannel", "path": path, "outcome": outcome, "status": status, "body": body
        })
    };
    assert_eq!(all(&["--request", url]), (Some(0), kannel("accepted", 202, None), true.into()));
    let nowhere = "/cgi-bin/sendsms?user=till&pass=secret&to=%2B447911123456&text=b";
    let words = Some("Not routable. Do not try again.");
    assert_eq!(all(&["--request", nowhere]), (Some(1), kannel("not_allowed", 403, words), false.into()));
    let form = ["--request", "POST /sms", "--form", "to=oncall&text=a", "--account", "shop"];
    assert_eq!(all(&form), (Some(0), Value::Null, true.into()));
}

#[test]
fn a_recorded_request_is_read_with_its_headers_and_body() {
    let desk = Desk::new();
    let recorded = "POST /index.php HTTP/1.1\nHost: relay\nAuthorization: Basic dGlsbDpzZWNyZXQ=\n\
                    Content-Type: application/x-www-form-urlencoded\nContent-Length: 39\n\n\
                    app=ws&op=pv&to=oncall,nobody&msg=Door3\n";
    let path = desk.write("playsms.request", recorded);
    let argument = format!("@{}", path.to_str().unwrap());
    let (code, printed) = desk.shown(&["--request", &argument]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("as account shop\nAsked       playsms at /index.php with app=ws, op=pv\n"),
        "{printed}"
    );
    let refused =
        "200 {\"status\":\"ERR\",\"error\":\"200\",\"error_string\":\"`nobody` is not a phone number";
    assert!(printed.contains(&format!("refused: {refused}")), "{printed}");
    assert!(printed.ends_with("\n1 SMS, 1 part\nAnswered: 200 accepted\n"), "{printed}");
    // The same from standard input, and a JSON body for /sms.
    let at = [&["--request", "@-"][..], &AT].concat();
    assert_eq!(desk.fed(&at, recorded).0, Some(0));
    let json = "POST /sms HTTP/1.1\r\nX-Api-Key: secret\r\nContent-Type: application/json\r\n\r\n\
                {\"to\":[\"oncall\"],\"text\":\"Door 3\"}";
    let (code, printed) = desk.fed(&at, json);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.ends_with("\n1 SMS, 1 part\n"), "{printed}");
    for (input, code, said) in [
        ("to=a", 65, "the request in `-` does not begin with a line like `GET /sms?to=oncall HTTP/1.1`"),
        (
            "GET /http/auth?user=till&password=secret HTTP/1.1\n\n",
            64,
            "this request to `/http/auth` of clickatell begins a session; only what sends is explained",
        ),
    ] {
        assert_eq!(desk.fed(&at, input), (Some(code), format!("sms-relay: {said}\n")));
    }
    let both = ["--request", "@-", "--form", "to=a"];
    let said = "sms-relay: the request in a file has its own body; leave out --form\n";
    assert_eq!(desk.fed(&both, ""), (Some(64), said.to_owned()));
}

#[test]
fn a_request_says_its_lane_and_time() {
    let desk = Desk::new();
    let url = "/sms?to=oncall&text=Door+3";
    let asked = |fields: &str, account: &str| {
        let request = format!("{url}&{fields}");
        desk.shown(&["--request", &request, "--account", account, "--client", "127.0.0.1"])
    };
    let (code, printed) = asked("lane=Bulk&deliver_at=2026-11-21T08:00:00Z", "desk");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("lane bulk") && printed.contains("held until 2026-11-21 08:00"), "{printed}");
    for (fields, account, said) in [
        ("lane=urgent", "desk", "400 `urgent` is not a lane; write one of critical, normal, bulk"),
        (
            "lane=bulk",
            "shop",
            "403 account `shop` may not choose the lane; leave out `lane`, or set may_choose_lane = true for the account",
        ),
        (
            "deliver_at=tomorrow",
            "shop",
            "400 `tomorrow` is not a time; write it like 2031-01-31T07:30:00+01:00, or 2031-01-31 07:30 in the time of \
             this relay",
        ),
    ] {
        let (code, printed) = asked(fields, account);
        assert_eq!(code, Some(1));
        assert!(printed.ends_with(&format!("Refused: {said}\n")), "{printed}");
    }
}

#[test]
fn json_has_all_of_it() {
    let desk = Desk::new();
    let (code, printed) =
        desk.explain(&["--to", "oncall", "--subject", "srv3 is down", "--text", "isn’t up", "--json"]);
    assert_eq!(code, Some(0));
    let all: Value = serde_json::from_str(&printed).unwrap();
    let phone = &all["recipients"][0]["phones"][0];
    let sms = &phone["sms"][0];
    let mut got = all.clone();
    for key in ["recipients", "currency"] {
        got.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(
        got,
        serde_json::json!({
            "account": null, "api": null, "at": "2026-11-21T03:00:00Z", "attachments": [], "client": "127.0.0.1", "door": "smtp",
            "envelope_sender": "<>", "from": "<>", "is_sent": true, "listener": "lan", "parts": 1, "price": null,
            "recipients_from_header": false, "reply": null, "sms": 1, "subject": "srv3 is down", "text": "isn’t up",
        })
    );
    assert_eq!(
        (&phone["fate"], &phone["sender"], &phone["groups"]["host"]),
        (&"sent".into(), &"Monitor".into(), &"srv3".into())
    );
    assert_eq!(
        phone["tried"],
        serde_json::json!([
            {
                "rule": "paper",
                "unmet": {
                    "key": "subject", "header": null, "branch": "", "holds": false, "wanted": "paper",
                    "found": "srv3 is down",
                },
                "others": [],
            },
            {"rule": "host", "unmet": null, "others": []},
        ])
    );
    assert_eq!(
        *sms,
        serde_json::json!({
            "text": "srv3 is down\nisn’t up", "encoding": "ucs2", "units": 21, "room": 70,
            "parts": ["srv3 is down\nisn’t up"], "parts_without_foreign": 1, "price": null, "same_as": null,
            "foreign": [{"character": "’", "code_point": "U+2019", "line": 2, "column": 4}],
        })
    );
    let (code, printed) = desk.explain(&["--to", "nobody", "--subject", "x", "--json"]);
    let all: Value = serde_json::from_str(&printed).unwrap();
    let reply = "550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";
    assert_eq!(
        (code, &all["recipients"][0]["reply"], &all["is_sent"]),
        (Some(1), &reply.into(), &false.into())
    );
}

#[test]
fn wrong_arguments_say_what_to_do() {
    let desk = Desk::new();
    let mail = desk.write("other.eml", "From: a@example.com\nTo: b@example.org\n\nhot\n");
    let mail = mail.to_str().unwrap();
    for (arguments, code, said) in [
        (
            &[][..],
            64,
            "there is nothing to explain; give a mail as a file, `-` for standard input, --subject or --text, or --request",
        ),
        (
            &["--text", "x"],
            64,
            "a mail needs a recipient; write --to NUMBER@sms.example or --to NAME@sms.example",
        ),
        (
            &[mail],
            64,
            "the To: and Cc: fields name nobody who is served here; write --to NUMBER@sms.example or --to NAME@sms.example",
        ),
        (
            &["--text", "x", "--to", "a", "--listener", "wan"],
            64,
            "there is no SMTP listener `wan`; the configuration has lan, dmz, closed",
        ),
        (
            &["--form", "to=a", "--listener", "lan"],
            64,
            "there is no HTTP listener `lan`; the configuration has forms",
        ),
        (
            &["--text", "x", "--to", "a", "--account", "card"],
            64,
            "there is no SMTP account `card`; the configuration has ups",
        ),
        (
            &["--form", "to=a", "--account", "ups"],
            64,
            "there is no HTTP account `ups`; the configuration has shop, desk, open",
        ),
        (
            &["--form", "to=a", "--request", "GET /sms"],
            64,
            "a GET has no body; put the fields behind the `?`, or write --request 'POST /sms'",
        ),
        (
            &["--text", "x", "--to", "a", "--from", "me"],
            64,
            "--from: `me` is not a mail address; it should look like name@domain; or write <>",
        ),
        (
            &["nowhere.eml", "--to", "a"],
            65,
            "the mail in `nowhere.eml` cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(desk.fed(arguments, ""), (Some(code), format!("sms-relay: {said}\n")));
    }
    let (code, printed) = desk.fed(&["--text", "x", "--to", "a", "--at", "soon"], "");
    assert_eq!(code, Some(64));
    assert!(printed.starts_with("sms-relay: --at: `soon` is no time; write it like "), "{printed}");
    assert_eq!(desk.fed(&[mail, "--text", "x"], "").0, Some(64));
    assert_eq!(desk.fed(&["--form", "to=a", "--to", "b"], "").0, Some(64));
}

#[test]
fn a_wrong_configuration_is_told_as_check_tells_it() {
    let desk = Desk::new();
    desk.write("relay.toml", &CONFIG.replace("sender = \"Relay\"", "sender = \"TwelveLetter\""));
    let (code, printed) = desk.explain(&["--to", "oncall", "--text", "x"]);
    assert_eq!(code, Some(78));
    let config = desk.path().join("relay.toml");
    let arguments = ["EXPLAIN_TEST_PASSWORD=secret", env!("CARGO_BIN_EXE_sms-relay"), "check", "--config"];
    assert_eq!(
        run_fed("env", &[&arguments[..], &[config.to_str().unwrap()]].concat(), ""),
        (Some(78), printed)
    );
}

#[test]
fn nothing_comes_into_being_and_the_example_explains_itself() {
    let desk = Desk::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("relay.example.toml");
    std::fs::copy(example, desk.path().join("relay.toml")).unwrap();
    let mail = ["--to", "oncall", "--from", "a@example.com", "--subject", "Smoke in room 3"];
    let (code, printed) = desk.explain(&mail);
    assert_eq!(code, Some(0));
    assert!(
        printed.contains("    fire: matches\n") && printed.contains("    SMS from FireAlarm\n"),
        "{printed}"
    );
    let left: Vec<_> =
        std::fs::read_dir(desk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["relay.toml"]);
}

/// On a terminal it is coloured, unless its owner wants none.
#[test]
fn colours_are_for_terminals() {
    let desk = Desk::new();
    let (_, printed) = desk.explain(&["--to", "oncall", "--text", "x"]);
    assert!(!printed.contains('\x1b'));
    if !crate::support::tool("script") {
        return;
    }
    let config = desk.path().join("relay.toml");
    let line = format!(
        "{} explain --config {} --to oncall --text x",
        env!("CARGO_BIN_EXE_sms-relay"),
        config.display()
    );
    let typed = |setting: &str| {
        run_fed("env", &["EXPLAIN_TEST_PASSWORD=secret", setting, "script", "-qec", &line, "/dev/null"], "").1
    };
    assert!(typed("NO_COLOR=").contains("\x1b[32m1 SMS, 1 part\x1b[0m"), "{}", typed("NO_COLOR="));
    assert!(!typed("NO_COLOR=1").contains('\x1b'));
}

/// Every key with those above it; lists count as one, and what the configuration names is left out.
fn keys(value: &Value, above: &str, found: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(object) if !above.ends_with(".groups") && !above.ends_with(".variables") => {
            for (key, value) in object {
                let path = format!("{above}.{key}");
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|one| keys(one, above, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    }
}

#[test]
fn the_manual_shows_every_key_and_the_readme_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manual = std::fs::read_to_string(root.join("docs/explain.md")).unwrap();
    let example = manual.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let (mut told, mut printed) = Default::default();
    keys(&example, "", &mut told);
    let desk = Desk::new();
    let mail = ["--to", "oncall", "--from", "m@example.com", "--subject", "srv3 is down"];
    let (_, json) = desk.explain(&[&mail[..], &["--text", "It isn’t up.", "--json"]].concat());
    keys(&serde_json::from_str(&json).unwrap(), "", &mut printed);
    // Here nothing is removed, and no template of another channel is sent.
    let others = ["removed.step", "removed.words", "delivery.ways.template", "delivery.ways.variables"];
    printed.extend(others.map(|key| format!(".recipients.phones.{key}")));
    assert_eq!(printed, told);
    let (_, shown) = desk.shown(&[&mail[..], &["--text", "Since 3:00. The other one answers."]].concat());
    let shown = shown.split("\n\n").nth(1).unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("```\n{shown}\n```")), "{shown}");
}
