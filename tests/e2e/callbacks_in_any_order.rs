//! Three thousand messages in flight, and the platform says in any order, some of it twice, in either shape and by
//! several connections, how each part ended: every state, price, count and report is as it should be.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sms_relay::emulator::{Fault, FaultRule, Outcome, Record};
use sms_relay::model::{FinalState, Price, State};
use sms_relay::spool::{Backlog, MessageView, Spool as _};

use crate::support::{Arrived, PATIENCE, SECRET, Smtp, World};

const MAILS: usize = 100;
/// Of each mail, a phone each.
const RECIPIENTS: usize = 30;
const MESSAGES: usize = MAILS * RECIPIENTS;
/// Those that the platform calls by.
const CONNECTIONS: usize = 8;
/// Of a hundred callbacks, how many come twice.
const TWICE: u8 = 10;
/// Of a hundred requests, how many bring several callbacks.
const TOGETHER: u8 = 5;
/// Callbacks about messages that nobody knows.
const STRANGERS: usize = 40;
/// Most go many in a call, which is quicker; the last mail is not of these.
const MANY: &str =
    "[[rule]]\nname = \"many\"\nwhen.envelope_sender = \"^ups[0-9]*[0-8]@\"\napi = \"legacy\"\n";
/// In the last mail: the calls that send it have no answer before everything was said.
const HELD: &str = "spoken of early";

/// What is to become of a message, by its number.
#[derive(Clone, Copy)]
struct Wanted(usize);

impl Wanted {
    fn parts(self) -> u32 {
        [1, 2, 3][self.0 / RECIPIENTS % 3]
    }

    fn end(self) -> FinalState {
        match self.0 % 25 {
            7 | 20 => FinalState::Undelivered,
            13 => FinalState::Expired,
            _ => FinalState::Delivered,
        }
    }

    /// What the platform says of a part: of those of a message that fails, one does.
    fn code(self, part: u32) -> i64 {
        match self.0 % 25 {
            7 | 20 if self.is_bad(part) => 6,
            13 if self.is_bad(part) => 8,
            _ => 3,
        }
    }

    fn is_bad(self, part: u32) -> bool {
        part as usize == self.0 % self.parts() as usize + 1
    }

    /// What a part costs, in millionths; not the same for all.
    fn price(self, part: u32) -> i64 {
        10_500 * (1 + (self.0 as i64 + i64::from(part)) % 4)
    }

    fn notify(self) -> &'static str {
        ["", " NOTIFY=NEVER", " NOTIFY=FAILURE", " NOTIFY=SUCCESS"][self.0 % 4]
    }

    /// What its sender is told.
    fn told(self) -> Option<&'static str> {
        match (self.0 % 4, self.end()) {
            (3, FinalState::Delivered) => Some("delivered"),
            (1 | 3, _) | (_, FinalState::Delivered) => None,
            _ => Some("failed"),
        }
    }

    fn recipient(self) -> String {
        format!("39347{:07}@sms.local", self.0)
    }

    /// The callback about a part, in one shape or the other.
    fn callback(self, id: &str, part: u32, is_universal: bool) -> Value {
        let mut said = json!({
            "channel": "SMS",
            "eventType": "DELIVERY",
            "messageId": id,
            "statusCode": self.code(part),
            "price": self.price(part) as f64 / 1e6,
            "numPart": part,
            "totalParts": self.parts(),
        });
        let more = match is_universal {
            true => [
                ("destination", "+393471234567"),
                ("description", "x"),
                ("eventDate", "2026-03-01T10:00:00Z"),
            ],
            false => [("statusDescription", "X"), ("timestamp", "2026-03-01T10:00:00Z"), ("new", "ignored")],
        };
        for (name, value) in more {
            said[name] = value.into();
        }
        said
    }
}

/// The messages of a mail.
fn of_mail(mail: usize) -> impl Iterator<Item = Wanted> {
    (mail * RECIPIENTS..(mail + 1) * RECIPIENTS).map(Wanted)
}

/// Hands in the mails from `first` on, every so many, each from a sender of its own. Their ids by number.
fn submit(relay: SocketAddr, mails: impl Iterator<Item = usize>) -> Vec<(usize, String)> {
    let mut smtp = Smtp::connect(relay).unwrap();
    let submit = |mail: usize| {
        let mut say = |line: &str| smtp.command(line).unwrap();
        assert!(say(&format!("MAIL FROM:<ups{mail}@example.com>")).starts_with('2'));
        for wanted in of_mail(mail) {
            let reply = say(&format!("RCPT TO:<{}>{}", wanted.recipient(), wanted.notify()));
            assert!(reply.starts_with('2'), "{reply}");
        }
        assert!(say("DATA").starts_with('3'));
        let words =
            ["On battery.", &"Load 41 percent, 12 minutes left. ".repeat(6), &"Fan 2 stands. ".repeat(25)];
        let held = if mail == MAILS - 1 { HELD } else { "" };
        let text = format!("{}{held}", words[mail % 3]);
        (mail, Smtp::queued(&say(&format!("From: ups@example.com\r\n\r\n{text}\r\n."))))
    };
    mails.map(submit).collect()
}

/// The bodies of all requests in random order, and how many callbacks come again.
fn requests(ids: &[String]) -> (Vec<String>, usize) {
    let mut random = fastrand::Rng::with_seed(5);
    let mut said = Vec::new();
    for wanted in (0..MESSAGES).map(Wanted) {
        let id = format!("{}-{}", ids[wanted.0 / RECIPIENTS], wanted.0 % RECIPIENTS + 1);
        for part in 1..=wanted.parts() {
            said.push(wanted.callback(&id, part, random.bool()));
        }
    }
    let again: Vec<Value> = said.iter().filter(|_| random.u8(..100) < TWICE).cloned().collect();
    let count = again.len();
    said.extend(again);
    said.extend(
        (1..=STRANGERS).map(|n| Wanted(0).callback(&format!("{}-{}", ids[0], MESSAGES + n), 1, true)),
    );
    random.shuffle(&mut said);
    let mut requests = Vec::new();
    let mut left = said.as_slice();
    while !left.is_empty() {
        let several = random.u8(..100) < TOGETHER;
        let (now, later) = left.split_at(if several { random.usize(2..20).min(left.len()) } else { 1 });
        requests.push(if several { json!(now).to_string() } else { now[0].to_string() });
        left = later;
    }
    (requests, count)
}

/// Makes all requests, by several connections that stay open.
fn call(relay: SocketAddr, requests: &[String]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let stream = TcpStream::connect(relay).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut stream = BufReader::new(stream);
                while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let request = format!(
                        "POST /callbacks/{SECRET} HTTP/1.1\r\nHost: relay.test\r\nContent-Type: application/json\r\n\
                         Content-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.get_mut().write_all(request.as_bytes()).unwrap();
                    let status = answer(&mut stream);
                    assert!(status.starts_with("HTTP/1.1 200 "), "{status}: {body}");
                }
            });
        }
    });
}

/// The status line of an answer, whose body is passed over.
fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let lines: Vec<String> =
        stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    stream.read_exact(&mut vec![0; length.unwrap()]).unwrap();
    lines[0].clone()
}

/// Recipients and actions of a report.
fn told(report: &Arrived) -> BTreeSet<(String, String)> {
    let mut told = BTreeSet::new();
    let mut recipient = String::new();
    for line in report.text.lines() {
        if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
            recipient = address.to_owned();
        } else if let Some(action) = line.strip_prefix("Action: ") {
            assert!(told.insert((recipient.clone(), action.to_owned())), "twice: {}", report.text);
        }
    }
    told
}

fn check(message: &MessageView, wanted: Wanted) {
    let number = wanted.0;
    assert_eq!(message.sms.text.parts, wanted.parts(), "{number}");
    assert_eq!(message.state, State::Final(wanted.end()), "{number}: {message:#?}");
    assert_eq!(message.callbacks.len(), wanted.parts() as usize, "{number}: {message:#?}");
    let price = (1..=wanted.parts()).map(|part| Price::from_millionths(wanted.price(part))).sum::<Price>();
    assert_eq!(message.price, Some(price), "{number}: {message:#?}");
    let is_end = |note: &str| !note.starts_with("callback: ") && !note.contains("report filed as ");
    let ends = message.events.iter().filter(|event| matches!(event.state, State::Final(_)));
    assert_eq!(ends.filter(|event| is_end(&event.note)).count(), 1, "{number}: {message:#?}");
    assert_eq!(message.attempts, 1, "{number}: {message:#?}");
}

#[test]
fn every_count_is_right_whatever_the_order() {
    let mut world = World::calling(|settings| settings.delivery.outcome = Outcome::Never);
    world.otherwise.extend([
        ("[dispatch]", "[dispatch]\nconcurrency = 48".to_owned()),
        ("total_time = \"10s\"", "total_time = \"60s\"".to_owned()),
        ("window = \"30s\"", "window = \"10m\"".to_owned()),
        ("level = \"debug\"", "level = \"info\"".to_owned()),
    ]);
    world.rules.push_str(MANY);
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).containing(HELD));
    let relay = world.start_with(&[("CALLBACK_SECRET", SECRET)]);
    let mut ids: Vec<(usize, String)> = std::thread::scope(|scope| {
        let submitters: Vec<_> = (0..4)
            .map(|first| scope.spawn(move || submit(relay.smtp, (first..MAILS - 1).step_by(4))))
            .collect();
        submitters.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    ids.extend(submit(relay.smtp, std::iter::once(MAILS - 1)));
    ids.sort_unstable();
    let ids: Vec<String> = ids.into_iter().map(|(_, id)| id).collect();
    let is_out = |record: &Record| record.total() == MESSAGES as u64 && record.held() == RECIPIENTS;
    world.wait_for_platform("all are in flight, and of some the call is, too", is_out);

    let (requests, again) = requests(&ids);
    call(relay.http, &requests);
    world.emulator.clear_faults();
    world.wait_until_finished();
    let parts: u32 = (0..MESSAGES).map(|number| Wanted(number).parts()).sum();
    let taken = |result: &str| relay.counted(&format!("sms_relay_callbacks_total{{result=\"{result}\"}}"));
    assert_eq!(taken("new") + taken("late"), u64::from(parts));
    assert!(taken("late") > 0, "some parts came after the end of their message");
    assert_eq!([taken("repeated"), taken("unknown_id")], [again, STRANGERS].map(|count| count as u64));
    assert_eq!(taken("early"), 0, "all name our ids");
    let answered = relay.counted("sms_relay_callback_requests_total{result=\"ok\"}");
    assert_eq!(answered, requests.len() as u64);
    assert!(relay.terminate().success());
    let asked = world.emulator.requests();
    assert_eq!((asked.send, asked.status), (MESSAGES as u64 / 10, 0));

    world.with_spool(async |spool| {
        assert_eq!(spool.backlog().await.unwrap(), Backlog::default());
        for (mail, id) in ids.iter().enumerate() {
            let view = spool.submission(id.parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(view.messages.len(), RECIPIENTS);
            view.messages.iter().zip(of_mail(mail)).for_each(|(message, wanted)| check(message, wanted));
        }
    });
    let mut reports = world.mailbox.mails();
    for mail in 0..MAILS {
        let wanted: BTreeSet<(String, String)> =
            of_mail(mail).filter_map(|one| Some((one.recipient(), one.told()?.to_owned()))).collect();
        let sender = format!("RCPT TO:<ups{mail}@example.com>");
        let of_sender: Vec<Arrived> = reports.extract_if(.., |report| report.rcpt_to == [&*sender]).collect();
        let [report] = of_sender.as_slice() else { panic!("{sender}: {} reports", of_sender.len()) };
        assert_eq!(told(report), wanted, "{sender}");
    }
    assert!(reports.is_empty(), "for nobody else: {reports:#?}");
}
