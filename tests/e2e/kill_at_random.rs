//! SIGKILL at random moments under load: whatever was confirmed arrives, once.
//!
//! The clients do what a mail server does: what got no answer is submitted again when the relay is back. So a
//! mail whose `250` was lost after the commit is there twice, as two submissions (docs/architecture.md, "A mail
//! twice"); these are counted exactly and must each belong to a submission that broke.
//!
//! In a rough storm the platform calls back, shuffled and some of it twice, and keeps doing so while nobody is
//! there; every life meets refusals of the account, faults and lost answers, so that a second gateway has work, too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use sms_relay::emulator::{CallbackSettings, Fault, FaultRule, Record};
use sms_relay::model::FinalState::Delivered;
use sms_relay::model::Lane;
use sms_relay::model::State::{self, Final};
use sms_relay::spool::Spool as _;

use crate::support::{PATIENCE, Relay, Smtp, World, request};

/// Submissions until a phone has its next one.
const PHONES: usize = 150;

/// What is submitted, how, and how often the relay is killed meanwhile.
struct Storm {
    submissions: usize,
    kills: usize,
    clients: usize,
    /// Phones of one submission.
    phones: usize,
    client: fn() -> Box<dyn Client>,
    /// Callbacks, a second gateway, and faults in every life.
    is_rough: bool,
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
        let priority = match lane(number) {
            Lane::Critical => 1,
            Lane::Normal => 3,
            Lane::Bulk => 5,
        };
        let text = text(number);
        let mail = format!("From: nagios@example.com\r\nX-Priority: {priority}\r\n\r\n{text}");
        let reply = smtp.mail("nagios@example.com", &format!("{phone}@sms.local"), &mail)?;
        self.0 = Some((*doors, smtp));
        Some(vec![format!("{}-1", Smtp::queued(&reply))])
    }
}

/// A post a connection.
struct FormClient;

impl Client for FormClient {
    fn submit(&mut self, doors: &Doors, number: usize, phones: &[String]) -> Option<Vec<String>> {
        let body = serde_json::json!({"to": phones, "text": text(number)});
        let (code, answer) = request(doors.http, "POST /sms", Some(&body))?;
        assert_eq!(code, 200, "{answer}");
        let ids = answer["messages"].as_array().unwrap().iter();
        Some(ids.map(|message| message["id"].as_str().unwrap().to_owned()).collect())
    }
}

fn text(number: usize) -> String {
    format!("alarm {number:04}")
}

/// Those that share a phone are in two lanes, by turns.
fn lane(number: usize) -> Lane {
    if (number / PHONES).is_multiple_of(2) { Lane::Critical } else { Lane::Bulk }
}

/// Several submissions share a phone, so that they wait for each other.
fn phones(storm: &Storm, number: usize) -> Vec<String> {
    (0..storm.phones).map(|phone| format!("+39347{phone}{:06}", number % PHONES)).collect()
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
            let Some(left) = left else {
                let confirmed = state.confirmed.len();
                drop(state);
                panic!("{what}: not in time, with {confirmed} confirmed");
            };
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

    let mut world = World::with_platform(|platform| {
        platform.callbacks =
            CallbackSettings { copies: 2, copied_percent: 30, shuffled: true, ..CallbackSettings::default() };
        platform.basic = Some(("backup".to_owned(), "swordfish".into()));
    });
    // As many as there may be: this is not about patience.
    let asked =
        "ask = { first = \"1s\", most = \"2s\" }\nquestions_per_second = 500\nask_with_callbacks = \"3s\"";
    world.otherwise.push(("ask = { first = \"1s\", most = \"2s\" }", asked.to_owned()));
    let _port = storm.is_rough.then(|| {
        world.expect_callbacks();
        add_gateway(&mut world);
        world.keep_http_port()
    });
    let start = || {
        let relay = world.start();
        if storm.is_rough {
            world.call_back_to(&relay);
            order_faults(&world);
        }
        relay
    };
    let relay = start();
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
    let relay = std::thread::scope(|scope| {
        let mut relay = relay;
        for _ in 0..storm.clients {
            scope.spawn(|| field.work(storm));
        }
        for life in 2..=storm.kills + 1 {
            wait_for_a_moment(storm, &world, &field, share(1), &mut random);
            relay.kill();
            for (_, state) in &world.remains().messages() {
                *interrupted.entry(state.as_str()).or_default() += 1;
            }
            relay = start();
            field.change(|progress| {
                progress.doors = Doors::of(&relay, life);
                progress.allowed = share(life);
            });
        }
        relay
    });

    let Progress { confirmed, broken, .. } = field.state.into_inner().unwrap();
    println!("kills met messages in these states: {interrupted:?}; broken submissions: {broken:?}");
    assert_eq!(confirmed.len(), storm.submissions);
    let ids: BTreeSet<&String> = confirmed.values().flatten().collect();
    assert_eq!(ids.len(), storm.submissions * storm.phones, "every SMS has an id of its own");
    world.wait_until_finished();
    assert!(relay.terminate().success());
    check(storm, &world, &confirmed, &broken);
    check_order(&world);
    if storm.is_rough {
        check_callbacks(&world);
    }
}

/// Another account at the same platform.
fn add_gateway(world: &mut World) {
    world.otherwise.push(("[gateway]\nurl", "[[gateway]]\nname = \"main\"\nurl".to_owned()));
    world.extra.push_str(&format!(
        "[[gateway]]\nname = \"backup\"\nurl = \"{}\"\ntotal_time = \"10s\"\n\
         basic = {{ username = \"backup\", password = {{ env = \"PBX_PASSWORD\" }} }}\n\n",
        world.emulator.base_url()
    ));
}

/// What the next life of the relay meets, a few times each. The first shuts a gateway for a while.
fn order_faults(world: &World) {
    let status = |code| Fault::Status { code, retry_after: None, body: None, recorded: false };
    let faults = [
        (status(401), 1),
        (Fault::Reset { recorded: true }, 3),
        (Fault::Reset { recorded: false }, 2),
        (status(500), 2),
        (Fault::Garbage { recorded: true }, 1),
    ];
    for (fault, times) in faults {
        world.order(FaultRule::on_send(fault).times(times));
    }
}

/// Some progress of one kind or another, at most a life's share of it.
fn wait_for_a_moment(storm: &Storm, world: &World, field: &Field, share: usize, random: &mut fastrand::Rng) {
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
        // Some of them find nobody and are given up.
        _ if storm.is_rough => {
            let before = world.emulator.record(Record::callbacks).taken;
            let more = more.div_ceil(4);
            world.wait_for_platform("called back", |record| record.callbacks().taken >= before + more);
        }
        _ => {
            let before = world.emulator.requests().status;
            world.wait_for_platform("asked", |record| record.requests().status >= before + more);
        }
    }
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

/// What goes to one phone in one lane is taken in the order in which it was accepted.
fn check_order(world: &World) {
    let accepted = world.emulator.accepted();
    let taken: BTreeMap<&str, u64> =
        accepted.iter().map(|sms| (sms.message_id.as_str(), sms.number)).collect();
    let mut last: BTreeMap<(String, usize), u64> = BTreeMap::new();
    let kept = world.remains().messages();
    let views = world.with_spool(async |spool| {
        let mut views = Vec::new();
        for (id, _) in kept {
            let view = spool.submission(id.submission).await.unwrap().unwrap();
            views.extend(view.messages.into_iter().filter(|message| message.sms.id == id));
        }
        views
    });
    for message in &views {
        let place = (message.sms.destination.to_string(), message.lane.index());
        let number = taken[message.sms.id.to_string().as_str()];
        let before = last.insert(place, number).unwrap_or(0);
        assert!(before < number, "{} was taken before an earlier one: {message:#?}", message.sms.id);
    }
}

/// Each handset's word is there once, whatever was repeated, and both gateways had work.
fn check_callbacks(world: &World) {
    let kept = world.remains().messages();
    let mut by_gateway: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_callback = 0;
    world.with_spool(async |spool| {
        for (id, _) in &kept {
            let view = spool.submission(id.submission).await.unwrap().unwrap();
            for message in view.messages {
                assert!(message.callbacks.len() <= 1, "{message:#?}");
                let is_end = |event: &&sms_relay::spool::Event| {
                    event.state == Final(Delivered) && !event.note.starts_with("callback: ")
                };
                assert_eq!(message.events.iter().filter(is_end).count(), 1, "{message:#?}");
                by_callback += message.callbacks.len();
                *by_gateway.entry(message.gateway.unwrap()).or_default() += 1;
            }
        }
    });
    println!("of {} SMS {by_callback} have a callback; by gateway: {by_gateway:?}", kept.len());
    assert!(by_callback > kept.len() / 2, "{by_callback} of {}", kept.len());
    assert_eq!(by_gateway.len(), 2, "{by_gateway:?}");
}

#[test]
fn a_thousand_mails_with_callbacks_and_faults_through_twenty_kills() {
    let client: fn() -> Box<dyn Client> = || Box::new(MailClient::default());
    rage(&Storm { submissions: 1000, kills: 20, clients: 8, phones: 1, client, is_rough: true });
}

#[test]
fn mails_through_ten_kills() {
    let client: fn() -> Box<dyn Client> = || Box::new(MailClient::default());
    rage(&Storm { submissions: 500, kills: 10, clients: 8, phones: 1, client, is_rough: false });
}

#[test]
fn form_posts_through_five_kills() {
    let client: fn() -> Box<dyn Client> = || Box::new(FormClient);
    rage(&Storm { submissions: 120, kills: 5, clients: 6, phones: 2, client, is_rough: false });
}
