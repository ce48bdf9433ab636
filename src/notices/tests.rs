//! Notices in a real spool, in a time of the test.

use std::path::Path;
use std::sync::Mutex;

use prometheus_client::encoding::text::encode;
use rusqlite::Connection;

use super::*;
use crate::budget::{Levels, key};
use crate::model::{Period, Unit};
use crate::routing::BudgetScope;
use crate::spool::{SqliteSpool, sqlite};
use crate::test_log::TestLog;

/// Where the time of these tests begins.
const BEGAN: i64 = 1_800_000_000;

struct World {
    directory: tempfile::TempDir,
    spool: Arc<SqliteSpool>,
    notices: Notices,
    memory: Memory,
    now: Arc<Mutex<Timestamp>>,
    /// The budgets of the configuration.
    left: Arc<Mutex<Vec<Budget>>>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGAN + second).unwrap()
}

fn open(directory: &Path) -> Arc<SqliteSpool> {
    let settings = sqlite::Settings { directory: directory.to_owned(), min_free_octets: 1 };
    Arc::new(SqliteSpool::open(settings).unwrap())
}

fn budgets() -> Vec<Budget> {
    let levels = Levels { warn: Some(80_000_000), hold: None, ceiling: Some(120_500_000) };
    let (period, of) = (Period::Month, BudgetScope::default());
    let money = Budget { name: "money".to_owned(), period, unit: Unit::Money, levels, zone: None, of };
    let levels = Levels { warn: None, hold: Some(1000), ceiling: None };
    vec![Budget { name: "all".to_owned(), unit: Unit::Parts, levels, ..money.clone() }, money]
}

impl World {
    fn new(has_operator: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path());
        let now = Arc::new(Mutex::new(at(0)));
        let clock = Arc::clone(&now);
        let settings = Settings {
            operator: has_operator.then(|| MailAddress::parse("ops@example.com").unwrap()),
            from: MailAddress::parse("relay@example.com").unwrap(),
            hostname: "relay.example.com".to_owned(),
            lifetime: Duration::from_secs(86_400),
        };
        let shared: Arc<dyn Spool> = spool.clone();
        let clock: Clock = Box::new(move || *clock.lock().unwrap());
        let left = Arc::new(Mutex::new(budgets()));
        let current = Arc::clone(&left);
        let current: Current = Box::new(move || current.lock().unwrap().clone());
        let notices = Notices::with_clock(shared, current, settings, clock);
        Self { directory, spool, notices, memory: Memory::default(), now, left }
    }

    /// Something happens at this second.
    fn happens(&self, second: i64, about: &str) {
        self.happen(second, [about.to_owned()]);
    }

    /// Several things happen at this second.
    fn happen(&self, second: i64, all: impl IntoIterator<Item = String>) {
        let sql = "INSERT INTO notice (rank, at, about, words) VALUES (?1, ?2, ?3, 'What it means.')";
        let mut connection = Connection::open(self.directory.path().join("spool.sqlite")).unwrap();
        let transaction = connection.transaction().unwrap();
        for about in all {
            let rank = i64::from(about.contains("limit"));
            transaction.execute(sql, rusqlite::params![rank, at(second).as_millisecond(), about]).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// How long it then waits.
    async fn look(&mut self, second: i64) -> Option<u64> {
        *self.now.lock().unwrap() = at(second);
        self.notices.tell(&mut self.memory).await.map(|wait| wait.as_secs())
    }

    /// The subjects of the mails since the last look.
    async fn mails(&self) -> Vec<String> {
        let claimed = self.spool.claim_mail(Timestamp::MAX, 100).await.unwrap();
        let subject = |mail: &OutgoingMail| {
            assert_eq!((mail.kind, &mail.reverse_path), (MailKind::Notice, &ReversePath::Null));
            assert_eq!(mail.recipient.to_string(), "ops@example.com");
            let text = String::from_utf8(mail.bytes.clone()).unwrap();
            text.split("\r\n").find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
        };
        claimed.iter().map(|claimed| subject(&claimed.mail)).collect()
    }

    async fn left(&self) -> usize {
        self.spool.notices(20_000).await.unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_within_five_seconds_is_one_mail() {
    let mut world = World::new(true);
    assert_eq!(world.look(0).await, None);
    world.happens(1, "budget a holds SMS");
    assert_eq!(world.look(1).await, Some(5));
    world.happens(3, "budget b holds SMS");
    assert_eq!(world.look(5).await, Some(1), "from the first on");
    assert_eq!(world.mails().await, Vec::<String>::new());
    assert_eq!(world.look(6).await, Some(0));
    assert_eq!(world.mails().await, ["SMS relay: budget a holds SMS, and another notice"]);
    assert_eq!((world.look(6).await, world.left().await), (None, 0));
    // A clock that was put back is not waited for.
    world.happens(1000, "budget c holds SMS");
    assert_eq!(world.look(7).await, Some(0));
    assert_eq!(world.mails().await, ["SMS relay: budget c holds SMS"]);
}

#[tokio::test(start_paused = true)]
async fn there_are_six_mails_an_hour_and_the_next_tells_what_came_meanwhile() {
    let mut world = World::new(true);
    for n in 0..6 {
        world.happens(0, "a limit bites");
        assert_eq!(world.look(10).await, Some(0), "{n}");
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert_eq!(world.mails().await.len(), 6);
    world.happens(0, "one");
    world.happens(0, "two");
    assert_eq!(world.look(10).await, Some(54 * 60));
    tokio::time::advance(Duration::from_secs(54 * 60 - 1)).await;
    assert_eq!((world.look(10).await, world.left().await), (Some(1), 2));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(world.look(10).await, Some(0));
    assert_eq!(
        (world.mails().await, world.left().await),
        (vec!["SMS relay: one, and another notice".to_owned()], 0)
    );
    world.happens(0, "three");
    assert_eq!(world.look(10).await, Some(60), "the second of the six is still less than an hour ago");
}

#[tokio::test(start_paused = true)]
async fn without_anybody_to_mail_the_log_tells_and_that_is_the_end_of_it() {
    let mut world = World::new(false);
    world.happens(0, "a limit bites");
    assert_eq!(world.look(0).await, Some(0));
    assert_eq!((world.look(0).await, world.left().await), (None, 0));
    assert_eq!(world.mails().await, Vec::<String>::new());
    assert_eq!(world.notices.told.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_one_mail_without_waiting() {
    let mut world = World::new(true);
    let limit = |n: usize| format!("the limit of {n} is reached");
    world.happen(0, (0..MOST_TOLD + 1).map(limit));
    assert_eq!((world.look(0).await, world.left().await), (Some(0), 1));
    assert_eq!(world.look(0).await, Some(5));
    assert_eq!(world.mails().await, ["SMS relay: the limit of 0 is reached, and 4999 other notices"]);
    // Another process knows of none that were mailed, and of all that are left.
    world.memory = Memory::default();
    assert_eq!((world.look(5).await, world.left().await), (Some(0), 0));
    assert_eq!(world.notices.told.get(), MOST_TOLD as u64 + 1);
    assert_eq!(world.look(5).await, None);
}

#[tokio::test(start_paused = true)]
async fn while_no_mail_may_go_everything_is_logged_and_budgets_are_told_first() {
    let mut world = World::new(true);
    for _ in 0..MOST_MAILS {
        world.happens(0, "a limit bites");
        assert_eq!(world.look(10).await, Some(0));
    }
    world.mails().await;
    let log = TestLog::default();
    let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::WARN));
    world.happen(0, (0..300).map(|n| format!("the limit of {n} is reached")));
    assert_eq!(world.look(10).await, Some(3600));
    world.happens(1, "budget b holds SMS");
    assert_eq!(world.look(11).await, Some(3600));
    let lines = log.take();
    assert_eq!(lines.matches("What it means.").count(), 301, "each once");
    assert!(lines.contains("the limit of 299 is reached") && lines.contains("budget b holds SMS"), "{lines}");
    tokio::time::advance(HOUR).await;
    assert_eq!(world.look(12).await, Some(0));
    drop(guard);
    assert_eq!(world.mails().await, ["SMS relay: budget b holds SMS, and 300 other notices"]);
    assert_eq!((log.take(), world.left().await), (String::new(), 0));
}

#[tokio::test(start_paused = true)]
async fn each_budget_of_the_configuration_has_its_figures() {
    let world = World::new(true);
    let connection = Connection::open(world.directory.path().join("spool.sqlite")).unwrap();
    let sql = "INSERT INTO spent (budget, begins, ends, amount, told) VALUES (?1, ?2, ?3, 80040000, 0)";
    for (name, from, to) in [("money", 0, 9), ("money", -9, 0), ("money", 9, 18), ("gone", 0, 9)] {
        let key = key(name, Period::Month, Unit::Money);
        let (from, to) = (at(from).as_millisecond(), at(to).as_millisecond());
        connection.execute(sql, rusqlite::params![key, from, to]).unwrap();
    }
    world.notices.read_figures().await;
    let (mut registry, mut text) = (Registry::default(), String::new());
    world.notices.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    assert_eq!(
        series(&text),
        [
            "sms_relay_budget_level{budget=\"all\",level=\"hold\"} 1000.0",
            "sms_relay_budget_level{budget=\"money\",level=\"ceiling\"} 120.5",
            "sms_relay_budget_level{budget=\"money\",level=\"warn\"} 80.0",
            "sms_relay_budget_spent{budget=\"all\"} 0.0",
            "sms_relay_budget_spent{budget=\"money\"} 80.04",
            "sms_relay_held_by_budgets 0",
            "sms_relay_notices_total 0",
        ]
    ); // One that a reload has taken out has none, and the others keep theirs.
    world.left.lock().unwrap().pop();
    world.notices.read_figures().await;
    text.clear();
    encode(&mut text, &registry).unwrap();
    let left = series(&text);
    assert_eq!(left.len(), 4);
    assert!(left.contains(&"sms_relay_budget_level{budget=\"all\",level=\"hold\"} 1000.0"), "{left:?}");
}

/// The lines of metrics that have a value, in order.
fn series(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.sort_unstable();
    lines
}
