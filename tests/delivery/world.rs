//! One relay with its platform.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::Timestamp;
use sms_relay::dispatch::{self, Dispatch, Figures, Traffic};
use sms_relay::emulator::{self, AnswerShape, Emulator, Endpoint, Fault, FaultRule, Outcome};
use sms_relay::gateway::universal::{self, Credentials, Universal};
use sms_relay::gateway::{Flow, Gateway, LineSettings, Lines};
use sms_relay::mailer::{self, Mailer, Tls};
use sms_relay::model::{
    Channel, Client, CreditOutcome, Delivery, Door, Encoding, Fate, Legacy, MailAddress, Message, MessageId,
    Notify, Original, PhoneNumber, Recipient, ReportTo, Secret, SendOutcome, SenderId, Sms, SmsOptions,
    SmsText, StatusOutcome, Submission, SubmissionId, Template, Way, Ways,
};
use sms_relay::reporting::{self, Reporting};
use sms_relay::retry::{AskPlan, Backoff, Permission};
use sms_relay::spool::sqlite::{self, SqliteSpool};
use sms_relay::spool::{MessageView, Queue, Spool};
use sms_relay::tracking::{self, Tracking};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::PATIENCE;
use crate::mailbox::Mailbox;
use crate::places::{Places, STRANGER};
use crate::words::{By, Does, Gate, Row, Told, after};

/// Between two looks at what nothing tells of.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a gateway waits that does not wait long.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// What all worlds have together.
pub struct Surroundings {
    pub mailbox: Mailbox,
    pub places: Places,
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Back-off of a message.
    pub back_off: Duration,
    /// First wait before a probe.
    pub probe: Duration,
    /// Until the platform is asked whether it has a message, and whether that has arrived.
    pub ask: Duration,
    /// The pause that the platform asks for.
    pub pause: Duration,
    /// How long a report waits for other recipients.
    pub window: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);

impl Pace {
    /// After the first answer nothing more happens.
    pub const FROZEN: Self =
        Self { back_off: HOUR, probe: HOUR, ask: HOUR, pause: HOUR, window: Duration::from_millis(1) };
    /// Everything happens soon.
    pub const QUICK: Self = Self {
        back_off: Duration::from_millis(200),
        probe: Duration::from_millis(200),
        ask: Duration::from_millis(50),
        // The shortest that can be asked for.
        pause: Duration::from_secs(1),
        window: Duration::from_secs(30),
    };
    /// A message may be tried again soon; gateway and platform rest.
    pub const RESTLESS: Self = Self { back_off: Duration::from_millis(20), ..Self::FROZEN };
}

/// Which client makes a call.
enum Which {
    Patient,
    Impatient,
    Away,
}

impl Which {
    fn of(does: &Does) -> Self {
        match does {
            Does::Right | Does::Fault(_) | Does::Pause { .. } | Does::LetGo(_) => Self::Patient,
            Does::TooLong(_) => Self::Impatient,
            Does::Away(_) => Self::Away,
        }
    }
}

/// A gateway whose first calls may be made with less patience, or to where nobody is.
struct Calls {
    name: String,
    patient: Universal,
    impatient: Option<Universal>,
    away: Option<Universal>,
    sends: Mutex<VecDeque<Which>>,
    asks: Mutex<VecDeque<Which>>,
}

impl Calls {
    fn next(&self, queue: &Mutex<VecDeque<Which>>) -> &Universal {
        match queue.lock().unwrap().pop_front() {
            None | Some(Which::Patient) => &self.patient,
            Some(Which::Impatient) => self.impatient.as_ref().unwrap(),
            Some(Which::Away) => self.away.as_ref().unwrap(),
        }
    }
}

#[async_trait]
impl Gateway for Calls {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sms: &Sms) -> SendOutcome {
        self.next(&self.sends).send(sms).await
    }

    async fn send_many(&self, sms: &[Sms], legacy: Legacy) -> SendOutcome {
        self.next(&self.sends).send_many(sms, legacy).await
    }

    async fn send_template(&self, sms: &Sms, template: &Template) -> SendOutcome {
        self.next(&self.sends).send_template(sms, template).await
    }

    async fn status(&self, id: &MessageId, channel: Channel) -> StatusOutcome {
        self.next(&self.asks).status(id, channel).await
    }

    async fn credit(&self) -> CreditOutcome {
        self.patient.credit().await
    }
}

fn client(name: &str, base_url: String, total_time: Duration) -> Universal {
    Universal::new(universal::Settings {
        name: name.to_owned(),
        // Without one the system's roots are read for every client.
        ca_pem: base_url.starts_with("https").then(|| STRANGER.to_vec()),
        base_url,
        credentials: Credentials::ApiKey(Secret::from("k3y")),
        connect_time: total_time.mul_f64(0.9),
        total_time,
    })
    .unwrap()
}

async fn platform(row: &Row) -> Emulator {
    let delivery = emulator::Delivery { delay: Duration::ZERO, outcome: Outcome::Delivered };
    let answer_shape = if row.array { AnswerShape::Array } else { AnswerShape::Object };
    Emulator::start(emulator::Settings { delivery, answer_shape, ..Default::default() }).await.unwrap()
}

pub struct World {
    pub row: Row,
    pub pace: Pace,
    pub emulator: Emulator,
    pub backup: Option<Emulator>,
    pub spool: Arc<SqliteSpool>,
    /// When the platform was told what to do: dates count from then.
    pub ordered_at: Timestamp,
    around: Arc<Surroundings>,
    gateways: Vec<(Arc<dyn Gateway>, LineSettings)>,
    lines: Arc<Lines>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
    _directory: TempDir,
}

impl World {
    /// A relay whose platform does `sends` with the calls that send, and with questions what the row says.
    pub async fn start(
        row: &Row,
        pace: Pace,
        sends: &[Does],
        has_backup: bool,
        around: &Arc<Surroundings>,
    ) -> Self {
        let emulator = platform(row).await;
        let backup = if has_backup { Some(platform(row).await) } else { None };
        let endpoint = match row.by {
            By::Universal => Endpoint::Send,
            By::Legacy => Endpoint::Legacy,
            By::Template => Endpoint::Template,
        };
        let ordered_at = Timestamp::now();
        let order = |endpoint, fault: Option<Fault>, times| {
            if let Some(fault) = fault {
                emulator.order(FaultRule { endpoint, times, ..FaultRule::on_send(fault) }).unwrap();
            }
        };
        for does in sends {
            order(endpoint, does.fault(pace.pause), Some(1));
        }
        for does in &row.asks {
            order(Endpoint::Status, does.fault(pace.pause), (!row.never_tells).then_some(1));
        }
        let away = sends.iter().find_map(|does| {
            let Does::Away(why) = does else { return None };
            Some(around.places.base_url(*why))
        });
        let is_late = sends.iter().chain(&row.asks).any(|does| matches!(does, Does::TooLong(_)));
        let main = Calls {
            name: "main".to_owned(),
            patient: client("main", emulator.base_url(), PATIENCE),
            impatient: is_late.then(|| client("main", emulator.base_url(), IMPATIENCE)),
            away: away.map(|base_url| client("main", base_url, PATIENCE)),
            sends: Mutex::new(sends.iter().map(Which::of).collect()),
            asks: Mutex::new(row.asks.iter().map(Which::of).collect()),
        };
        let same = |wait| Backoff { first: wait, most: wait };
        let line = LineSettings { concurrency: 8, messages_per_second: None, probe: same(pace.probe) };
        let mut gateways: Vec<(Arc<dyn Gateway>, LineSettings)> = vec![(Arc::new(main), line)];
        if let Some(backup) = &backup {
            gateways.push((Arc::new(client("backup", backup.base_url(), PATIENCE)), line));
        }
        let directory = tempfile::tempdir().unwrap();
        let place = sqlite::Settings { directory: directory.path().join("spool"), min_free_octets: 0 };
        let mut world = Self {
            row: row.clone(),
            pace,
            emulator,
            backup,
            ordered_at,
            spool: Arc::new(SqliteSpool::open(place).unwrap()),
            around: Arc::clone(around),
            lines: Arc::new(Lines::new(gateways.clone())),
            gateways,
            stop: watch::Sender::new(false),
            workers: JoinSet::new(),
            _directory: directory,
        };
        world.work();
        world
    }

    fn work(&mut self) {
        let (row, pace) = (&self.row, self.pace);
        let same = |wait| Backoff { first: wait, most: wait };
        let plan = AskPlan { first: pace.ask, with_callbacks: pace.ask, callbacks_alive: pace.ask };
        let dispatch = Dispatch {
            spool: self.spool.clone(),
            lines: Arc::clone(&self.lines),
            flow: Flow::default(),
            pulse: Arc::default(),
            figures: Figures::new(),
            traffic: Traffic::new(),
            settings: dispatch::Settings {
                concurrency: 8,
                backoff: same(pace.back_off),
                probe: same(pace.probe),
                ask_after: pace.ask,
                unknown_time: row.unknown_time,
                plan,
            },
        };
        let tracking = Tracking {
            spool: self.spool.clone(),
            lines: Arc::clone(&self.lines),
            flow: Flow::default(),
            settings: tracking::Settings {
                ask: same(pace.ask),
                plan,
                concurrency: 8,
                questions_per_second: 1000.0,
                give_up_after: pace.ask,
            },
        };
        self.workers.spawn(dispatch.run(self.stop.subscribe()));
        self.workers.spawn(tracking.run(self.stop.subscribe()));
    }

    /// From now on senders are told.
    pub fn tell_senders(&mut self) {
        let mailer = Mailer::new(mailer::Settings {
            host: self.around.mailbox.address.ip().to_string(),
            port: self.around.mailbox.address.port(),
            tls: Tls::Off,
            login: None,
            ca_pem: None,
            hello_name: "relay.example.com".to_owned(),
            total_time: PATIENCE,
        });
        let settings = reporting::Settings {
            hostname: "relay.example.com".to_owned(),
            from: MailAddress::parse("postmaster@relay.example.com").unwrap(),
            operator: None,
            include_text: true,
            template: None,
            window: self.pace.window,
            reports_per_hour: 100,
            backoff: Backoff { first: PAUSE, most: PAUSE },
            lifetime: PATIENCE,
        };
        let mailer = Arc::new(ArcSwap::from_pointee(mailer.unwrap()));
        let reporting = Reporting::new(self.spool.clone(), Some(mailer), Arc::default(), settings);
        self.workers.spawn(reporting.run(self.stop.subscribe()));
    }

    /// Accepts one mail for phones of these numbers. Who sent it wants to know everything; that it is late, at once.
    pub async fn accept(&self, phones: std::ops::Range<usize>, is_late: bool) -> Vec<MessageId> {
        let now = Timestamp::now();
        let id = SubmissionId::new(now);
        let messages =
            phones.zip(1..).map(|(phone, ordinal)| self.message(id.message(ordinal), phone, now, is_late));
        let submission = Submission {
            id,
            received_at: now,
            client: Client {
                door: Door::Smtp,
                listener: "lan".to_owned(),
                address: "192.0.2.7".parse().unwrap(),
                helo: None,
                account: None,
            },
            report_to: ReportTo::Sender(MailAddress::parse("ups@example.com").unwrap()),
            tell_url: None,
            original: Original::default(),
            messages: messages.collect(),
            forwards: Vec::new(),
            remembered: sms_relay::model::Remembered::default(),
        };
        let ids = submission.messages.iter().map(|message| message.sms.id).collect();
        self.spool.accept(submission).await.unwrap();
        ids
    }

    fn message(&self, id: MessageId, phone: usize, now: Timestamp, is_late: bool) -> Message {
        let number = format!("+39347000{phone:04}");
        let (channel, variables) = (Channel::Rcs, BTreeMap::new());
        let way = match self.row.by {
            By::Universal => Way::Sms,
            By::Legacy => Way::Legacy(Legacy::default()),
            By::Template => Way::Template(Template { channel, id: "alert".to_owned(), variables }),
        };
        let ways = if self.row.then_sms { vec![way, Way::Sms] } else { vec![way] };
        let delivery = Delivery {
            ways: Ways::new(ways, None).unwrap(),
            on_unknown: self.row.choice,
            delayed_at: is_late.then_some(now),
            ..Delivery::until(after(now, self.row.lifetime.max(self.pace.ask)))
        };
        Message {
            sms: Sms {
                id,
                destination: PhoneNumber::from_e164(&number).unwrap(),
                sender: SenderId::new("Alarm").unwrap(),
                text: SmsText { body: "disk full".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
                options: SmsOptions::default(),
            },
            recipient: Recipient {
                address: format!("{phone}@sms.local"),
                notify: Notify::On { success: true, failure: true, delay: true },
                orcpt: None,
            },
            rule: "default".to_owned(),
            delivery,
            fate: Fate::Due,
            passage: Default::default(),
        }
    }

    /// Where the messages are.
    pub async fn look(&self, ids: &[MessageId]) -> Vec<MessageView> {
        let mut views = Vec::new();
        for id in ids {
            let view = self.spool.submission(id.submission).await.unwrap().unwrap();
            views.extend(view.messages.into_iter().filter(|message| message.sms.id == *id));
        }
        views
    }

    /// Waits until all of them are as `wanted`, and fails with where they are where that never comes.
    pub async fn wait_for(
        &self,
        ids: &[MessageId],
        wanted: impl Fn(&MessageView) -> bool,
    ) -> Vec<MessageView> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let views = self.look(ids).await;
            if views.iter().all(&wanted) {
                return views;
            }
            let where_they_are = || views.iter().map(course).collect::<Vec<_>>();
            assert!(Instant::now() < deadline, "{}: waited in vain: {:?}", self.row, where_they_are());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets the platform's calls go that it holds, once there are so many.
    pub async fn let_go(&self, does: &Does, calls: usize) {
        if let Does::LetGo(_) = does {
            self.emulator.wait_until(|record| record.held() == calls, PATIENCE).await.unwrap();
            self.emulator.release();
        }
    }

    /// As after a reload.
    pub fn mend(&self) -> Timestamp {
        let now = Timestamp::now();
        self.lines.swap(self.gateways.clone(), now);
        self.spool.signals().due.notify_one();
        now
    }

    /// What the gate of the first gateway says, and until when where it says so.
    pub fn gate(&self) -> (Gate, Option<Timestamp>) {
        let now = Timestamp::now();
        self.lines.named("main").unwrap().gate.with(|gate| match gate.permission(now) {
            Permission::Free => (Gate::Open, None),
            Permission::NotBefore(until) if gate.paused_until(now).is_some() => (Gate::Paused, Some(until)),
            Permission::NotBefore(until) => (Gate::Shut, Some(until)),
            Permission::Probe | Permission::AwaitProbe => (Gate::Shut, None),
        })
    }

    /// Calls that sent, and questions.
    pub fn requests(&self) -> (u64, u64) {
        let requests = self.emulator.requests();
        (requests.send + requests.legacy + requests.template, requests.status)
    }

    /// Waits until everything that is to be told of `id` is told, and says what that was, of `count` phones.
    pub async fn told(&self, id: MessageId, count: usize) -> Vec<Told> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_told = self.spool.next_due(Queue::Cases).await.unwrap().is_none();
            if is_told && self.spool.backlog().await.unwrap().mail == 0 {
                let told = blocks(&self.around.mailbox, &id.submission.to_string());
                if told.len() >= count {
                    return told;
                }
            }
            assert!(Instant::now() < deadline, "{}: its sender is told nothing", self.row);
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap();
        }
        self.spool.close().await;
    }
}

/// The states that a message went through. A line that moved nothing, such as that of a report, is left out.
pub fn course(view: &MessageView) -> String {
    let mut states: Vec<&str> = view.events.iter().map(|event| event.state.as_str()).collect();
    states.dedup();
    states.join(" ")
}

/// The recipients' blocks of all reports about a submission.
fn blocks(mailbox: &Mailbox, id: &str) -> Vec<Told> {
    let about = format!("X-Relay-Queue-Id: {id}");
    let mut told = Vec::new();
    for mail in mailbox.mails().iter().filter(|mail| mail.text.contains(&about)) {
        let text = mail.text.replace("\n ", " ");
        for block in text.split("\n\n").filter(|block| block.contains("Final-Recipient: ")) {
            let field = |name: &str| {
                let value = block.lines().find_map(|line| line.strip_prefix(name));
                value.unwrap_or_default().trim().to_owned()
            };
            told.push(Told {
                action: field("Action:"),
                status: field("Status:"),
                diagnostic: field("Diagnostic-Code:"),
            });
        }
    }
    told.sort();
    told
}
