//! SIGKILL at random moments under load: whatever was confirmed arrives, once.
//!
//! The clients do what a mail server does: what got no answer is submitted again when the relay is back. So a
//! mail whose `250` was lost after the commit is there twice, as two submissions (docs/architecture.md, "A mail
//! twice"); these are counted exactly and must each belong to a submission that broke.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use sms_relay::emulator::Record;
use sms_relay::model::FinalState::Delivered;
use sms_relay::model::State::{self, Final};

use crate::support::{PATIENCE, Relay, Smtp, World};

/// What is submitted, how, and how often the relay is killed meanwhile.
struct Storm {
    submissions: usize,
    kills: usize,
    clients: usize,
    /// Phones of one submission.
    phones: usize,
    client: fn() -> Box<dyn Client>,
}

/// Submits, on a connection of its own choice.
trait Client {
    /// The message ids that were confirmed; `None` when no answer came. Panics on a refusal.
    fn submit(&mut self, doors: &Doors, number: usize, phones: &[String]) -> Option<Vec<String>>;
}

/// Where the relay listens in this life.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Doors {
    life: usize,
    smtp: SocketAddr,
    http: SocketAddr,
}

impl Doors {
    fn of(relay: &Relay, life: usize) -> Self {
        Self { life, smtp: relay.smtp, http: relay.http }
    }
}

/// A mail a time, on one connection for as long as it lasts.
#[derive(Default)]
struct MailClient(Option<(Doors, Smtp)>);

impl Client for MailClient {
    fn submit(&mut self, doors: &Doors, number: usize, phones: &[String]) -> Option<Vec<String>> {
        let mut smtp = match self.0.take() {
            Some((known, smtp)) if known == *doors => smtp,
            _ => Smtp::connect(doors.smtp)?,
        };
        let [phone] = phones else { panic!("one recipient a mail") };
        let mail = format!("From: nagios@example.com\r\n\r\n{}", text(number));
        let reply = smtp.mail("nagios@example.com", &format!("{phone}@sms.local"), &mail)?;
        self.0 = Some((*doors, smtp));
        Some(vec![format!("{}-1", Smtp::queued(&reply))])
    }
}

/// A post a connection.
struct FormClient;

impl Client for FormClient {
    fn submit(&mut self, doors: &Doors, number: usize, phones: &[String]) -> Option<Vec<String>> {
        let body = serde_json::json!({"to": phones, "text": text(number)}).to_string();
        let head = format!(
            "POST /sms HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\nX-Api-Key: swordfish\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(doors.http).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        // An answer that was cut is none.
        let answer: serde_json::Value = serde_json::from_str(body).ok()?;
        let ids = answer["messages"].as_array().unwrap().iter();
        Some(ids.map(|message| message["id"].as_str().unwrap().to_owned()).collect())
    }
}

fn text(number: usize) -> String {
    format!("alarm {number:04}")
}

/// Several submissions share a phone, so that they wait for each other.
fn phones(storm: &Storm, number: usize) -> Vec<String> {
    (0..storm.phones).map(|phone| format!("+39347{phone}{:06}", number % 300)).collect()
}

/// What clients and the killer tell each other.
struct Field {
    state: Mutex<Progress>,
    changed: Condvar,
}

struct Progress {
    doors: Doors,
    /// Submissions that may begin, so that every life of the relay gets some.
    allowed: usize,
    begun: usize,
    confirmed: BTreeMap<usize, Vec<String>>,
    /// Submissions that got no answer, by number.
    broken: BTreeMap<usize, usize>,
}

impl Field {
    fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until `seen` sees something.
    fn wait<T>(&self, what: &str, mut seen: impl FnMut(&mut Progress) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = seen(&mut state) {
                return found;
            }
            let left = deadline.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("{what}: {} confirmed", state.confirmed.len()));
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Takes submissions until there are no more, each until it is confirmed.
    fn work(&self, storm: &Storm) {
        let mut client = (storm.client)();
        let next = || {
            self.wait("the next may begin", |progress| {
                if progress.begun == storm.submissions {
                    return Some(None);
                }
                (progress.begun < progress.allowed).then(|| {
                    progress.begun += 1;
                    Some(progress.begun - 1)
                })
            })
        };
        while let Some(number) = next() {
            let mut life = 0;
            loop {
                let doors = self.wait("the relay is back", |progress| {
                    (progress.doors.life > life).then_some(progress.doors)
                });
                match client.submit(&doors, number, &phones(storm, number)) {
                    Some(ids) => {
                        self.change(|progress| drop(progress.confirmed.insert(number, ids)));
                        break;
                    }
                    None => {
                        self.change(|progress| *progress.broken.entry(number).or_default() += 1);
                        life = doors.life;
                    }
                }
            }
        }
    }
}

fn rage(storm: &Storm) {
    let seed = std::env::var("SMS_RELAY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SMS_RELAY_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let world = World::new();
    let relay = world.start();
    let share = |life: usize| storm.submissions * life / (storm.kills + 1);
    let field = Field {
        state: Mutex::new(Progress {
            doors: Doors::of(&relay, 1),
            allowed: share(1),
            begun: 0,
            confirmed: BTreeMap::new(),
            broken: BTreeMap::new(),
        }),
        changed: Condvar::new(),
    };
    let mut interrupted: BTreeMap<&str, usize> = BTreeMap::new();
    let (relay, last) = std::thread::scope(|scope| {
        let (mut relay, mut last) = (relay, Vec::new());
        for _ in 0..storm.clients {
            scope.spawn(|| field.work(storm));
        }
        for life in 2..=storm.kills + 1 {
            wait_for_a_moment(&world, &field, share(1), &mut random);
            relay.kill();
            last = world.remains().messages();
            for (_, state) in &last {
                *interrupted.entry(state.as_str()).or_default() += 1;
            }
            relay = world.start();
            field.change(|progress| {
                progress.doors = Doors::of(&relay, life);
                progress.allowed = share(life);
            });
        }
        (relay, last)
    });

    let Progress { confirmed, broken, .. } = field.state.into_inner().unwrap();
    println!("kills met messages in these states: {interrupted:?}; broken submissions: {broken:?}");
    assert_eq!(confirmed.len(), storm.submissions);
    let ids: BTreeSet<&String> = confirmed.values().flatten().collect();
    assert_eq!(ids.len(), storm.submissions * storm.phones, "every SMS has an id of its own");
    wait_for_the_last(&relay, &last, &ids);
    assert!(relay.terminate().success());
    check(storm, &world, &confirmed, &broken);
}

/// Some progress of one kind or another, at most a life's share of it.
fn wait_for_a_moment(world: &World, field: &Field, share: usize, random: &mut fastrand::Rng) {
    let some = random.usize(1..share);
    let more = some as u64;
    match random.u8(0..4) {
        0 => {
            let before = field.state.lock().unwrap().confirmed.len();
            field.wait("confirmed", |progress| (progress.confirmed.len() >= before + some).then_some(()));
        }
        1 => {
            let before = world.emulator.record(Record::total);
            world.wait_for_platform("taken", |record| record.total() >= before + more);
        }
        2 => {
            let before = world.emulator.requests().send;
            world.wait_for_platform("asked to send", |record| record.requests().send >= before + more);
        }
        _ => {
            let before = world.emulator.requests().status;
            world.wait_for_platform("asked", |record| record.requests().status >= before + more);
        }
    }
}

/// Waits until the last life has ended what it found and what it took.
fn wait_for_the_last(relay: &Relay, found: &[(sms_relay::model::MessageId, State)], ids: &BTreeSet<&String>) {
    let found: BTreeMap<String, State> = found.iter().map(|(id, state)| (id.to_string(), *state)).collect();
    let taken = ids.iter().map(|id| (*id).clone()).filter(|id| !found.contains_key(id));
    let is_open = |state: State| !matches!(state, Final(_));
    let open = found.iter().filter(|(_, state)| is_open(**state)).map(|(id, _)| id.clone());
    let mut waiting: BTreeSet<String> = taken.chain(open).collect();
    relay.follow_log("all final", |line| {
        if line["message"] == "final" {
            waiting.remove(line["id"].as_str().unwrap());
        }
        waiting.is_empty()
    });
}

fn check(
    storm: &Storm,
    world: &World,
    confirmed: &BTreeMap<usize, Vec<String>>,
    broken: &BTreeMap<usize, usize>,
) {
    let kept: BTreeMap<String, State> =
        world.remains().messages().into_iter().map(|(id, state)| (id.to_string(), state)).collect();
    let open: Vec<_> = kept.iter().filter(|(_, state)| **state != Final(Delivered)).collect();
    assert!(open.is_empty(), "not delivered: {open:?}");

    assert_eq!(world.emulator.record(Record::repeated), Vec::<String>::new(), "sent twice");
    let accepted: BTreeMap<String, (String, String)> = world
        .emulator
        .accepted()
        .into_iter()
        .map(|sms| (sms.message_id, (sms.text, sms.destination)))
        .collect();
    assert_eq!(
        accepted.keys().collect::<Vec<_>>(),
        kept.keys().collect::<Vec<_>>(),
        "all that was kept is sent"
    );

    for (number, ids) in confirmed {
        let sent: Vec<_> = ids.iter().map(|id| accepted[id].clone()).collect();
        let wanted: Vec<_> = phones(storm, *number).into_iter().map(|phone| (text(*number), phone)).collect();
        assert_eq!(sent, wanted, "submission {number}");
    }

    let known: BTreeSet<&String> = confirmed.values().flatten().collect();
    let mut unconfirmed: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (id, (text, phone)) in &accepted {
        if !known.contains(id) {
            *unconfirmed.entry(text).or_default().entry(phone).or_default() += 1;
        }
    }
    println!("kept without a confirmation: {unconfirmed:?}");
    for (said, counts) in unconfirmed {
        let number: usize = said.strip_prefix("alarm ").unwrap().parse().unwrap();
        let times = counts.values().next().copied().unwrap();
        let whole: BTreeMap<String, usize> =
            phones(storm, number).into_iter().map(|phone| (phone, times)).collect();
        let counts: BTreeMap<String, usize> =
            counts.into_iter().map(|(phone, count)| (phone.to_owned(), count)).collect();
        assert_eq!(counts, whole, "never half of submission {number}");
        assert!(times <= broken.get(&number).copied().unwrap_or(0), "submission {number}: {times} times");
    }
}

#[test]
fn a_thousand_mails_through_twenty_kills() {
    let client: fn() -> Box<dyn Client> = || Box::new(MailClient::default());
    rage(&Storm { submissions: 1000, kills: 20, clients: 8, phones: 1, client });
}

#[test]
fn form_posts_through_five_kills() {
    let client: fn() -> Box<dyn Client> = || Box::new(FormClient);
    rage(&Storm { submissions: 120, kills: 5, clients: 6, phones: 2, client });
}
