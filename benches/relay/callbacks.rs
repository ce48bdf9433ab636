//! A platform that has taken everything and then says, in random order and some of it twice, how each part ended.
//!
//! Each message is a mail of its own, so that each failure is a report of its own. What is measured lies between the
//! first callback and the answer to the last one, which comes once what it said is on the disk; and the last report at
//! the smarthost. Then many of the callbacks come once more, which changes nothing, and every message is looked at in the
//! spool.
//!
//! Two peers in the same run bound what can be expected: the same callbacks against a server that only says yes, and a
//! bare SQLite that writes as many rows with the same number of records in a commit.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rusqlite::{Connection, params};
use sms_relay::model::{FinalState, Price, State, SubmissionId};
use sms_relay::spool::sqlite::{Settings, SqliteSpool};
use sms_relay::spool::{Backlog, Spool};

use super::memory::{forget_peak, peak, resident};
use super::world::{Api, Client, PATIENCE, Relay, Wanted, sync_time};

/// Connections that mail comes by.
const SUBMITTERS: usize = 16;
/// Of a hundred callbacks, how many come twice.
const TWICE: u8 = 10;
/// What a part costs, in millionths.
const PRICE: i64 = 35_000;

/// Ends so many messages by so many `connections` of the platform.
pub(crate) fn run(messages: usize, connections: usize) -> Result<()> {
    let api = Api::start(Duration::ZERO)?;
    let smarthost = Smarthost::start()?;
    let more = format!(
        "[smarthost]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"off\"\n\
         [[http.listener]]\nname = \"http\"\nbind = \"127.0.0.1:0\"\ncallbacks = true\nmetrics = true\n\
         [http]\nconnections = 1000\nconnections_per_client = 1000\n\
         [callbacks]\nnetworks = [\"127.0.0.0/8\"]\n\
         [dispatch]\nconcurrency = 32\n\
         [tracking]\nask = {{ first = \"1h\", most = \"1h\" }}\nask_with_callbacks = \"1h\"\n",
        smarthost.address.port()
    );
    let wanted = Wanted { reports_to: "sender", more: &more, ..Wanted::default() };
    let mut relay = Relay::wanted(api.address, &wanted)?;
    let http = relay.http.context("no HTTP port in the log")?;
    let ids = submit(&relay, &api, messages)?;
    let calls = calls(&ids);
    let before = resident(relay.pid())?;
    forget_peak(relay.pid())?;

    let begun = Instant::now();
    call(http, &calls, connections)?;
    let settled = begun.elapsed();
    let failures = (0..messages).filter(|number| Fate::of(*number).is_reported()).count();
    let reported = smarthost.wait_for(failures)?.map(|last| last - begun);
    let (after, most) = (resident(relay.pid())?, peak(relay.pid())?);
    let sample = &calls[..calls.len().min(50_000)];
    let begun = Instant::now();
    call(http, sample, connections)?;
    let repetitions = rate(sample.len(), begun.elapsed());
    let figures = metrics(http)?;
    let sync = sync_time(relay.directory())?;
    relay.stop()?;
    judge(&relay.directory().join("spool"), &ids, calls.len() + sample.len(), &figures)?;
    ensure!(smarthost.mails.try_recv().is_err(), "more reports than failures");

    let relays = rate(calls.len(), settled);
    println!(
        "{messages} messages in flight, {} callbacks in random order by {connections} connections, {failures} reports",
        calls.len()
    );
    println!("{:<44}{:>10.2} s, {relays:>8.0} a second", "until the last is settled", settled.as_secs_f64());
    if let Some(reported) = reported {
        println!("{:<44}{:>10.2} s", "until the last report is out", reported.as_secs_f64());
    }
    println!("{:<44}{before:>10} KiB resident", "before");
    println!("{:<44}{most:>10} KiB resident", "most in between");
    println!("{:<44}{after:>10} KiB resident", "after");
    println!("{:<44}{repetitions:>10.0} a second", "the same once more");
    let only_yes = rate(sample.len(), yes(sample, connections)?);
    println!(
        "{:<44}{only_yes:>10.0} a second, ratio {:.2}",
        "a server that only says yes",
        relays / only_yes
    );
    let bare = rate(sample.len(), sqlite(relay.directory(), messages, sample.len(), connections)?);
    println!(
        "{:<44}{bare:>10.0} a second, ratio {:.2}",
        format!("SQLite alone, {connections} in a commit"),
        relays / bare
    );
    println!("{:<44}{:>10.3} ms", "sync of this disk", sync.as_secs_f64() * 1e3);
    Ok(())
}

fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What is to become of a message, by its number.
struct Fate {
    parts: u32,
    /// Of the last part; the others are delivered.
    code: u32,
    /// Whether its sender wants to know of a failure.
    is_asked_for: bool,
}

impl Fate {
    /// One in ten has two parts; of a hundred, two cannot be delivered and one is given up. One sender in three does
    /// not want to know.
    fn of(number: usize) -> Self {
        Self {
            parts: if number.is_multiple_of(10) { 2 } else { 1 },
            code: match number % 100 {
                7 | 20 => 6,
                13 => 8,
                _ => 3,
            },
            is_asked_for: !number.is_multiple_of(3),
        }
    }

    fn end(&self) -> FinalState {
        match self.code {
            6 => FinalState::Undelivered,
            8 => FinalState::Expired,
            _ => FinalState::Delivered,
        }
    }

    fn is_reported(&self) -> bool {
        self.code != 3 && self.is_asked_for
    }
}

/// Hands in so many messages, each with a sender of its own, and waits until the platform has all. The ids by number.
fn submit(relay: &Relay, api: &Api, messages: usize) -> Result<Vec<String>> {
    let port = relay.smtp;
    let clients: Vec<_> = (0..SUBMITTERS)
        .map(|first| {
            thread::spawn(move || -> Result<Vec<(usize, String)>> {
                let mut client = Client::connect(port)?;
                let mut ids = Vec::new();
                for number in (first..messages).step_by(SUBMITTERS) {
                    let fate = Fate::of(number);
                    let words = "Input 0 V, battery 80 percent, load 41 percent, 12 minutes left. ";
                    let body = words.repeat(if fate.parts == 1 { 2 } else { 4 });
                    let mail = format!("Subject: UPS on battery\r\n\r\n{body}\r\n");
                    let notify = if fate.is_asked_for { "" } else { " NOTIFY=NEVER" };
                    let recipient = format!("<39347{number:07}@sms.local>{notify}");
                    let sent = client.mail_from(&format!("ups{number}@example.com"), &recipient, &mail)?;
                    ids.push((number, sent.id));
                }
                Ok(ids)
            })
        })
        .collect();
    let mut ids = vec![String::new(); messages];
    for client in clients {
        for (number, id) in client.join().map_err(|_| anyhow!("a client panicked"))?? {
            ids[number] = id;
        }
    }
    for _ in 0..messages {
        api.next()?;
    }
    Ok(ids)
}

/// Every callback as the octets of a request, shuffled.
fn calls(ids: &[String]) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut calls = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let fate = Fate::of(number);
        for part in 1..=fate.parts {
            let (code, words) = match fate.code {
                6 if part == fate.parts => (6, "Undeliverable"),
                8 if part == fate.parts => (8, "Expired"),
                _ => (3, "Delivered"),
            };
            let body = format!(
                r#"{{"channel":"SMS","eventType":"DELIVERY","messageId":"{id}-1","destination":"+39347{number:07}","statusCode":{code},"description":"{words}","price":0.035,"numPart":{part},"totalParts":{},"eventDate":"2026-01-31T08:00:00Z"}}"#,
                fate.parts
            );
            let head = format!(
                "POST /callbacks HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let call = [head.as_bytes(), body.as_bytes()].concat();
            if random.u8(..100) < TWICE {
                calls.push(call.clone());
            }
            calls.push(call);
        }
    }
    random.shuffle(&mut calls);
    calls
}

/// Makes all `calls` by so many connections that stay open, each with one call at a time.
fn call(server: SocketAddr, calls: &[Vec<u8>], connections: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let mut stream = connect(server)?;
                    while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        stream.get_mut().write_all(call)?;
                        let (status, _) = answer(&mut stream)?;
                        ensure!(status.starts_with("HTTP/1.1 200 "), "a callback was answered {status:?}");
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| anyhow!("a caller panicked"))??;
        }
        Ok(())
    })
}

fn connect(server: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// The status line of an answer, or the first line of a request, and its body.
fn answer(stream: &mut BufReader<TcpStream>) -> Result<(String, String)> {
    let (mut first, mut line, mut octets) = (String::new(), String::new(), 0);
    stream.read_line(&mut first)?;
    ensure!(!first.is_empty(), "the other side closed the connection");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if line == "\r\n" || line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            octets = value.trim().parse()?;
        }
    }
    let mut body = vec![0; octets];
    stream.read_exact(&mut body)?;
    Ok((first, String::from_utf8(body)?))
}

/// What is counted, by series.
fn metrics(server: SocketAddr) -> Result<HashMap<String, f64>> {
    let mut stream = connect(server)?;
    stream.get_mut().write_all(b"GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n")?;
    let (_, text) = answer(&mut stream)?;
    let series = text.lines().filter_map(|line| line.rsplit_once(' '));
    Ok(series.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}

/// Whether everything has come to what it should.
fn judge(spool: &Path, ids: &[String], calls: usize, figures: &HashMap<String, f64>) -> Result<()> {
    let parts: u32 = (0..ids.len()).map(|number| Fate::of(number).parts).sum();
    let counted = |result| {
        figures.get(&format!("sms_relay_callbacks_total{{result=\"{result}\"}}")).copied().unwrap_or_default()
    };
    let new = counted("new") + counted("late");
    let repeated = counted("repeated");
    let expected = (f64::from(parts), calls as f64 - f64::from(parts), 0.0);
    ensure!(
        (new, repeated, counted("unknown_id")) == expected,
        "{new} callbacks count as new and {repeated} as repeated, and not as {expected:?}"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let settings = Settings { directory: spool.to_owned(), min_free_octets: 0 };
        let spool = SqliteSpool::open(settings)?;
        let left = spool.backlog().await?;
        ensure!(left == Backlog::default(), "not all has ended: {left:?}");
        let mut sum = 0;
        for (number, id) in ids.iter().enumerate() {
            let (fate, id): (Fate, SubmissionId) = (Fate::of(number), id.parse()?);
            let view = spool.submission(id).await?.context("a message got lost")?;
            let [message] = view.messages.as_slice() else { anyhow::bail!("{id} is not one message") };
            let is = (message.state, message.callbacks.len(), view.mails.len());
            let is_to_be = (State::Final(fate.end()), fate.parts as usize, usize::from(fate.is_reported()));
            ensure!(is == is_to_be, "{id} has {is:?} and not {is_to_be:?}");
            sum += message.price.map_or(0, Price::millionths);
        }
        ensure!(sum == i64::from(parts) * PRICE, "all parts cost {sum}");
        spool.close().await;
        Ok(())
    })
}

/// The smarthost's place: takes every mail and tells when.
struct Smarthost {
    address: SocketAddr,
    mails: Receiver<Instant>,
}

impl Smarthost {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, mails) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || take_mail(stream, &sender));
            }
        });
        Ok(Self { address, mails })
    }

    /// When the last of so many came; `None` where there is none to come.
    fn wait_for(&self, count: usize) -> Result<Option<Instant>> {
        let mut last = None;
        for number in 0..count {
            let mail = self.mails.recv_timeout(PATIENCE);
            last = Some(mail.with_context(|| format!("{number} of {count} reports came in time"))?);
        }
        Ok(last)
    }
}

fn take_mail(stream: TcpStream, mails: &Sender<Instant>) -> Result<()> {
    let mut writer = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    writer.write_all(b"220 smarthost\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let said: &[u8] = match line.get(..4).unwrap_or_default() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                while lines.next().transpose()?.is_some_and(|line| line != ".") {}
                // Nobody listens any more once the figures are printed.
                let _ = mails.send(Instant::now());
                b"250 kept\r\n"
            }
            "EHLO" => b"250-smarthost\r\n250 8BITMIME\r\n",
            _ => b"250 ok\r\n",
        };
        writer.write_all(said)?;
    }
    Ok(())
}

/// How long a server takes that says yes to all these calls and keeps nothing, one thread a connection.
fn yes(calls: &[Vec<u8>], connections: usize) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || -> Result<()> {
                stream.set_nodelay(true)?;
                let mut stream = BufReader::new(stream);
                loop {
                    answer(&mut stream)?;
                    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n")?;
                }
            });
        }
    });
    let begun = Instant::now();
    call(address, calls, connections)?;
    Ok(begun.elapsed())
}

/// How long SQLite takes for the least that could be kept of so many callbacks about `messages`: one row changed, a
/// row for the part and a line of the timeline each, `together` in a commit. In one thread, with nothing around it.
fn sqlite(directory: &Path, messages: usize, callbacks: usize, together: usize) -> Result<Duration> {
    let connection = Connection::open(directory.join("bare.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE sms (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, body TEXT NOT NULL);
         CREATE TABLE part (sms INTEGER, n INTEGER, code INTEGER, words TEXT, price INTEGER, at INTEGER,
           PRIMARY KEY (sms, n)) WITHOUT ROWID;
         CREATE TABLE event (sms INTEGER, n INTEGER, at INTEGER, state TEXT, note TEXT, PRIMARY KEY (sms, n))
           WITHOUT ROWID;
         BEGIN",
    )?;
    let mut order: Vec<i64> = (0..i64::try_from(messages)?).collect();
    for number in &order {
        let mut insert = connection.prepare_cached("INSERT INTO sms VALUES (?1, ?2, 'sent', ?3)")?;
        insert.execute(params![number, format!("01KATA{number:020}"), "x".repeat(600)])?;
    }
    connection.execute_batch("COMMIT")?;
    fastrand::Rng::with_seed(5).shuffle(&mut order);
    let begun = Instant::now();
    let order: Vec<i64> = order.into_iter().cycle().take(callbacks).collect();
    for (round, batch) in (0_i64..).zip(order.chunks(together.max(1))) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for number in batch {
            let mut update = connection.prepare_cached("UPDATE sms SET state = 'delivered' WHERE id = ?1")?;
            update.execute(params![format!("01KATA{number:020}")])?;
            let mut part = connection.prepare_cached("INSERT INTO part VALUES (?1, ?2, 3, ?3, ?4, ?5)")?;
            part.execute(params![number, round, "Delivered", PRICE, round])?;
            let mut line = connection.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)")?;
            line.execute(params![number, round, round, "delivered", "part 1 of 1 delivered"])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(begun.elapsed())
}
