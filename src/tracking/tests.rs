//! The worker and the taker of callbacks, with the real spool and gateways that say what they are told to say.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

use super::*;
use crate::gateway::fake::{Fake, Seen};
use crate::gateway::{Gateway, LineSettings};
use crate::model::{
    About, Callback, Cause, Channel, Client, Delivery, DeliveryStatus, Door, Encoding, EnhancedStatus, Fate,
    FinalState, Message, MessageId, Notify, Original, PartStatus, PhoneNumber, Recipient, ReportTo, SenderId,
    Sms, SmsOptions, SmsText, State, StatusOutcome, Submission, SubmissionId, Template, Way, Ways,
};
use crate::retry::{Answer, Permission, later};
use crate::spool::sqlite::{self, SqliteSpool};
use crate::spool::{MessageView, Room, Step, Taken};
use crate::test_log::TestLog;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ago(now: Timestamp, before: u64) -> Timestamp {
    now.checked_sub(seconds(before)).unwrap()
}

fn settings() -> Settings {
    Settings {
        ask: Backoff { first: seconds(30), most: seconds(3600) },
        plan: AskPlan { first: seconds(30), with_callbacks: seconds(600), callbacks_alive: seconds(600) },
        concurrency: 4,
        questions_per_second: 100.0,
        give_up_after: seconds(3600),
    }
}

fn line() -> LineSettings {
    let probe = Backoff { first: seconds(600), most: seconds(600) };
    LineSettings { concurrency: 8, messages_per_second: None, probe }
}

struct World {
    spool: Arc<SqliteSpool>,
    worker: Arc<Tracking>,
    desk: Desk,
    questions: JoinSet<()>,
    _directory: TempDir,
}

fn world(gateways: &[&Arc<Fake>], settings: Settings) -> World {
    let directory = tempfile::tempdir().unwrap();
    let place = sqlite::Settings { directory: directory.path().join("spool"), min_free_octets: 0 };
    let spool = Arc::new(SqliteSpool::open(place).unwrap());
    let gateways =
        gateways.iter().map(|fake| (Arc::clone(fake) as Arc<dyn Gateway>, line())).collect::<Vec<_>>();
    let worker = Arc::new(Tracking {
        spool: spool.clone(),
        lines: Arc::new(Lines::new(gateways)),
        flow: Flow::default(),
        settings,
    });
    World { spool, worker, desk: Desk::default(), questions: JoinSet::new(), _directory: directory }
}

impl World {
    async fn round(&mut self, now: Timestamp) -> Duration {
        while self.questions.try_join_next().is_some() {}
        self.worker.round(&mut self.desk, &mut self.questions, now).await.unwrap()
    }

    async fn all_end(&mut self) {
        while let Some(ended) = self.questions.join_next().await {
            ended.unwrap();
        }
    }

    /// As many SMS as `phones`, sent by `gateway` at `sent_at` and to be asked about at `ask_at`.
    async fn sent(
        &self,
        gateway: &str,
        phones: std::ops::Range<u32>,
        ways: Ways,
        (sent_at, ask_at): (Timestamp, Timestamp),
    ) -> Vec<MessageId> {
        self.spool.accept(submission(sent_at, phones, &ways)).await.unwrap();
        let room = Room { gateway: gateway.to_owned(), calls: [10_000; 3], is_open: true, may_hang: false };
        let mut ids = Vec::new();
        for call in self.spool.claim_due(sent_at, vec![room]).await.unwrap() {
            for claimed in call.messages {
                ids.push(claimed.sms.id);
                let note = "accepted by the platform".to_owned();
                let step = Step::Sent { parts: None, unicode: None, platform_id: None, ask_at, note };
                self.spool.settle(claimed.sms.id, claimed.attempt, step, sent_at).await.unwrap();
            }
        }
        ids
    }

    async fn look(&self, id: MessageId) -> MessageView {
        let view = self.spool.submission(id.submission).await.unwrap().unwrap();
        view.messages.into_iter().find(|message| message.sms.id == id).unwrap()
    }
}

fn submission(accepted: Timestamp, phones: std::ops::Range<u32>, ways: &Ways) -> Submission {
    let id = SubmissionId::new(accepted);
    let message = |(n, ordinal): (u32, u32)| {
        let number = format!("+3934700{n:05}");
        let delivery = Delivery { ways: ways.clone(), ..Delivery::until(later(accepted, seconds(1800))) };
        Message {
            sms: Sms {
                id: id.message(ordinal),
                destination: PhoneNumber::from_e164(&number).unwrap(),
                sender: SenderId::of_relay(),
                text: SmsText { body: "x".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
                options: SmsOptions::default(),
            },
            recipient: Recipient { address: number, notify: Notify::Unspecified, orcpt: None },
            rule: "default".to_owned(),
            delivery,
            fate: Fate::Due,
            passage: Default::default(),
        }
    };
    Submission {
        id,
        received_at: accepted,
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: None,
        },
        report_to: ReportTo::Nobody("a test".to_owned()),
        tell_url: None,
        original: Original::default(),
        messages: phones.zip(1..).map(message).collect(),
        forwards: Vec::new(),
        remembered: crate::model::Remembered::default(),
    }
}

fn fault() -> Answer {
    Answer::Fault(Cause::new(EnhancedStatus::new(4, 3, 5), "http 401"))
}

#[tokio::test]
async fn a_gateway_is_asked_within_its_rate_and_the_loop_wakes_for_the_next_question() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(&[&main], Settings { questions_per_second: 2.0, ..settings() });
    let now = Timestamp::now();
    world.sent("main", 1..11, Ways::default(), (ago(now, 60), ago(now, 30))).await;
    let wait = world.round(now).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), wait), (2, Duration::from_millis(500)));
    world.round(later(now, Duration::from_millis(499))).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 2);
    world.round(later(now, Duration::from_millis(500))).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 3);
}

#[tokio::test]
async fn each_gateway_has_its_own_hands_and_a_pause_is_its_own() {
    let (main, backup) = (Arc::new(Fake::holding("main")), Arc::new(Fake::holding("backup")));
    let mut world = world(&[&main, &backup], settings());
    let now = Timestamp::now();
    let times = (ago(now, 60), ago(now, 30));
    world.sent("main", 1..11, Ways::default(), times).await;
    world.sent("backup", 11..21, Ways::default(), times).await;
    world.round(now).await;
    world.round(now).await;
    assert_eq!((main.wait_for(4).await.len(), backup.wait_for(4).await.len()), (4, 4));
    let cause = Cause::new(EnhancedStatus::new(4, 3, 2), "http 429");
    main.will_tell([StatusOutcome::CannotTell { until: Some(later(now, seconds(300))), cause }]);
    main.let_go(100);
    backup.let_go(100);
    world.all_end().await;
    let now = Timestamp::now();
    world.round(now).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), backup.seen().len()), (4, 8));
    let gate = world.worker.lines.named("main").unwrap().gate;
    assert!(gate.questions_paused_until(now).is_some());
    assert_eq!(gate.with(|gate| gate.permission(now)), Permission::Free, "it may be sent by");
}

#[tokio::test]
async fn once_callbacks_come_a_first_question_waits_and_is_asked_in_the_end() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(&[&main], settings());
    let now = Timestamp::now();
    let sent_at = ago(now, 40);
    let id = world.sent("main", 1..2, Ways::default(), (sent_at, ago(now, 10))).await[0];
    world.worker.flow.came("main", now);
    world.round(now).await;
    world.all_end().await;
    assert_eq!(main.seen(), []);
    let view = world.look(id).await;
    // The spool keeps milliseconds.
    assert_eq!(view.next_at.unwrap().duration_since(sent_at).as_secs_f64().round(), 600.0);
    world.round(later(sent_at, seconds(601))).await;
    world.all_end().await;
    assert_eq!(main.seen(), [Seen::Asked(id, Channel::Sms)]);
}

#[tokio::test]
async fn a_way_is_asked_once_more_at_the_end_of_its_silence_and_then_the_next_is_tried() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(&[&main], settings());
    let now = Timestamp::now();
    let rcs = Template { channel: Channel::Rcs, id: "alert".to_owned(), variables: Default::default() };
    let ways = Ways::new(vec![Way::Template(rcs), Way::Sms], Some(seconds(300))).unwrap();
    let silent = world.sent("main", 1..2, ways.clone(), (ago(now, 301), ago(now, 1))).await[0];
    let came = world.sent("main", 2..3, ways.clone(), (ago(now, 301), now)).await[0];
    let young = world.sent("main", 3..4, ways, (ago(now, 280), now)).await[0];
    main.will_tell([StatusOutcome::NotKnown, StatusOutcome::Known(DeliveryStatus::Delivered)]);
    for _ in 0..3 {
        world.round(Timestamp::now()).await;
        world.all_end().await;
    }
    let asked = [silent, came, young].map(|id| Seen::Asked(id, Channel::Rcs));
    assert_eq!(main.seen(), asked);
    let view = world.look(silent).await;
    assert_eq!(view.state, State::Due);
    let note = &view.events.last().unwrap().note;
    assert!(note.contains("nothing was heard of it by RCS for 5 min"), "{note}");
    assert_eq!(world.look(came).await.state, State::Final(FinalState::Delivered));
    let view = world.look(young).await;
    assert_eq!(view.state, State::Sent);
    let asked_again = view.next_at.unwrap().duration_since(ago(now, 280)).as_secs();
    // After 15 to 30 seconds, by chance, or at the end of its silence.
    assert!((294..=300).contains(&asked_again), "{asked_again}");
}

#[tokio::test]
async fn a_shut_gateway_is_asked_once_in_ten_seconds() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(&[&main], settings());
    let now = Timestamp::now();
    let ids = world.sent("main", 1..100, Ways::default(), (ago(now, 60), ago(now, 30))).await;
    world.worker.lines.named("main").unwrap().gate.answered("main", ids[0], fault(), now);
    let mut seen = Vec::new();
    for second in [0, 1, 9, 10, 11, 20] {
        world.round(later(now, seconds(second))).await;
        world.all_end().await;
        seen.push(main.seen().len());
    }
    assert_eq!(seen, [1, 1, 1, 2, 2, 3]);
}

#[tokio::test]
async fn a_status_endpoint_that_asks_for_patience_does_not_open_a_shut_gateway() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(&[&main], settings());
    let now = Timestamp::now();
    let id = world.sent("main", 1..2, Ways::default(), (ago(now, 60), ago(now, 30))).await[0];
    let gate = world.worker.lines.named("main").unwrap().gate;
    gate.answered("main", id, fault(), now);
    let cause = Cause::new(EnhancedStatus::new(4, 3, 2), "http 429");
    main.will_tell([StatusOutcome::CannotTell { until: Some(later(now, seconds(300))), cause }]);
    world.round(now).await;
    world.all_end().await;
    assert!(gate.questions_paused_until(now).is_some());
    assert!(gate.trouble().is_some(), "the account is as wrong as before");
}

#[tokio::test]
async fn what_a_removed_gateway_had_sent_ends_as_unconfirmed() {
    let old = Arc::new(Fake::new("old"));
    let mut world = world(&[&old], settings());
    let now = Timestamp::now();
    let late = world.sent("old", 1..2, Ways::default(), (ago(now, 3600), now)).await[0];
    let early = world.sent("old", 2..3, Ways::default(), (ago(now, 3500), now)).await[0];
    let new: Arc<dyn Gateway> = Arc::new(Fake::new("new"));
    world.worker.lines.swap(vec![(new, line())], now);
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!(world.look(late).await.state, State::Final(FinalState::Expired));
    assert_eq!(world.look(early).await.state, State::Sent);
    assert_eq!(old.seen(), []);
}

#[tokio::test]
async fn an_idle_worker_waits_long_and_one_with_all_hands_busy_for_an_answer() {
    let main = Arc::new(Fake::holding("main"));
    let mut world = world(&[&main], settings());
    let now = Timestamp::now();
    assert_eq!(world.round(now).await, seconds(10));
    world.sent("main", 1..100, Ways::default(), (ago(now, 60), ago(now, 30))).await;
    assert_eq!(world.round(now).await, seconds(10));
    main.wait_for(4).await;
    assert_eq!(world.round(now).await, seconds(10));
    main.let_go(100);
    world.all_end().await;
}

fn callback(about: About, status: PartStatus) -> Callback {
    let description = "to +393470000001".to_owned();
    Callback { about, channel: Channel::Sms, part: 1, parts: 1, status, description, price: None, at: None }
}

#[tokio::test]
async fn callbacks_are_taken_counted_told_and_make_the_gateway_one_that_calls() {
    let main = Arc::new(Fake::new("main"));
    let world = world(&[&main], settings());
    let now = Timestamp::now();
    let id = world.sent("main", 1..2, Ways::default(), (ago(now, 60), later(now, seconds(60)))).await[0];
    let (flow, metrics, log) = (world.worker.flow.clone(), Metrics::new(), TestLog::default());
    let callbacks = Callbacks::new(world.spool.clone(), flow.clone(), metrics.clone());
    let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::INFO));
    assert_eq!(flow.last("main"), None);
    let delivered = || callback(About::Ours(id), PartStatus::Delivered);
    let taken = callbacks.take(delivered(), now).await.unwrap();
    let state = State::Final(FinalState::Delivered);
    assert_eq!(taken, Taken::New { id, state, gateway: Some("main".to_owned()) });
    assert_eq!(flow.last("main"), Some(now));
    assert_eq!(callbacks.take(delivered(), now).await.unwrap(), Taken::Repeated);
    for second in [0, 1, 2, 9, 10] {
        let about = About::Theirs(format!("no\nbody's {second}"));
        let taken = callbacks.take(callback(about, PartStatus::Delivered), later(now, seconds(second))).await;
        assert_eq!(taken.unwrap(), Taken::UnknownId);
    }
    drop(guard);
    assert_eq!(flow.last("main"), Some(now), "an unknown id says nothing of a gateway");
    let log = log.take();
    let of_callbacks: Vec<&str> = log.lines().filter(|line| line.contains("called back")).collect();
    assert_eq!(of_callbacks.len(), 3, "{log}");
    assert!(of_callbacks[0].trim_start().starts_with("INFO") && of_callbacks[0].contains(&id.to_string()));
    assert!(of_callbacks[1].contains("WARN") && of_callbacks[1].contains("left_out=0"), "{log}");
    assert!(of_callbacks[2].contains("left_out=3"), "{log}");
    assert!(!log.contains("3470000001"), "{log}");
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for (result, count) in
        [("new", 1), ("late", 0), ("repeated", 1), ("early", 0), ("damaged", 0), ("unknown_id", 5)]
    {
        let series = format!("sms_relay_callbacks_total{{result=\"{result}\"}} {count}\n");
        assert!(text.contains(&series), "{series} is not in {text}");
    }
}
