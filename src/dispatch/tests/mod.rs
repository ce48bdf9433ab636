//! The loop with the real spool and gateways that say what they are told to say.

mod one_gateway;
mod several_gateways;

use tempfile::TempDir;

use super::*;
use crate::gateway::fake::Fake;
use crate::gateway::{Gateway, LineSettings};
use crate::model::{
    Cause, Client, Delivery, Door, Encoding, EnhancedStatus, Fate, Message, MessageId, Notify, Original,
    PhoneNumber, Recipient, ReportTo, SendOutcome, SenderId, Sms, SmsOptions, SmsText, State, Submission,
    SubmissionId,
};
use crate::retry::later;
use crate::spool::MessageView;
use crate::spool::sqlite::{self, SqliteSpool};

/// A worker, what it works on, and its loop's state.
struct World {
    spool: Arc<SqliteSpool>,
    worker: Arc<Dispatch>,
    desk: Desk,
    calls: JoinSet<()>,
    _directory: TempDir,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Calls at a time and messages a second of one gateway.
fn line(concurrency: usize, messages_per_second: Option<f64>) -> LineSettings {
    let probe = Backoff { first: seconds(600), most: seconds(600) };
    LineSettings { concurrency, messages_per_second, probe }
}

fn settings() -> Settings {
    Settings {
        concurrency: 8,
        backoff: Backoff { first: seconds(5), most: seconds(5) },
        probe: Backoff { first: seconds(600), most: seconds(600) },
        ask_after: Duration::ZERO,
        unknown_time: seconds(600),
        plan: AskPlan { first: seconds(30), with_callbacks: seconds(600), callbacks_alive: seconds(600) },
    }
}

fn world(gateways: Vec<(Arc<Fake>, LineSettings)>) -> World {
    world_with(gateways, settings())
}

fn world_with(gateways: Vec<(Arc<Fake>, LineSettings)>, settings: Settings) -> World {
    let directory = tempfile::tempdir().unwrap();
    let place = sqlite::Settings { directory: directory.path().join("spool"), min_free_octets: 0 };
    let spool = Arc::new(SqliteSpool::open(place).unwrap());
    let gateways = gateways.into_iter().map(|(fake, line)| (fake as Arc<dyn Gateway>, line)).collect();
    let worker = Arc::new(Dispatch {
        spool: spool.clone(),
        lines: Arc::new(Lines::new(gateways)),
        flow: Flow::default(),
        pulse: Arc::default(),
        figures: Figures::new(),
        traffic: Traffic::new(),
        settings,
    });
    World { spool, worker, desk: Desk::default(), calls: JoinSet::new(), _directory: directory }
}

impl World {
    /// One round at `now`; how long nothing new can come.
    async fn round(&mut self, now: Timestamp) -> Duration {
        while self.calls.try_join_next().is_some() {}
        self.worker.round(&mut self.desk, &mut self.calls, now).await.unwrap()
    }

    /// Waits for all calls under way.
    async fn all_end(&mut self) {
        while let Some(ended) = self.calls.join_next().await {
            ended.unwrap();
        }
    }

    /// Accepts one SMS, changed by `change`, for each of the phones, all of one submission.
    async fn accept(&self, phones: &[u32], change: impl Fn(&mut Message)) -> Vec<MessageId> {
        let accepted = Timestamp::now();
        let id = SubmissionId::new(accepted);
        let mut submission = submission(id, accepted, phones, seconds(7200));
        submission.messages.iter_mut().for_each(change);
        let ids = submission.messages.iter().map(|message| message.sms.id).collect();
        self.spool.accept(submission).await.unwrap();
        ids
    }

    async fn look(&self, id: MessageId) -> MessageView {
        let view = self.spool.submission(id.submission).await.unwrap().unwrap();
        view.messages.into_iter().find(|message| message.sms.id == id).unwrap()
    }

    async fn state(&self, id: MessageId) -> State {
        self.look(id).await.state
    }

    /// Where it is, and the last line of its timeline.
    async fn last_word(&self, id: MessageId) -> (State, String) {
        let view = self.look(id).await;
        (view.state, view.events.last().unwrap().note.clone())
    }

    fn gate(&self, gateway: &str) -> crate::gateway::SharedGate {
        self.worker.lines.named(gateway).unwrap().gate
    }
}

/// As it is, changed in nothing.
fn plain(_: &mut Message) {}

fn fault() -> Cause {
    Cause::new(EnhancedStatus::new(4, 3, 5), "http 401")
}

fn broken() -> Cause {
    Cause::new(EnhancedStatus::new(4, 4, 2), "reset")
}

fn paused(until: Timestamp) -> SendOutcome {
    let cause = Cause::new(EnhancedStatus::new(4, 3, 2), "http 429");
    SendOutcome::Later { until: Some(until), cause }
}

fn submission(id: SubmissionId, accepted: Timestamp, phones: &[u32], lifetime: Duration) -> Submission {
    let message = |(n, ordinal): (&u32, u32)| {
        let number = format!("+3934700{n:05}");
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
            delivery: Delivery::until(later(accepted, lifetime)),
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
        messages: phones.iter().zip(1..).map(message).collect(),
        forwards: Vec::new(),
        remembered: crate::model::Remembered::default(),
    }
}
