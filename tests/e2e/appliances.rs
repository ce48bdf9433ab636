//! Devices as they speak, word by word: at a listener with `profile = "appliance"` their mail reaches the
//! phone; a strict one refuses what is against the standard, and the log tells the operator which
//! switch the device needs.

use serde_json::Value;

use crate::support::{Authority, Relay, Smtp, Talk, World};

/// What a device says, each with the beginning of the answer that it waits for.
type Says = &'static [(&'static str, &'static str)];

struct Device {
    name: &'static str,
    says: Says,
    /// Its mail as it stands on the wire, up to the end of data.
    mail: &'static [u8],
    /// What the phone shows.
    text: &'static str,
    /// What a strict listener says to the first thing that it does not take, and the switch that the log
    /// names. None: it takes everything.
    strict: Option<(&'static str, &'static str)>,
}

const DATA: (&str, &str) = ("DATA", "354 ");
const RCPT: (&str, &str) = ("RCPT TO:<+393471234567@sms.local>", "250 2.1.5 ");

const BRACKETS: &str =
    "501 5.1.7 the address must stand in angle brackets right behind the colon, like <name@domain>";

const DEVICES: [Device; 12] = [
    Device {
        name: "Zabbix without TLS and authentication: HELO, and a body in base64",
        says: &[
            ("HELO zabbix.lan", "250 relay.test"),
            ("MAIL FROM:<zabbix@lan.example>", "250 "),
            RCPT,
            DATA,
        ],
        mail: b"From: <zabbix@lan.example>\r\nSubject: =?UTF-8?B?UHJvYmxlbTogZGI=?=\r\nMIME-Version: 1.0\r\n\
                Content-Type: text/plain; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                RGlzayBmYXN0IHZvbGw=\r\n.\r\n",
        text: "Disk fast voll",
        strict: None,
    },
    Device {
        name: "Zabbix with a blank name: no greeting at all",
        says: &[("MAIL FROM:<zabbix@lan.example>", "250 "), RCPT, DATA],
        mail: b"Subject: x\r\n\r\nno greeting\r\n.\r\n",
        text: "no greeting",
        strict: Some(("503 5.5.1 say EHLO or HELO first", "mail_before_hello")),
    },
    Device {
        name: "Synology: AUTH LOGIN with whatever the form asked for",
        says: &[
            ("EHLO Synology", "250-"),
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("YWRtaW4=", "334 UGFzc3dvcmQ6"),
            ("c3lub2xvZ3k=", "235 "),
            ("MAIL FROM:<nas@lan.example>", "250 "),
            RCPT,
            DATA,
        ],
        mail: b"Subject: x\r\n\r\nvolume 1 degraded\r\n.\r\n",
        text: "volume 1 degraded",
        strict: Some(("502 5.5.1 AUTH is not offered here", "any_credentials")),
    },
    Device {
        name: "an IP camera: EHLO, then HELO, then AUTH LOGIN with its user name at once",
        says: &[
            ("EHLO ip_camera", "250-"),
            ("HELO ip_camera", "250 "),
            ("AUTH LOGIN YWRtaW4=", "334 UGFzc3dvcmQ6"),
            ("MTIzNDU2", "235 "),
            ("MAIL FROM:<camera@lan.example>", "250 "),
            RCPT,
            DATA,
        ],
        mail: b"Subject: x\r\n\r\nmotion at the gate\r\n.\r\n",
        text: "motion at the gate",
        strict: Some(("501 EHLO needs the client's domain name or [address]", "any_hello_name")),
    },
    Device {
        name: "a UPS network card of APC: spaces behind the colon, and an address literal",
        says: &[
            ("HELO apc", "250 "),
            ("MAIL FROM: <ups@lan.example>", "250 "),
            ("RCPT TO: <+393471234567@[127.0.0.1]>", "250 "),
            DATA,
        ],
        mail: b"Subject: x\r\n\r\nUPS on battery\r\n.\r\n",
        text: "UPS on battery",
        strict: Some((BRACKETS, "stray_spaces")),
    },
    Device {
        name: "a BMC: AUTH CRAM-MD5 where nobody offers it",
        says: &[
            ("EHLO bmc-07", "250-"),
            ("AUTH CRAM-MD5", "334 "),
            ("cm9vdCAwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==", "235 "),
            ("MAIL FROM:<bmc@lan.example>", "250 "),
            RCPT,
            DATA,
        ],
        mail: b"Subject: x\r\n\r\nfan 2 failed\r\n.\r\n",
        text: "fan 2 failed",
        strict: Some(("502 5.5.1 AUTH is not offered here", "any_credentials")),
    },
    Device {
        name: "FortiGate: the number as it is, and a one-time password",
        says: &[
            ("EHLO fortigate.lan", "250-"),
            ("MAIL FROM:<fw@lan.example> SIZE=312", "250 "),
            ("RCPT TO:<393471234567@sms.local>", "250 "),
            DATA,
        ],
        mail: b"Subject: AuthCode: 402691\r\n\r\nYour authentication token code is 402691.\r\n.\r\n",
        text: "Your authentication token code is 402691.",
        strict: None,
    },
    Device {
        name: "Asterisk's pager mail: no blank line between headers and body",
        says: &[
            ("EHLO pbx", "250-"),
            ("MAIL FROM:<asterisk@pbx>", "250 "),
            ("RCPT TO:<0039.347.123-4567@sms.local>", "250 "),
            DATA,
        ],
        mail:
            b"From: \"Asterisk PBX\" <asterisk@pbx>\r\nSubject: New VM\r\nNew 0:12 long msg in box 7\r\n.\r\n",
        text: "New 0:12 long msg in box 7",
        strict: None,
    },
    Device {
        name: "domoticz: nothing but LF inside its mail",
        says: &[("EHLO domoticz", "250-"), ("MAIL FROM:<home@lan.example>", "250 "), RCPT, DATA],
        mail: b"From: home@lan.example\nSubject: x\n\nwater in\nthe cellar\r\n.\r\n",
        text: "water in\nthe cellar",
        strict: None,
    },
    Device {
        name: "ntopng: bare CR inside its mail",
        says: &[("EHLO ntop_ng", "250-"), ("MAIL FROM:<ntop@lan.example>", "250 "), RCPT, DATA],
        mail: b"Subject: x\r\rflow alert\rhost 7\r\n.\r\n",
        text: "flow alert\nhost 7",
        strict: Some(("501 EHLO needs the client's domain name or [address]", "any_hello_name")),
    },
    Device {
        name: "a pump's controller: no name, no brackets, spaces behind its lines",
        says: &[
            ("HELO", "250 "),
            ("MAIL FROM:pump@lan.example  ", "250 "),
            ("RCPT TO:p393471234567@sms.local ", "250 "),
            ("DATA ", "354 "),
        ],
        mail: b"Subject: x\r\n\r\npump 3 is dry\r\n.\r\n",
        text: "pump 3 is dry",
        strict: Some(("501 HELO needs the client's domain name or [address]", "empty_hello")),
    },
    Device {
        name: "an old alarm panel: no brackets and a space",
        says: &[
            ("HELO panel", "250 "),
            ("MAIL FROM: panel@lan.example", "250 "),
            ("RCPT TO: +393471234567@sms.local", "250 "),
            DATA,
        ],
        mail: b"Subject: x\r\n\r\nzone 4 open\r\n.\r\n",
        text: "zone 4 open",
        strict: Some((BRACKETS, "appliance")),
    },
];

impl Device {
    /// Speaks until something is refused; the refusal, or None when the mail is delivered.
    fn speak(&self, relay: &Relay, listener: &str) -> Option<String> {
        let mut talk = Talk::to(relay.door(listener));
        assert_eq!(talk.hear(), "220 relay.test ESMTP sms-relay");
        for (line, answer) in self.says {
            let reply = talk.say(line);
            if reply.starts_with(['4', '5']) {
                return Some(reply);
            }
            assert!(reply.starts_with(answer), "{}: {line}: {reply}", self.name);
        }
        talk.send(self.mail);
        Smtp::queued(&talk.hear());
        assert!(talk.say("QUIT").starts_with("221 "), "{}", self.name);
        None
    }
}

fn world() -> World {
    let mut world = World::new();
    world.extra = r#"
[[smtp.listener]]
name = "appliances"
bind = "127.0.0.1:0"
profile = "appliance"
"#
    .to_owned();
    world.otherwise.push((
        "country_code = \"39\"",
        "country_code = \"39\"\ndomains = [\"sms.local\", \"[127.0.0.1]\"]".to_owned(),
    ));
    world
}

fn is_advice(line: &Value) -> bool {
    line["level"] == "INFO" && line["switch"].is_string()
}

#[test]
fn each_of_them_reaches_the_phone_and_a_strict_listener_tells_what_it_needs() {
    let world = world();
    let relay = world.start();
    let mut texts = Vec::new();
    for device in &DEVICES {
        assert_eq!(device.speak(&relay, "appliances"), None, "{}", device.name);
        texts.push(device.text);
        world.expect_texts(&texts);
        assert_eq!(relay.log().into_iter().find(is_advice), None, "{}", device.name);
    }
    let mut told = 0;
    for device in &DEVICES {
        let seen = relay.log().len();
        let refused = device.speak(&relay, "mail");
        match device.strict {
            None => {
                assert_eq!(refused, None, "{}", device.name);
                texts.push(device.text);
                world.expect_texts(&texts);
            }
            Some((sentence, switch)) => {
                assert_eq!(refused.as_deref(), Some(sentence), "{}", device.name);
                told += 1;
                let last = relay.wait_for_next(
                    seen,
                    "command refused; with this switch in its profile it would be taken",
                );
                let advice = relay.log().into_iter().filter(is_advice).count();
                assert_eq!((advice, &last["switch"]), (told, &switch.into()), "{}", device.name);
                assert_eq!((&last["client"], &last["listener"]), (&"127.0.0.1".into(), &"mail".into()));
            }
        }
    }
    assert_eq!(told, 8);
    assert!(relay.terminate().success());
}

/// The first words of TLS 1.0 (RFC 2246 section 7.4.1.2), with one suite.
fn hello_of_tls_1_0() -> Vec<u8> {
    let random = [7; 32];
    let body = [&[3, 1][..], &random, &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], body.as_slice()].concat()
}

/// A printer, which says STARTTLS wherever it is offered; where it is not, it is ready to go on.
fn printer(relay: &Relay, listener: &str) -> Option<Talk> {
    let mut talk = Talk::to(relay.door(listener));
    talk.hear();
    if talk.say("EHLO printer").contains("STARTTLS") {
        assert!(talk.say("STARTTLS").starts_with("220 "));
        talk.send(&hello_of_tls_1_0());
        return None;
    }
    Some(talk)
}

#[test]
fn a_printer_that_takes_starttls_and_speaks_tls_1_0_only_gets_in_where_it_is_hidden() {
    let authority = Authority::new("Authority of the tests");
    let mut world = World::new();
    authority.issue(1).write(world.directory.path(), "relay");
    world.extra = r#"
[smtp]
certificate = "relay.pem"
key = "relay.key"

[[smtp.listener]]
name = "printers"
bind = "127.0.0.1:0"
profile = ["appliance", "hide_starttls"]
"#
    .to_owned();
    let relay = world.start();
    assert!(printer(&relay, "mail").is_none());
    let failed = relay.wait_for_message("TLS handshake failed");
    assert_eq!((&failed["level"], &failed["switch"]), (&"INFO".into(), &"hide_starttls".into()));
    assert_eq!((&failed["client"], &failed["listener"]), (&"127.0.0.1".into(), &"mail".into()));

    let mut talk = printer(&relay, "printers").unwrap();
    for (line, answer) in [("MAIL FROM:<printer@lan.example>", "250 "), RCPT, DATA] {
        assert!(talk.say(line).starts_with(answer));
    }
    Smtp::queued(&talk.say("Subject: x\r\n\r\ntoner low\r\n."));
    world.expect_texts(&["toner low"]);
    // Who asks for it all the same gets it.
    let mut talk = Talk::to(relay.door("printers"));
    talk.hear();
    talk.say("EHLO printer");
    assert!(talk.say("STARTTLS").starts_with("220 "));
    let mut talk = talk.secure(&authority.pem);
    assert!(!talk.say("EHLO printer").contains("STARTTLS"));
    assert!(relay.terminate().success());
}
