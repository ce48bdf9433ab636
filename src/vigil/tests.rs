//! The watch with a real spool and a way in of the test. Time is what each look is told.

use std::collections::BTreeSet;
use std::sync::Mutex as Lock;

use async_trait::async_trait;
use jiff::civil::Time;

use super::*;
use crate::model::{
    Cause, Client, Delivery, Door, Encoding, EnhancedStatus, Fate, FinalState, Lane, MailAddress, Message,
    Notify, Original, PhoneNumber, Recipient, Remembered, ReportTo, SenderId, Sms, SmsOptions, SmsText,
    SourceKind, Submission, SubmissionId,
};
use crate::spool::{Claimed, Room, SqliteSpool, sqlite};
use crate::wording::OwnTemplate;

const DAY: i64 = 86_400;
/// 2027-01-15 08:00 UTC, a Friday.
const EPOCH: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(EPOCH + second).unwrap()
}

fn ups() -> Source {
    Source::new(SourceKind::Account, "ups")
}

fn nas() -> Source {
    Source::new(SourceKind::Rule, "nas")
}

/// One SMS by SMTP, or of the relay's own.
fn submission(door: Door, received_at: Timestamp) -> Submission {
    let id = SubmissionId::new(received_at);
    let number = "+393471234567".to_owned();
    let message = Message {
        sms: Sms {
            id: id.message(1),
            destination: PhoneNumber::from_e164(&number).unwrap(),
            sender: SenderId::of_relay(),
            text: SmsText { body: "x".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        recipient: Recipient { address: number, notify: Notify::Unspecified, orcpt: None },
        rule: "default".to_owned(),
        delivery: Delivery::until(later(received_at, Duration::from_secs(4 * 3600))),
        fate: Fate::Due,
        passage: Default::default(),
    };
    Submission {
        id,
        received_at,
        client: Client {
            door,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: None,
        },
        report_to: ReportTo::Nobody("a test".to_owned()),
        tell_url: None,
        original: Original::default(),
        messages: vec![message],
        forwards: Vec::new(),
        remembered: Remembered::default(),
    }
}

/// A way in that keeps what is said.
struct Mouth {
    spool: Arc<SqliteSpool>,
    said: Lock<Vec<(String, Vec<String>, String)>>,
    says_no: Lock<Option<Unspoken>>,
    simulates: AtomicBool,
}

#[async_trait]
impl Speaker for Mouth {
    async fn speak(&self, spoken: Spoken, now: Timestamp) -> Result<SubmissionId, Unspoken> {
        if let Some(no) = self.says_no.lock().unwrap().clone() {
            return Err(no);
        }
        let mut own = submission(Door::Relay, now);
        own.forwards = spoken.mails;
        own.remembered.notes = (spoken.notes)(own.id);
        own.messages[0].sms.options.simulation = self.simulates.load(Ordering::SeqCst);
        let id = own.id;
        self.spool.accept(own).await.unwrap();
        self.said.lock().unwrap().push((spoken.listener, spoken.to, spoken.text));
        Ok(id)
    }
}

struct World {
    _directory: tempfile::TempDir,
    spool: Arc<SqliteSpool>,
    mouth: Arc<Mouth>,
    vigil: Vigil,
}

fn expectation(source: Source, days: u64) -> Expectation {
    let within = Duration::from_secs(days * 86_400);
    Expectation { source, within, tell: vec!["oncall".to_owned()], text: None }
}

fn settings(expected: Vec<Expectation>, heartbeats: Vec<Heartbeat>) -> Settings {
    Settings {
        expected,
        heartbeats,
        silence_is_trouble: true,
        operator: Some(MailAddress::parse("ops@example.com").unwrap()),
        from: MailAddress::parse("relay@example.com").unwrap(),
        hostname: "relay.example.com".to_owned(),
        lifetime: Duration::from_secs(86_400),
    }
}

/// Due every day at 09:00 UTC, which is an hour after the epoch.
fn daily() -> Heartbeat {
    let schedule = Schedule { weekday: None, time: Time::constant(9, 0, 0, 0), zone: TimeZone::UTC };
    Heartbeat {
        name: "daily".to_owned(),
        schedule,
        to: vec!["oncall".to_owned()],
        text: Some(OwnTemplate::new("{{ name }} at {{ now }}").unwrap()),
        within: Duration::from_secs(900),
        tell: vec!["boss".to_owned()],
        lane: Lane::Critical,
    }
}

impl World {
    fn new(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kept = sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
        let spool = Arc::new(SqliteSpool::open(kept).unwrap());
        let mouth = Arc::new(Mouth {
            spool: Arc::clone(&spool),
            said: Lock::default(),
            says_no: Lock::default(),
            simulates: AtomicBool::default(),
        });
        let vigil = Self::watch(&spool, &mouth, settings);
        Self { _directory: directory, spool, mouth, vigil }
    }

    fn watch(spool: &Arc<SqliteSpool>, mouth: &Arc<Mouth>, settings: Settings) -> Vigil {
        let speaker: Arc<dyn Speaker> = mouth.clone();
        let zone = TimeZone::UTC;
        Vigil { zone, ..Vigil::new(Arc::clone(spool) as Arc<dyn Spool>, speaker, settings) }
    }

    /// The process ends, and another goes on with its spool.
    fn restart(&mut self) {
        let settings = Settings::clone(&self.vigil.settings.load());
        self.vigil = Self::watch(&self.spool, &self.mouth, settings);
    }

    /// Looks as the loop does that has looked whenever it was to; in how many seconds again.
    async fn look(&self, second: i64) -> i64 {
        {
            let next_at = &mut self.vigil.state.lock().await.next_at;
            *next_at = next_at.map(|_| at(second));
        }
        self.wake(second).await
    }

    /// Looks for the first time since the last look; in how many seconds again.
    async fn wake(&self, second: i64) -> i64 {
        self.vigil.look(at(second)).await.unwrap().duration_since(at(second)).as_secs()
    }

    /// Looks every hour up to this time, as the loop does at least.
    async fn live(&self, from: i64, to: i64) {
        let mut now = from;
        while now < to {
            self.look(now).await;
            now += 3600;
        }
        self.look(to).await;
    }

    async fn hear(&self, source: Source, second: i64) {
        let mut heard = submission(Door::Smtp, at(second));
        heard.remembered.heard = vec![source];
        self.spool.accept(heard).await.unwrap();
    }

    /// What was said since the last call: whom, and the words.
    fn said(&self) -> Vec<(String, String)> {
        let said = std::mem::take(&mut *self.mouth.said.lock().unwrap());
        said.into_iter().map(|(_, to, text)| (to.join(","), text)).collect()
    }

    /// The subjects of the mails that were filed since the last call.
    async fn mails(&self) -> Vec<String> {
        let claimed = self.spool.claim_mail(at(1000 * DAY), 100).await.unwrap();
        let subject = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap().replace("\r\n ", " ");
            text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
        };
        claimed.into_iter().map(|one| subject(one.mail.bytes)).collect()
    }

    /// Takes what is due, as the platform's client does.
    async fn claim(&self, second: i64) -> Claimed {
        let room = Room { gateway: "main".to_owned(), calls: [1; 3], is_open: true, may_hang: false };
        let calls = self.spool.claim_due(at(second), vec![room]).await.unwrap();
        calls.into_iter().flat_map(|call| call.messages).next().unwrap()
    }

    async fn end(&self, state: FinalState, second: i64) {
        let claimed = self.claim(second).await;
        let step = crate::spool::Step::Sent {
            parts: None,
            unicode: None,
            platform_id: None,
            ask_at: at(second),
            note: "taken".to_owned(),
        };
        self.spool.settle(claimed.sms.id, claimed.attempt, step, at(second)).await.unwrap();
        let cause = Cause::new(EnhancedStatus::SUCCESS, "the handset's word");
        let step = crate::spool::Step::Final { state, cause };
        self.spool.settle(claimed.sms.id, claimed.attempt, step, at(second)).await.unwrap();
    }
}

#[tokio::test]
async fn eight_days_of_silence_are_told_once_and_that_it_ended_once() {
    let mut world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.look(0).await;
    world.hear(ups(), 100).await;
    world.live(100, 100 + 8 * DAY - 1).await;
    assert_eq!(world.look(100 + 8 * DAY - 1).await, 1, "it wakes for it");
    assert_eq!((world.said(), world.mails().await, world.vigil.trouble()), (vec![], vec![], vec![]));
    world.look(100 + 8 * DAY).await;
    let text = "Nothing was heard of account ups for 8 days, last Fri 2027-01-15 08:01";
    assert_eq!(world.said(), [("oncall".to_owned(), text.to_owned())]);
    assert_eq!(world.mails().await, ["Nothing was heard of account ups for 8 days"]);
    let trouble = "account ups: nothing was heard for 8 days or more, last at 2027-01-15T08:01:40Z";
    assert_eq!(world.vigil.trouble(), [trouble]);
    // Not again, also by another process.
    world.live(100 + 8 * DAY, 101 + 9 * DAY).await;
    world.restart();
    world.look(101 + 9 * DAY).await;
    assert_eq!((world.said(), world.mails().await), (vec![], vec![]));
    assert_eq!(world.vigil.trouble().len(), 1, "after a restart as before");

    world.hear(ups(), 100 + 9 * DAY + 3600).await;
    world.look(100 + 9 * DAY + 3601).await;
    let again = "account ups was heard again after 9 days";
    assert_eq!(world.said(), [("oncall".to_owned(), again.to_owned())]);
    assert_eq!(world.mails().await, [again]);
    assert_eq!(world.vigil.trouble(), Vec::<String>::new());
    world.live(100 + 9 * DAY + 3601, 100 + 10 * DAY).await;
    world.restart();
    world.look(101 + 10 * DAY).await;
    assert_eq!((world.said(), world.mails().await), (vec![], vec![]));
}

#[tokio::test]
async fn who_was_never_heard_of_is_expected_from_when_that_was_configured_also_over_a_restart() {
    let mut world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, 4 * DAY).await;
    world.restart();
    world.live(4 * DAY, 8 * DAY - 1).await;
    assert_eq!(world.said(), []);
    world.look(8 * DAY).await;
    let text = "Nothing was heard of account ups for 8 days, and never before";
    assert_eq!(world.said(), [("oncall".to_owned(), text.to_owned())]);
}

#[tokio::test]
async fn time_in_which_the_relay_was_down_is_nobody_s_silence() {
    let mut world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, DAY).await;
    // Down for ten days, but for what may have been life after the last note of it.
    world.restart();
    world.look(11 * DAY).await;
    assert_eq!(world.said(), []);
    let silent_at = 18 * DAY - 600;
    world.live(11 * DAY, silent_at - 1).await;
    assert_eq!(world.said(), []);
    world.look(silent_at).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn time_in_which_the_machine_stood_still_is_nobody_s_silence() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, DAY).await;
    // For ten days after the look that was to come.
    assert_eq!(world.look(DAY).await, 600);
    world.wake(11 * DAY + 600).await;
    world.live(11 * DAY + 600, 18 * DAY - 1).await;
    assert_eq!(world.said(), []);
    world.look(18 * DAY).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn a_look_that_is_a_little_late_counts_for_nothing() {
    let world = World::new(settings(vec![expectation(ups(), 1)], vec![]));
    let mut now = 0;
    while now < DAY {
        now += world.wake(now).await + 600;
    }
    world.wake(DAY).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_a_year_ahead_for_a_while_puts_nobody_s_silence_off_for_a_year() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, DAY).await;
    world.wake(365 * DAY).await;
    assert_eq!(world.said(), []);
    world.live(DAY, 9 * DAY - 1).await;
    assert_eq!(world.said(), []);
    world.look(9 * DAY).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn a_test_that_was_under_way_while_the_machine_stood_still_has_its_time_once_more() {
    let world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    world.look(3600).await;
    world.said();
    world.wake(8000).await;
    world.look(8899).await;
    assert_eq!(world.mails().await, Vec::<String>::new());
    world.look(8900).await;
    assert_eq!(world.mails().await, ["The test SMS daily failed"]);
}

#[tokio::test]
async fn a_silence_that_nobody_can_be_told_of_is_tried_again_until_somebody_is() {
    let untold = Settings { operator: None, ..settings(vec![expectation(ups(), 8)], vec![]) };
    let mut world = World::new(untold);
    world.live(0, 8 * DAY - 1).await;
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Refused("the night rule drops it".to_owned()));
    world.look(8 * DAY).await;
    assert_eq!(world.look(8 * DAY + 1).await, 299, "with the next text");
    world.restart();
    world.look(8 * DAY + 2).await;
    *world.mouth.says_no.lock().unwrap() = None;
    world.look(8 * DAY + 301).await;
    assert_eq!(world.said(), []);
    world.look(8 * DAY + 302).await;
    assert_eq!(world.said().len(), 1);
    world.look(8 * DAY + 700).await;
    assert_eq!(world.said(), [], "once");
}

#[tokio::test]
async fn readiness_shows_no_number_in_full() {
    let world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    let why = "the number +393471234567 is not allowed";
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Refused(why.to_owned()));
    world.look(3600).await;
    let trouble = world.vigil.trouble().remove(0);
    assert!(trouble.ends_with("the number +39347•••4567 is not allowed"), "{trouble}");
}

#[tokio::test]
async fn word_of_a_failed_test_does_not_go_by_the_way_of_the_test() {
    let world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    world.look(3600).await;
    world.look(3600 + 900).await;
    let said = std::mem::take(&mut *world.mouth.said.lock().unwrap());
    let by: Vec<&str> = said.iter().map(|(listener, _, _)| listener.as_str()).collect();
    assert_eq!(by, ["daily", "expect"]);
}

#[tokio::test]
async fn one_that_is_killed_every_few_minutes_still_sees_who_is_silent() {
    let mut world = World::new(settings(vec![expectation(ups(), 1)], vec![]));
    let mut now = 0;
    while now < DAY {
        world.look(now).await;
        world.restart();
        now += 500;
    }
    assert_eq!(world.said(), []);
    world.look(DAY).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_put_back_puts_nobody_s_silence_off_for_longer() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    // A year ahead.
    world.look(365 * DAY).await;
    world.hear(ups(), 365 * DAY + 1).await;
    world.look(365 * DAY + 2).await;
    world.live(0, 8 * DAY - 1).await;
    assert_eq!(world.said(), []);
    world.look(8 * DAY).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn many_that_fall_silent_share_a_text_and_those_soon_after_the_next() {
    let names: Vec<String> = (0..40).map(|n| format!("n{n:02}")).collect();
    let mut all: Vec<Expectation> =
        names.iter().map(|name| expectation(Source::new(SourceKind::Network, name), 8)).collect();
    all.push(Expectation { tell: vec!["boss".to_owned()], ..expectation(nas(), 8) });
    let template = OwnTemplate::new("{{ name }} is dead for {{ silent }}").unwrap();
    all.push(Expectation { text: Some(template), ..expectation(ups(), 8) });
    let world = World::new(settings(all, vec![]));
    world.look(0).await;
    for (name, second) in names[30..].iter().zip(90..) {
        world.hear(Source::new(SourceKind::Network, name), second).await;
    }
    world.live(100, 8 * DAY).await;
    let said = world.said();
    let to: Vec<&str> = said.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["oncall", "boss", "oncall"], "{said:?}");
    assert!(said[0].1.ends_with("network n04 and 25 more"), "{said:?}");
    assert_eq!(said[2].1, "ups is dead for 8 days");
    assert_eq!(world.mails().await.len(), 3);
    // The others follow within two minutes, and wait for each other.
    assert!(world.look(8 * DAY + 100).await <= 200);
    assert_eq!(world.said(), []);
    world.look(8 * DAY + 299).await;
    assert_eq!(world.said(), []);
    world.look(8 * DAY + 300).await;
    let said = world.said();
    assert_eq!(said.len(), 1);
    assert!(said[0].1.ends_with("network n34 and 5 more"), "{said:?}");
}

#[tokio::test]
async fn a_reload_adds_and_removes_who_is_expected() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, 7 * DAY).await;
    world.vigil.reload(settings(vec![expectation(nas(), 8)], vec![]));
    world.live(7 * DAY, 15 * DAY - 1).await;
    assert_eq!(world.said(), []);
    let names: BTreeSet<String> = world.vigil.view().expected.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, BTreeSet::from(["nas".to_owned()]));
    world.look(15 * DAY).await;
    assert!(world.said()[0].1.contains("rule nas"));
    // Back again, it begins anew, and the other's silence is nobody's trouble any more.
    world.vigil.reload(settings(vec![expectation(ups(), 8)], vec![]));
    world.look(15 * DAY + 1).await;
    assert_eq!(world.vigil.trouble(), Vec::<String>::new());
    world.live(15 * DAY + 1, 23 * DAY).await;
    assert_eq!(world.said(), []);
    world.look(23 * DAY + 1).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn where_no_text_can_be_sent_the_mail_says_why_and_where_it_cannot_be_kept_both_wait() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![]));
    world.live(0, 8 * DAY - 1).await;
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Later("the disk is full".to_owned()));
    assert_eq!(world.look(8 * DAY).await, 30, "soon again");
    assert_eq!(world.mails().await, Vec::<String>::new());
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Refused("no rule takes this".to_owned()));
    world.look(8 * DAY + 30).await;
    let claimed = world.spool.claim_mail(at(9 * DAY), 10).await.unwrap();
    let text = String::from_utf8(claimed[0].mail.bytes.clone()).unwrap();
    assert!(text.contains("No text about it could be sent: no rule takes this"), "{text}");
    *world.mouth.says_no.lock().unwrap() = None;
    world.look(8 * DAY + 600).await;
    assert_eq!((world.said(), world.mails().await), (vec![], vec![]), "once");
}

#[tokio::test]
async fn a_test_is_sent_at_its_time_and_passes_once_it_is_delivered() {
    let world = World::new(settings(vec![], vec![daily()]));
    assert_eq!(world.look(0).await, 3600);
    world.look(3599).await;
    assert_eq!(world.said(), []);
    world.look(3600).await;
    assert_eq!(world.said(), [("oncall".to_owned(), "daily at 2027-01-15 09:00".to_owned())]);
    world.look(3610).await;
    world.end(FinalState::Delivered, 3620).await;
    world.look(3625).await;
    let view = world.vigil.view();
    assert_eq!((view.heartbeats[0].ended_at, &view.heartbeats[0].failure), (Some(at(3625)), &None));
    assert_eq!(view.heartbeats[0].delivered_at, Some(at(3625)));
    assert_eq!(view.heartbeats[0].next_at, Some(at(3600 + DAY)));
    assert_eq!(world.look(3626).await, LONGEST_WAIT.as_secs() as i64, "nothing before the next");
    assert_eq!((world.said(), world.mails().await, world.vigil.trouble()), (vec![], vec![], vec![]));
    world.look(3600 + DAY).await;
    assert_eq!(world.said().len(), 1, "every day");
}

#[tokio::test]
async fn one_that_nobody_confirms_fails_at_its_deadline_and_is_told_once() {
    let mut world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    world.look(3600).await;
    world.said();
    world.look(3600 + 899).await;
    assert_eq!(world.mails().await, Vec::<String>::new());
    world.look(3600 + 900).await;
    let why = "it was not taken by the platform in time";
    assert_eq!(world.said(), [("boss".to_owned(), format!("The test SMS daily failed: {why}"))]);
    assert_eq!(world.mails().await, ["The test SMS daily failed"]);
    let trouble = format!("heartbeat daily: the test SMS failed at 2027-01-15T09:15:00Z: {why}");
    assert_eq!(world.vigil.trouble(), std::slice::from_ref(&trouble));
    world.restart();
    world.look(3600 + 1000).await;
    assert_eq!((world.said(), world.mails().await), (vec![], vec![]));
    assert_eq!(world.vigil.trouble(), [trouble], "until one passes");
    // The next day all is well again.
    world.end(FinalState::Delivered, 3600 + 1001).await;
    world.end(FinalState::Delivered, 3600 + 1002).await;
    world.look(3600 + DAY).await;
    world.end(FinalState::Delivered, 3601 + DAY).await;
    world.look(3602 + DAY).await;
    assert_eq!(world.mails().await, ["The test SMS daily was delivered again"]);
    assert_eq!(world.vigil.trouble(), Vec::<String>::new());
}

#[tokio::test]
async fn one_that_ends_otherwise_or_late_or_is_simulated_fails() {
    for (state, second, simulated, why) in [
        (FinalState::Undelivered, 3610, false, "it is undelivered: the handset's word"),
        (FinalState::Delivered, 3600 + 900, false, ""),
        (FinalState::Delivered, 3600 + 901, false, "it was delivered too late"),
        (FinalState::Delivered, 3610, true, "it was only simulated, and a simulation cannot be verified"),
    ] {
        let world = World::new(settings(vec![], vec![daily()]));
        world.mouth.simulates.store(simulated, Ordering::SeqCst);
        world.look(0).await;
        world.look(3600).await;
        if !simulated {
            world.end(state, second).await;
        }
        world.look(3600 + 902).await;
        let failure = world.vigil.view().heartbeats[0].failure.clone();
        assert_eq!(failure.unwrap_or_default(), why);
    }
}

#[tokio::test]
async fn no_restart_sends_a_test_twice_or_forgets_to_see_to_it() {
    let mut world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    world.look(3600).await;
    assert_eq!(world.said().len(), 1);
    for second in [3601, 3700, 4000] {
        world.restart();
        world.look(second).await;
    }
    assert_eq!(world.said(), []);
    // What came while it was down could not be heard: it has its time once more.
    world.restart();
    world.look(DAY).await;
    assert_eq!(world.mails().await, Vec::<String>::new());
    world.look(DAY + 899).await;
    assert_eq!(world.mails().await, Vec::<String>::new());
    world.look(DAY + 900).await;
    assert_eq!(world.mails().await, ["The test SMS daily failed"]);
}

#[tokio::test]
async fn a_missed_test_is_made_up_for_once_within_an_hour() {
    for (back, made_up_for) in
        [(3600 + 3 * DAY, true), (2 * 3600 + 3 * DAY, true), (2 * 3600 + 1 + 3 * DAY, false)]
    {
        let mut world = World::new(settings(vec![], vec![daily()]));
        world.look(0).await;
        world.restart();
        world.look(back).await;
        assert_eq!(world.said().len(), usize::from(made_up_for), "{back}");
        world.restart();
        world.look(back + 1).await;
        assert_eq!(world.said(), [], "{back}");
    }
}

#[tokio::test]
async fn a_clock_that_was_put_back_over_a_test_does_not_send_it_twice() {
    let world = World::new(settings(vec![], vec![daily()]));
    world.look(0).await;
    world.look(3600).await;
    world.end(FinalState::Delivered, 3601).await;
    world.look(3602).await;
    assert_eq!(world.said().len(), 1);
    world.look(3000).await;
    world.look(3600).await;
    world.look(3700).await;
    assert_eq!(world.said(), []);
    // One that was a year ahead does not keep it from being sent.
    world.look(365 * DAY + 3600).await;
    world.end(FinalState::Delivered, 365 * DAY + 3601).await;
    world.look(365 * DAY + 3602).await;
    world.said();
    world.look(5 * DAY).await;
    world.look(5 * DAY + 3600).await;
    assert_eq!(world.said().len(), 1);
}

#[tokio::test]
async fn one_that_is_refused_fails_at_once_and_one_that_cannot_be_kept_is_tried_for_an_hour() {
    let world = World::new(settings(vec![], vec![Heartbeat { tell: vec![], ..daily() }]));
    world.look(0).await;
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Later("the disk is full".to_owned()));
    for second in [3600, 3610, 7200] {
        assert_eq!(world.look(second).await, 10);
    }
    world.look(7201).await;
    *world.mouth.says_no.lock().unwrap() = None;
    world.look(7202).await;
    assert_eq!((world.said(), world.mails().await), (vec![], vec![]), "too late for it");
    *world.mouth.says_no.lock().unwrap() = Some(Unspoken::Refused("no rule takes this".to_owned()));
    world.look(3600 + DAY).await;
    assert_eq!(world.mails().await, ["The test SMS daily failed"]);
    assert_eq!(world.vigil.view().heartbeats[0].failure.as_deref(), Some("no rule takes this"));
}

#[tokio::test]
async fn the_metrics_say_what_the_view_says() {
    let world = World::new(settings(vec![expectation(ups(), 8)], vec![daily()]));
    let mut registry = Registry::default();
    world.vigil.register(&mut registry);
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    world.look(0).await;
    assert_eq!(shown(), ["sms_relay_expected_silent{kind=\"account\",name=\"ups\"} 0"]);
    world.hear(ups(), 100).await;
    world.look(3600).await;
    world.look(3600 + 900).await;
    let text = shown().join("\n");
    for line in [
        "sms_relay_expected_heard_timestamp_seconds{kind=\"account\",name=\"ups\"} 1800000100.0",
        "sms_relay_heartbeat_failed{name=\"daily\"} 1",
        "sms_relay_heartbeat_ended_timestamp_seconds{name=\"daily\"} 1800004500.0",
        "sms_relay_heartbeats_total{name=\"daily\",result=\"failed\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let view = serde_json::to_value(&*world.vigil.view()).unwrap();
    assert_eq!(view["expected"][0]["heard_at"], "2027-01-15T08:01:40Z");
    assert_eq!(view["heartbeats"][0]["failure"], "it was not taken by the platform in time");
    world.vigil.reload(settings(vec![], vec![]));
    world.look(3600 + 901).await;
    assert!(!shown().join("\n").contains("ups"), "{:?}", shown());
}

#[tokio::test]
async fn the_loop_looks_when_somebody_is_heard_of_and_ends_when_it_is_told_to() {
    let within = Duration::from_secs(3600);
    let expected = Expectation { within, ..expectation(ups(), 1) };
    let World { _directory, spool, vigil, .. } = World::new(settings(vec![expected], vec![]));
    let vigil = Arc::new(vigil);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&vigil).run(stopped));
    while vigil.view().expected.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut heard = submission(Door::Smtp, Timestamp::now());
    heard.remembered.heard = vec![ups()];
    spool.accept(heard).await.unwrap();
    while vigil.view().expected[0].heard_at.is_none() {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    task.await.unwrap();
    let noted = spool.note(ALIVE.to_owned()).await.unwrap().unwrap();
    assert!(noted.parse::<Timestamp>().is_ok(), "{noted}");
}
