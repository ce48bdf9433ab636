//! How fast the spool is on this disk: durable accepts for each number of submitters that wait at
//! a time, claiming and settling out of a backlog, callbacks about all of a backlog, and a storm: accepting and ending what
//! one summary tells of.
//!
//! `cargo bench --bench spool` measures for two seconds each; `-- 10` for ten, `-- storm` the storm alone. Without `--bench`,
//! as `cargo test` starts it, it only shows that it works.
#![allow(clippy::print_stdout, reason = "a table for whoever runs it")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sms_relay::model::{
    About, Callback, Cause, Channel, Client, Delivery, Door, Encoding, EnhancedStatus, Fate, FinalState,
    MailAddress, Message, Notify, Original, PartStatus, Passage, PhoneNumber, Price, Recipient, ReportTo,
    SenderId, Similar, Sms, SmsOptions, SmsText, Submission, SubmissionId,
};
use sms_relay::spool::sqlite::Settings;
use sms_relay::spool::{Room, Spool, SqliteSpool, Step, Taken};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(if is_bench { seconds } else { 0.01 });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    runtime.block_on(async {
        sync_time()?;
        if !arguments.iter().any(|argument| argument == "storm") {
            ordinary(time, is_bench).await?;
        }
        println!(
            "{:>10} {:>12} {:>12} {:>12} {:>14} {:>14}",
            "storm", "plain/s", "folded/s", "ended/s", "accept p50 us", "accept max us"
        );
        storm(if is_bench { 100_000 } else { 1_500 }).await?;
        Ok(())
    })
}

/// Everything but the storm.
async fn ordinary(time: Duration, is_bench: bool) -> anyhow::Result<()> {
    let backlogs: &[usize] = if is_bench { &[1_000, 50_000] } else { &[100] };
    println!(
        "{:>10} {:>12} {:>10} {:>10} {:>14}",
        "submitters", "accepts/s", "p50 us", "p99 us", "per commit"
    );
    for submitters in [1, 16, 64, 100, 256] {
        accepts(submitters, time).await?;
    }
    println!("{:>10} {:>12} {:>14}", "backlog", "messages/s", "workers");
    for backlog in backlogs {
        for workers in [1, 32] {
            claims(*backlog, workers, time).await?;
        }
    }
    println!(
        "{:>10} {:>12} {:>14} {:>14} {:>14}",
        "in flight", "callbacks/s", "callers", "per commit", "repeated/s"
    );
    for callers in [16, 256] {
        callbacks(if is_bench { 100_000 } else { 500 }, callers).await?;
    }
    Ok(())
}

fn directory() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

fn open(directory: &Path) -> anyhow::Result<Arc<SqliteSpool>> {
    let settings = Settings { directory: directory.join("spool"), min_free_octets: 1 << 20 };
    Ok(Arc::new(SqliteSpool::open(settings)?))
}

/// What the disk alone takes to sync 4 KiB that were appended: the bound for one submitter.
fn sync_time() -> anyhow::Result<()> {
    use std::io::Write as _;
    let directory = directory()?;
    let mut file = std::fs::File::create(directory.path().join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&[0; 4096])?;
        let before = Instant::now();
        file.sync_data()?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    println!("one sync of this disk: {} us (median)", times[times.len() / 2].as_micros());
    Ok(())
}

/// One SMS by mail, as a small appliance sends it.
fn submission(phone: usize, now: Timestamp) -> anyhow::Result<Submission> {
    let id = SubmissionId::new(now);
    let destination = PhoneNumber::from_e164(&format!("+39{:010}", 3_000_000_000_usize + phone))?;
    let sms = Sms {
        id: id.message(1),
        destination,
        sender: SenderId::new("Alarm")?,
        text: SmsText {
            body: "UPS in room 4: on battery, 12 minutes left".repeat(3),
            encoding: Encoding::Gsm7,
            parts: 1,
        },
        options: SmsOptions::default(),
    };
    Ok(Submission {
        id,
        received_at: now,
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: [10, 0, 0, 7].into(),
            helo: Some("ups.example.com".to_owned()),
            account: None,
        },
        report_to: ReportTo::Sender(MailAddress::parse("ops@example.com")?),
        tell_url: None,
        original: Original { content: vec![b'x'; 600], ..Original::default() },
        messages: vec![Message {
            recipient: Recipient {
                address: format!("{}@sms.local", sms.destination),
                notify: Notify::Unspecified,
                orcpt: None,
            },
            sms,
            rule: "default".to_owned(),
            delivery: Delivery::until(now + SignedDuration::from_hours(4)),
            fate: Fate::Due,
            passage: Default::default(),
        }],
        forwards: Vec::new(),
        remembered: sms_relay::model::Remembered::default(),
    })
}

async fn accepts(submitters: usize, time: Duration) -> anyhow::Result<()> {
    let directory = directory()?;
    let spool = open(directory.path())?;
    let commits = spool.commits();
    let start = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|submitter| {
            let spool = Arc::clone(&spool);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < time {
                    let given = submission(submitter * 1_000_000 + times.len(), Timestamp::now())?;
                    let before = Instant::now();
                    spool.accept(given).await?;
                    times.push(before.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let quantile = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    let each = times.len() as f64 / (spool.commits() - commits) as f64;
    println!("{submitters:>10} {rate:>12.0} {:>10} {:>10} {each:>14.1}", quantile(0.5), quantile(0.99));
    Ok(())
}

/// Takes SMS through claimed to sent, `workers` settling at a time, with new ones in the place of
/// those that left, so that the backlog stays.
async fn claims(backlog: usize, workers: usize, time: Duration) -> anyhow::Result<()> {
    let directory = directory()?;
    let spool = open(directory.path())?;
    let now = Timestamp::now();
    let fill = |from: usize, count: usize| {
        let spool = Arc::clone(&spool);
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            for phone in from..from + count {
                let spool = Arc::clone(&spool);
                tasks.spawn(async move { anyhow::Ok(spool.accept(submission(phone, now)?).await?) });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            anyhow::Ok(())
        }
    };
    for from in (0..backlog).step_by(500) {
        fill(from, 500.min(backlog - from)).await?;
    }
    let (mut done, mut spent) = (0, Duration::ZERO);
    while spent < time {
        let before = Instant::now();
        let claimed = spool
            .claim_due(
                now,
                vec![Room {
                    gateway: "platform".to_owned(),
                    calls: [workers; 3],
                    is_open: true,
                    may_hang: false,
                }],
            )
            .await?
            .into_iter()
            .flat_map(|call| call.messages)
            .collect::<Vec<_>>();
        let count = claimed.len();
        let mut tasks = tokio::task::JoinSet::new();
        for claim in claimed {
            let spool = Arc::clone(&spool);
            let step = Step::Sent {
                platform_id: None,
                parts: Some(1),
                unicode: Some(false),
                ask_at: now + SignedDuration::from_hours(1),
                note: EnhancedStatus::SUCCESS.to_string(),
            };
            tasks.spawn(async move { spool.settle(claim.sms.id, claim.attempt, step, now).await });
        }
        while let Some(settled) = tasks.join_next().await {
            settled??;
        }
        spent += before.elapsed();
        fill(backlog + done, count).await?;
        done += count;
    }
    println!("{backlog:>10} {:>12.0} {workers:>14}", done as f64 / spent.as_secs_f64());
    Ok(())
}

/// Accepts `count` plain SMS to one phone, then `count` that say the same, 256 submitters at a time; then sends the summary
/// and ends all that was folded, while one submitter goes on: how long its accepts take.
async fn storm(count: usize) -> anyhow::Result<()> {
    let plain = storm_accepts(count, &Passage::default()).await?.1;
    let similar = Similar { key: "link down".to_owned(), window: Duration::from_secs(3600) };
    let passage = Passage { similar: Some(similar), ..Passage::default() };
    let (directory, folded, spool) = {
        let (held, rate) = storm_accepts(count, &passage).await?;
        (held.0, rate, held.1)
    };
    anyhow::ensure!(spool.backlog().await?.folded == count - 1, "not all are folded");
    let now = Timestamp::now() + SignedDuration::from_hours(2);
    let room =
        || vec![Room { gateway: "platform".to_owned(), calls: [9; 3], is_open: true, may_hang: false }];
    loop {
        let calls = spool.claim_due(now, room()).await?;
        if calls.is_empty() {
            break;
        }
        for claim in calls.into_iter().flat_map(|call| call.messages) {
            let cause = Cause::new(EnhancedStatus::SUCCESS, "it has arrived");
            let note = EnhancedStatus::SUCCESS.to_string();
            let step = Step::Sent { platform_id: None, parts: None, unicode: None, ask_at: now, note };
            spool.settle(claim.sms.id, claim.attempt, step, now).await?;
            let step = Step::Final { state: FinalState::Delivered, cause };
            spool.settle(claim.sms.id, claim.attempt, step, now).await?;
        }
    }
    let start = Instant::now();
    let mut times = Vec::new();
    let ending = {
        let spool = Arc::clone(&spool);
        tokio::spawn(async move {
            while spool.backlog().await?.folded > 0 {
                spool.claim_due(now, Vec::new()).await?;
            }
            anyhow::Ok(start.elapsed())
        })
    };
    while !ending.is_finished() {
        let before = Instant::now();
        spool.accept(submission(times.len(), Timestamp::now())?).await?;
        times.push(before.elapsed());
    }
    let spent = ending.await??;
    times.sort_unstable();
    let each = |spent: Duration| count as f64 / spent.as_secs_f64();
    println!(
        "{count:>10} {:>12.0} {:>12.0} {:>12.0} {:>14} {:>14}",
        each(plain),
        each(folded),
        each(spent),
        times.get(times.len() / 2).map_or(0, Duration::as_micros),
        times.last().map_or(0, Duration::as_micros)
    );
    drop((spool, directory));
    Ok(())
}

/// Accepts so many with this passage, and returns how long that took.
async fn storm_accepts(
    count: usize,
    passage: &Passage,
) -> anyhow::Result<((tempfile::TempDir, Arc<SqliteSpool>), Duration)> {
    let directory = directory()?;
    let spool = open(directory.path())?;
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for submitter in 0..256 {
        let (spool, passage) = (Arc::clone(&spool), passage.clone());
        tasks.spawn(async move {
            for _ in (submitter..count).step_by(256) {
                let mut given = submission(0, Timestamp::now())?;
                given.messages[0].passage = passage.clone();
                spool.accept(given).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(((directory, spool), start.elapsed()))
}

/// Sends `count` SMS and takes a callback about each in random order, one in ten of them twice and one in a hundred
/// a failure, `callers` at a time. Then all of them again, which is to change nothing. Counts at the end.
async fn callbacks(count: usize, callers: usize) -> anyhow::Result<()> {
    let directory = directory()?;
    let spool = open(directory.path())?;
    let now = Timestamp::now();
    let mut ids = Vec::new();
    for from in (0..count).step_by(500) {
        let mut accepts = tokio::task::JoinSet::new();
        for phone in from..count.min(from + 500) {
            let given = submission(phone, now)?;
            ids.push(given.id.message(1));
            let spool = Arc::clone(&spool);
            accepts.spawn(async move { spool.accept(given).await });
        }
        while let Some(done) = accepts.join_next().await {
            done??;
        }
        let room = Room { gateway: "platform".to_owned(), calls: [500; 3], is_open: true, may_hang: false };
        let mut settles = tokio::task::JoinSet::new();
        for claim in spool.claim_due(now, vec![room]).await?.into_iter().flat_map(|call| call.messages) {
            let spool = Arc::clone(&spool);
            let step = Step::Sent {
                platform_id: None,
                parts: Some(1),
                unicode: Some(false),
                ask_at: now + SignedDuration::from_hours(1),
                note: EnhancedStatus::SUCCESS.to_string(),
            };
            settles.spawn(async move { spool.settle(claim.sms.id, claim.attempt, step, now).await });
        }
        while let Some(done) = settles.join_next().await {
            done??;
        }
    }
    anyhow::ensure!(spool.backlog().await?.sent == count, "not all are in flight");
    let mut random = fastrand::Rng::with_seed(5);
    let mut said: Vec<Callback> = Vec::new();
    for (n, id) in ids.into_iter().enumerate() {
        let callback = Callback {
            about: About::Ours(id),
            channel: Channel::Sms,
            part: 1,
            parts: 1,
            status: if n % 100 == 7 { PartStatus::Undeliverable } else { PartStatus::Delivered },
            description: "DELIVRD".to_owned(),
            price: Some(Price::from_millionths(35_000)),
            at: Some(now),
        };
        if n % 10 == 3 {
            said.push(callback.clone());
        }
        said.push(callback);
    }
    random.shuffle(&mut said);
    let said = Arc::new(said);
    let commits = spool.commits();
    let (spent, new, repeated) = take_all(&spool, &said, callers, now).await?;
    let each = said.len() as f64 / (spool.commits() - commits) as f64;
    let left = spool.backlog().await?;
    anyhow::ensure!((new, repeated) == (count, said.len() - count), "{new} new, {repeated} repeated");
    anyhow::ensure!((left.sent, left.due, left.unknown) == (0, 0, 0), "not all have ended: {left:?}");
    let (again, new, _) = take_all(&spool, &said, callers, now).await?;
    anyhow::ensure!(new == 0, "{new} of the repeated ones count as new");
    println!(
        "{count:>10} {:>12.0} {callers:>14} {each:>14.1} {:>14.0}",
        said.len() as f64 / spent.as_secs_f64(),
        said.len() as f64 / again.as_secs_f64()
    );
    Ok(())
}

/// Hands in all of `said`, and returns how long that took, how many were new and how many were not.
async fn take_all(
    spool: &Arc<SqliteSpool>,
    said: &Arc<Vec<Callback>>,
    callers: usize,
    now: Timestamp,
) -> anyhow::Result<(Duration, usize, usize)> {
    let before = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (spool, said) = (Arc::clone(spool), Arc::clone(said));
        tasks.spawn(async move {
            let (mut new, mut repeated) = (0, 0);
            for callback in said.iter().skip(caller).step_by(callers) {
                match spool.take_callback(callback.clone(), now).await? {
                    Taken::New { .. } => new += 1,
                    Taken::Repeated | Taken::Late { .. } => repeated += 1,
                    Taken::Early | Taken::Damaged | Taken::UnknownId => anyhow::bail!("an id got lost"),
                }
            }
            anyhow::Ok((new, repeated))
        });
    }
    let (mut new, mut repeated) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (some_new, some_repeated) = done??;
        new += some_new;
        repeated += some_repeated;
    }
    Ok((before.elapsed(), new, repeated))
}
