//! The watcher with a platform of the test and a real spool. Time is the test's: it passes only while everybody waits,
//! and the watcher alone has something to wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use prometheus_client::encoding::text::encode;
use tokio::sync::mpsc;

use super::*;
use crate::gateway::{Gateway, LineSettings};
use crate::model::{
    Cause, Channel, EnhancedStatus, Legacy, MessageId, SendOutcome, Sms, StatusOutcome, SubmissionId,
    Template,
};
use crate::retry::{Answer, Backoff, Permission};
use crate::spool::{ClaimedMail, SqliteSpool, sqlite};

const EVERY: Duration = Duration::from_secs(900);

/// Answers what the test has put there, and waits while there is nothing.
struct Account {
    name: &'static str,
    answers: tokio::sync::Mutex<mpsc::UnboundedReceiver<CreditOutcome>>,
    asked: mpsc::UnboundedSender<Instant>,
    dropped: Arc<AtomicBool>,
}

/// Tells that a question was dropped.
struct UnderWay(Arc<AtomicBool>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Gateway for Account {
    fn name(&self) -> &str {
        self.name
    }

    async fn credit(&self) -> CreditOutcome {
        self.asked.send(Instant::now()).unwrap();
        let under_way = UnderWay(Arc::clone(&self.dropped));
        let answer = self.answers.lock().await.recv().await;
        std::mem::forget(under_way);
        answer.unwrap()
    }

    async fn send(&self, _: &Sms) -> SendOutcome {
        panic!("the watcher sends nothing")
    }

    async fn send_many(&self, _: &[Sms], _: Legacy) -> SendOutcome {
        panic!("the watcher sends nothing")
    }

    async fn send_template(&self, _: &Sms, _: &Template) -> SendOutcome {
        panic!("the watcher sends nothing")
    }

    async fn status(&self, _: &MessageId, _: Channel) -> StatusOutcome {
        panic!("the watcher asks for no status")
    }
}

/// The test's side of an account.
struct Ours {
    answers: mpsc::UnboundedSender<CreditOutcome>,
    asked: mpsc::UnboundedReceiver<Instant>,
    dropped: Arc<AtomicBool>,
}

impl Ours {
    fn left(&self, millionths: i64) {
        self.answers.send(CreditOutcome::Left(price(millionths))).unwrap();
    }

    fn silent(&self, until: Option<Timestamp>) {
        let cause = Cause::new(EnhancedStatus::new(4, 3, 0), "the SMS platform gave no credit");
        self.answers.send(CreditOutcome::CannotTell { until, cause }).unwrap();
    }

    /// Waits until the next question is put; what came of the one before is written by then.
    async fn question(&mut self) -> Instant {
        self.asked.recv().await.unwrap()
    }
}

fn account(name: &'static str) -> (Arc<dyn Gateway>, Ours) {
    let (answers, to_give) = mpsc::unbounded_channel();
    let (asked, questions) = mpsc::unbounded_channel();
    let dropped = Arc::new(AtomicBool::new(false));
    let account =
        Account { name, answers: tokio::sync::Mutex::new(to_give), asked, dropped: Arc::clone(&dropped) };
    (Arc::new(account), Ours { answers, asked: questions, dropped })
}

fn price(millionths: i64) -> Price {
    Price::from_millionths(millionths)
}

fn lines(gateways: Vec<Arc<dyn Gateway>>) -> Arc<Lines> {
    let probe = Backoff { first: Duration::from_secs(30), most: Duration::from_secs(900) };
    let settings = LineSettings { concurrency: 1, messages_per_second: None, probe };
    Arc::new(Lines::new(gateways.into_iter().map(|gateway| (gateway, settings)).collect()))
}

/// `main` is low below 1000 millionths.
fn settings(operator: bool) -> Settings {
    Settings {
        gateways: vec![("main".to_owned(), GatewayCredit { every: EVERY, low: Some(price(1000)) })],
        operator: operator.then(|| MailAddress::parse("ops@example.com").unwrap()),
        from: MailAddress::parse("relay@example.com").unwrap(),
        hostname: "relay.example.com".to_owned(),
        lifetime: Duration::from_secs(86_400),
    }
}

fn open(directory: &std::path::Path) -> Arc<SqliteSpool> {
    let settings = sqlite::Settings { directory: directory.to_owned(), min_free_octets: 1 };
    Arc::new(SqliteSpool::open(settings).unwrap())
}

/// A clock that goes as tokio's does.
fn clock() -> Clock {
    let (began, epoch) = (Instant::now(), Timestamp::from_second(1_800_000_000).unwrap());
    Box::new(move || later(epoch, began.elapsed()))
}

/// A watcher at work.
struct World {
    credit: Arc<Credit>,
    spool: Arc<SqliteSpool>,
    lines: Arc<Lines>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl World {
    fn start(spool: Arc<SqliteSpool>, gateways: Vec<Arc<dyn Gateway>>, settings: Settings) -> Self {
        let lines = lines(gateways);
        let shared: Arc<dyn Spool> = spool.clone();
        let credit = Arc::new(Credit::with_clock(shared, Arc::clone(&lines), settings, clock()));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&credit).run(stopped));
        Self { credit, spool, lines, stop, task }
    }

    /// The subjects of the mails since the last look.
    async fn mails(&self) -> Vec<String> {
        let claimed = self.spool.claim_mail(Timestamp::MAX, 100).await.unwrap();
        claimed
            .iter()
            .map(|ClaimedMail { mail, .. }| {
                assert_eq!(
                    (mail.kind, &mail.reverse_path, mail.about),
                    (MailKind::Notice, &ReversePath::Null, None)
                );
                assert_eq!(mail.recipient.to_string(), "ops@example.com");
                let text = String::from_utf8(mail.bytes.clone()).unwrap();
                text.split("\r\n").find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
            })
            .collect()
    }

    async fn stop(self) -> Arc<SqliteSpool> {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.spool
    }
}

#[tokio::test(start_paused = true)]
async fn it_asks_at_the_start_and_at_its_interval_and_tells_each_change_once() {
    let directory = tempfile::tempdir().unwrap();
    let (gateway, mut ours) = account("main");
    let world = World::start(open(directory.path()), vec![gateway], settings(true));
    let began = Instant::now();
    let mut asked = ours.question().await;
    assert_eq!(asked, began);
    let low = "SMS credit is low: 0.000999 left at gateway main";
    let empty = "SMS credit is used up at gateway main";
    let fine = "SMS credit is enough again: 0.0011 at gateway main";
    for (left, told, trouble) in [
        (1000, vec![], false),
        (999, vec![low], false),
        (1099, vec![], false),
        (0, vec![empty], true),
        (0, vec![], true),
        (500, vec![], false),
        (0, vec![], true),
        (1100, vec![fine], false),
        (999, vec![low], false),
        (1100, vec![fine], false),
        (0, vec![empty], true),
    ] {
        ours.left(left);
        let next = ours.question().await;
        assert_eq!(next.duration_since(asked), EVERY);
        asked = next;
        assert_eq!(world.mails().await, told, "{left}");
        let expected: &[&str] = if trouble { &["gateway main: credit is used up"] } else { &[] };
        assert_eq!(world.credit.trouble(), expected, "{left}");
        assert_eq!(world.credit.left("main"), Some(price(left)));
    }
    world.stop().await;
    assert!(ours.dropped.load(Ordering::SeqCst), "the question under way kept the relay from ending");
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_no_mail_and_misses_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    for (left, told) in [
        (999, vec!["SMS credit is low: 0.000999 left at gateway main"]),
        (999, vec![]),
        // Above the limit, but not by a tenth.
        (1099, vec![]),
        (0, vec!["SMS credit is used up at gateway main"]),
        (0, vec![]),
        (1100, vec!["SMS credit is enough again: 0.0011 at gateway main"]),
        (1000, vec![]),
    ] {
        let (gateway, mut ours) = account("main");
        let world = World::start(spool, vec![gateway], settings(true));
        ours.question().await;
        ours.left(left);
        ours.question().await;
        assert_eq!(world.mails().await, told, "{left}");
        spool = world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_operator_it_is_known_and_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let (gateway, mut ours) = account("main");
    let world = World::start(open(directory.path()), vec![gateway], settings(false));
    ours.question().await;
    ours.left(0);
    ours.question().await;
    assert_eq!(world.mails().await, Vec::<String>::new());
    assert_eq!(world.credit.trouble().len(), 1);
    // Whoever is there from now on learns it.
    world.credit.reload(settings(true));
    ours.left(0);
    ours.question().await;
    ours.left(0);
    ours.question().await;
    assert_eq!(world.mails().await, ["SMS credit is used up at gateway main"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_changes_nothing_and_its_pause_is_that_of_all_questions() {
    let directory = tempfile::tempdir().unwrap();
    let (gateway, mut ours) = account("main");
    let world = World::start(open(directory.path()), vec![gateway], settings(true));
    ours.question().await;
    ours.left(0);
    let asked = ours.question().await;
    let now = || (world.credit.clock)();
    ours.silent(None);
    let next = ours.question().await;
    assert_eq!(next.duration_since(asked), EVERY);
    assert_eq!((world.credit.trouble().len(), world.credit.left("main")), (1, Some(price(0))));
    // A pause that ends after the interval counts, and holds for nobody who sends.
    let gate = || world.lines.all()[0].gate.clone();
    let until = later(now(), Duration::from_secs(1000));
    ours.silent(Some(until));
    let after = ours.question().await;
    assert_eq!(after.duration_since(next), Duration::from_secs(1000));
    assert_eq!(gate().questions_paused_until(until), None);
    let before = until.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(gate().questions_paused_until(before), Some(until));
    assert_eq!(gate().with(|gate| gate.permission(before)), Permission::Free);
    // One that somebody else was told counts, too: who asked, and who sent.
    gate().pause_questions(later(now(), Duration::from_secs(2000)), now());
    ours.left(0);
    let last = ours.question().await;
    assert_eq!(last.duration_since(after), Duration::from_secs(2000));
    let about = SubmissionId::new(now()).message(1);
    gate().answered("main", about, Answer::Pause(later(now(), Duration::from_secs(3000))), now());
    ours.left(0);
    assert_eq!(ours.question().await.duration_since(last), Duration::from_secs(3000));
    assert_eq!(world.mails().await, ["SMS credit is used up at gateway main"]);
}

#[tokio::test(start_paused = true)]
async fn each_account_has_its_own_interval_and_limit_and_others_are_not_asked() {
    let directory = tempfile::tempdir().unwrap();
    let ((main, mut of_main), (spare, mut of_spare), (other, mut of_other)) =
        (account("main"), account("spare"), account("other"));
    let mut settings = settings(true);
    let often = GatewayCredit { every: Duration::from_secs(300), low: None };
    settings.gateways.push(("spare".to_owned(), often));
    settings.gateways.push(("gone".to_owned(), often));
    settings.gateways.push((String::new(), often));
    let world = World::start(open(directory.path()), vec![other, main, spare], settings.clone());
    let began = of_main.question().await;
    of_main.left(1);
    assert_eq!(of_spare.question().await, began);
    for minutes in [5, 10] {
        of_spare.left(1);
        assert_eq!(of_spare.question().await.duration_since(began), Duration::from_secs(minutes * 60));
    }
    of_spare.left(0);
    assert_eq!(of_main.question().await.duration_since(began), EVERY);
    assert_eq!(
        world.mails().await,
        ["SMS credit is low: 0.000001 left at gateway main", "SMS credit is used up at gateway spare"]
    );
    assert_eq!(world.credit.trouble(), ["gateway spare: credit is used up"]);

    let written = |credit: &Credit| {
        let (mut registry, mut text) = (Registry::default(), String::new());
        credit.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = written(&world.credit);
    lines.sort();
    let at = |seconds: i64| format!("{:.1}", (1_800_000_000 + seconds) as f64);
    assert_eq!(
        lines,
        [
            "sms_relay_gateway_credit_low{gateway=\"main\"} 1".to_owned(),
            "sms_relay_gateway_credit_low{gateway=\"spare\"} 1".to_owned(),
            format!("sms_relay_gateway_credit_timestamp_seconds{{gateway=\"main\"}} {}", at(0)),
            format!("sms_relay_gateway_credit_timestamp_seconds{{gateway=\"spare\"}} {}", at(600)),
            "sms_relay_gateway_credit{gateway=\"main\"} 0.000001".to_owned(),
            "sms_relay_gateway_credit{gateway=\"spare\"} 0.0".to_owned(),
        ]
    );
    // One that is not watched any more is forgotten.
    settings.gateways.truncate(1);
    world.credit.reload(settings);
    assert_eq!((world.credit.trouble(), world.credit.left("spare")), (Vec::new(), None));
    assert!(written(&world.credit).iter().all(|line| line.contains("main")));
    assert!(of_other.asked.try_recv().is_err());
}
