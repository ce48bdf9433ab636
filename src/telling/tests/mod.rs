//! Calls to programs that listen on loopback, out of a spool in memory.

mod program;
mod spool;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::turns::tests::telling;
use super::{Settings, Signers, Teller};
use crate::model::{FinalState, KannelMask, Price, Reason, Secret, TellStyle, TellUrl};
use crate::retry::Backoff;
use crate::spool::Telling;
use program::{Answer, Got, Program};
use spool::{Place, Tellings};

/// Ends a test that hangs; nothing is measured with it.
const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "k3y with spaces, and an \u{fc}";

fn settings() -> Settings {
    Settings {
        backoff: Backoff { first: Duration::from_millis(20), most: Duration::from_millis(20) },
        lifetime: Duration::from_secs(3600),
        total_time: Duration::from_secs(20),
        concurrency: 8,
        per_host: 2,
    }
}

/// Knows one account.
struct Accounts(Mutex<Option<Secret>>);

impl Signers for Accounts {
    fn secret(&self, to: &TellUrl) -> Option<Secret> {
        self.0.lock().unwrap().clone().filter(|_| to.account == "shop")
    }
}

struct Running {
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(spool: &Arc<Tellings>, settings: Settings) -> Self {
        let signers = Arc::new(Accounts(Mutex::new(Some(Secret::from(SECRET)))));
        Self::signed(spool, signers, settings)
    }

    fn signed(spool: &Arc<Tellings>, signers: Arc<Accounts>, settings: Settings) -> Self {
        let (shutdown, asked) = watch::channel(false);
        let task = tokio::spawn(Teller::new(spool.clone(), signers, settings).run(asked));
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.send_replace(true);
        timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
    }
}

fn fresh(url: &str, ordinal: u32) -> Telling {
    Telling { ended_at: Timestamp::now(), ..telling(url, ordinal) }
}

async fn end(spool: &Tellings, ordinal: u32) -> Place {
    timeout(PATIENCE, spool.end(ordinal)).await.expect("an end").place
}

/// The HMAC-SHA-256 of `text` in hexadecimal, by another program.
fn by_python(secret: &str, text: &str) -> String {
    let code = "import hashlib, hmac, sys; text = sys.stdin.buffer.read(); \
                print(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).hexdigest())";
    let mut python = Command::new("python3")
        .args(["-c", code, secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Fails unless the call is signed as it should be.
fn check_signature(got: &Got) {
    let signature = got.header("x-smsrelay-signature");
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(hex, by_python(SECRET, &format!("{time}.{}", got.body)));
    let age = Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
}

#[tokio::test]
async fn a_program_is_told_by_a_signed_call() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(204)).await;
    let told = Telling { price: Some(Price::from_millionths(70_000)), ..fresh(&program.url(), 3) };
    let ended_at = told.ended_at.to_string();
    let spool = Tellings::with([told]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 3).await, Place::Told);
    running.stop().await;
    let [got] = &program.got()[..] else { panic!("{:?}", program.got()) };
    assert!(got.head.starts_with("POST /done?shop=1 HTTP/1.1\r\n"), "{}", got.head);
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("idempotency-key"), "01ARZ3NDEKTSV4RRFFQ69G5FAV-3");
    assert_eq!(
        serde_json::from_str::<Value>(&got.body).unwrap(),
        json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV-3",
            "to": "347 1234567",
            "state": "undelivered",
            "status": "5.4.0",
            "reason": "the handset was not reached",
            "price": "0.07",
            "parts": 1,
            "ended_at": ended_at,
            "attempt": 1,
        })
    );
    check_signature(got);
}

#[tokio::test]
async fn a_program_is_called_until_it_says_yes_and_never_elsewhere() {
    let elsewhere = Program::listen("127.0.0.1", Vec::new(), Answer::Status(200)).await;
    let answers =
        vec![Answer::Status(500), Answer::Elsewhere(elsewhere.url()), Answer::Closed, Answer::Status(404)];
    let program = Program::listen("127.0.0.1", answers, Answer::Status(200)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Told);
    running.stop().await;
    let waits = spool.entry(1).waits;
    assert_eq!(waits.len(), 4, "{waits:?}");
    assert_eq!(waits[0], "the program answered 500");
    assert_eq!(waits[1], "the program answered 302; redirects are not followed");
    assert!(waits[2].starts_with("the program cannot be reached: "), "{}", waits[2]);
    assert_eq!(waits[3], "the program answered 404");
    let got = program.got();
    let attempts: Vec<Value> =
        got.iter().map(|got| serde_json::from_str::<Value>(&got.body).unwrap()["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
    for call in &got {
        check_signature(call);
        assert_eq!(call.header("idempotency-key"), "01ARZ3NDEKTSV4RRFFQ69G5FAV-1");
    }
    assert!(elsewhere.got().is_empty());
}

#[tokio::test]
async fn a_client_of_kannel_is_told_by_its_own_url() {
    let program = Program::listen("127.0.0.1", vec![Answer::Status(500)], Answer::Status(202)).await;
    let by_kannel = |path: &str, ordinal, state, reason: Reason| {
        let mut told = fresh(&format!("http://{}{path}", program.address), ordinal);
        told.to.style = TellStyle::Kannel(KannelMask::from_bits(31).unwrap());
        // No secret is needed: nothing is signed.
        told.to.account = "gone".to_owned();
        Telling { state, cause: reason.cause(), ..told }
    };
    let spool =
        Tellings::with([by_kannel("/dlr?u=7&s=%d&id=%I", 1, FinalState::Delivered, Reason::Delivered)]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Told);
    spool.add(by_kannel("/dlr?s=%d&to=%p", 2, FinalState::Failed, Reason::Refused));
    assert_eq!(end(&spool, 2).await, Place::Told);
    // Kept by mistake, or changed on disk.
    spool.add(by_kannel("/dlr?s=%d", 3, FinalState::Cancelled, Reason::RuleDropped));
    let nothing = "Kannel tells nothing of this end".to_owned();
    assert_eq!(end(&spool, 3).await, Place::Failed(nothing));
    running.stop().await;
    let got = program.got();
    let lines: Vec<&str> = got.iter().map(|got| got.head.lines().next().unwrap()).collect();
    let first = "GET /dlr?u=7&s=1&id=01ARZ3NDEKTSV4RRFFQ69G5FAV-1 HTTP/1.1";
    assert_eq!(lines, [first, first, "GET /dlr?s=16&to=%2B393471234567 HTTP/1.1"], "again after the 500");
    for call in &got {
        let head = call.head.to_ascii_lowercase();
        assert!(
            !head.contains("signature") && !head.contains("idempotency") && call.body.is_empty(),
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn a_program_that_asks_for_a_pause_gets_it() {
    let program =
        Program::listen("127.0.0.1", vec![Answer::Busy("600".to_owned())], Answer::Status(200)).await;
    let began = Timestamp::now();
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, settings());
    let put_back = spool.until(1, |entry| !entry.waits.is_empty());
    let Place::Due(at) = timeout(PATIENCE, put_back).await.expect("an answer").place else { panic!() };
    running.stop().await;
    let waited = at.duration_since(began).as_secs();
    assert!((599..700).contains(&waited), "{waited}");
    assert_eq!(program.got().len(), 1);
}

#[tokio::test]
async fn a_program_that_is_gone_is_called_no_more() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(410)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Failed("the program answered 410, gone".to_owned()));
    running.stop().await;
    assert_eq!(program.got().len(), 1);
}

#[tokio::test]
async fn the_lifetime_ends_with_a_last_call() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(500)).await;
    let over = Timestamp::now() - settings().lifetime;
    let spool = Tellings::with([Telling { ended_at: over, ..telling(&program.url(), 1) }]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Failed("the program answered 500".to_owned()));
    assert_eq!(program.got().len(), 1);
    // One that has not ended yet is tried up to its end.
    let short = Settings { lifetime: Duration::from_millis(300), ..settings() };
    running.stop().await;
    spool.add(fresh(&program.url(), 2));
    let running = Running::start(&spool, short);
    assert_eq!(end(&spool, 2).await, Place::Failed("the program answered 500".to_owned()));
    running.stop().await;
    assert!(program.got().len() > 2, "{}", program.got().len());
}

#[tokio::test]
async fn a_host_that_hangs_delays_no_other_and_gets_two_calls_at_a_time() {
    let dead = Program::listen("127.0.0.1", Vec::new(), Answer::Silence).await;
    let live = Program::listen("127.0.0.2", Vec::new(), Answer::Status(200)).await;
    // More than are claimed at a time, all before the others.
    let all = (1..=600).map(|ordinal| fresh(&dead.url(), ordinal));
    let spool = Tellings::with(all.chain((601..=620).map(|ordinal| fresh(&live.url(), ordinal))));
    let running = Running::start(&spool, settings());
    for ordinal in 601..=620 {
        assert_eq!(end(&spool, ordinal).await, Place::Told);
    }
    assert!(dead.got().len() <= 2, "{} calls, and none was answered", dead.got().len());
    assert_eq!(
        spool.count(|place| *place == Place::Claimed),
        2 + 32,
        "two under way, the others of its share wait"
    );
    let last = spool.entry(600);
    assert_eq!(last.waits.first().unwrap(), "enough other calls to this host wait already");
    assert_eq!(last.telling.attempt, 0, "it was not called");
    running.task.abort();
}

#[tokio::test]
async fn a_call_without_an_answer_ends_with_the_total_time() {
    let program = Program::listen("127.0.0.1", vec![Answer::Silence], Answer::Status(200)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, Settings { total_time: Duration::from_millis(300), ..settings() });
    assert_eq!(end(&spool, 1).await, Place::Told);
    running.stop().await;
    let waits = spool.entry(1).waits;
    assert_eq!(waits, ["the program cannot be reached: no answer within the total time"]);
}

#[tokio::test]
async fn an_answer_without_end_is_a_yes_and_not_read() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Endless).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Told);
    running.stop().await;
    // What lies in the buffers of two sockets comes on top.
    assert!(program.written() < 32 << 20, "{}", program.written());
}

#[tokio::test]
async fn nobody_is_called_without_a_secret_or_by_a_url_that_is_none() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(200)).await;
    let mut stranger = fresh(&program.url(), 1);
    stranger.to.account = "gone".to_owned();
    let spool = Tellings::with([stranger, fresh("ftp://127.0.0.1/", 2), fresh("http://a:b@127.0.0.1/", 3)]);
    let signers = Arc::new(Accounts(Mutex::new(Some(Secret::from(SECRET)))));
    let running = Running::signed(&spool, Arc::clone(&signers), settings());
    let no_secret =
        |name: &str| format!("account `{name}` has no callback_secret any more, so nobody can sign");
    assert_eq!(end(&spool, 1).await, Place::Failed(no_secret("gone")));
    for ordinal in [2, 3] {
        let Place::Failed(why) = end(&spool, ordinal).await else { panic!() };
        assert!(why.starts_with("the program's URL is not one: "), "{why}");
    }
    *signers.0.lock().unwrap() = None;
    spool.add(fresh(&program.url(), 4));
    assert_eq!(end(&spool, 4).await, Place::Failed(no_secret("shop")));
    *signers.0.lock().unwrap() = Some(Secret::from("new"));
    spool.add(fresh(&program.url(), 5));
    assert_eq!(end(&spool, 5).await, Place::Told);
    running.stop().await;
    let [got] = &program.got()[..] else { panic!("{:?}", program.got()) };
    let (time, hex) = got.header("x-smsrelay-signature")[2..].split_once(",v1=").unwrap();
    assert_eq!(hex, by_python("new", &format!("{time}.{}", got.body)));
}

#[tokio::test]
async fn what_cannot_be_written_is_written_later_and_not_called_again() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(200)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    *spool.failing.lock().unwrap() = 1;
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Told);
    running.stop().await;
    assert_eq!(program.got().len(), 1);
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Everything logged on this thread as long as the guard lives.
    fn keep() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_program_is_told_in_the_log_once_the_spool_has_it() {
    let (log, _guard) = Log::keep();
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(200)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    *spool.failing.lock().unwrap() = 1;
    let running = Running::start(&spool, settings());
    assert_eq!(end(&spool, 1).await, Place::Told);
    running.stop().await;
    let text = log.text();
    let failed = text.find("cannot be written; trying again").expect("the spool failed once");
    let told = text.find("program told").expect("told in the end");
    assert!(failed < told, "{text}");
    // A spool that takes nothing more before the stop.
    spool.add(fresh(&program.url(), 2));
    *spool.failing.lock().unwrap() = usize::MAX;
    let running = Running::start(&spool, settings());
    timeout(PATIENCE, program.until(2)).await.expect("a call");
    running.stop().await;
    let text = log.text();
    assert!(text.contains("what became of telling a program is not written"), "{text}");
    assert_eq!(text.matches("program told").count(), 1, "{text}");
}

#[tokio::test]
async fn a_stop_finishes_the_calls_under_way_and_gives_the_others_back() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Silence).await;
    let spool = Tellings::with((1..=5).map(|ordinal| fresh(&program.url(), ordinal)));
    let running = Running::start(&spool, Settings { total_time: Duration::from_secs(2), ..settings() });
    timeout(PATIENCE, program.until(2)).await.expect("two calls");
    running.stop().await;
    assert_eq!(program.got().len(), 2);
    assert_eq!(spool.count(|place| matches!(place, Place::Due(_))), 5);
    for ordinal in 3..=5 {
        let entry = spool.entry(ordinal);
        assert_eq!(entry.waits, ["the relay stopped before it could call"]);
        assert_eq!(entry.telling.attempt, 0, "it was not called");
    }
}

#[tokio::test]
async fn what_comes_while_nothing_waits_is_called_at_once() {
    let program = Program::listen("127.0.0.1", Vec::new(), Answer::Status(200)).await;
    let spool = Tellings::with([fresh(&program.url(), 1)]);
    let running = Running::start(&spool, settings());
    for ordinal in 1..=5 {
        // Far less than the longest sleep of the loop.
        let told = timeout(Duration::from_secs(5), spool.end(ordinal)).await.expect("at once");
        assert_eq!(told.place, Place::Told);
        spool.add(fresh(&program.url(), ordinal + 1));
    }
    running.stop().await;
}
