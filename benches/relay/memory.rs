//! What an idle relay costs: resident memory alone, with idle connections and after a burst, and what
//! it does while nobody wants anything. Linux only: it reads `/proc`.

use std::fs::{read_dir, read_to_string};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::world::{Api, Client, Relay, mail_of_1_kib};

/// Mails of 9 MiB at a time.
const LARGE: usize = 20;

/// Watches the idle relay for a time, with a number of idle connections, and after a burst of mails.
pub(crate) fn run(watched: Duration, connections: usize, burst: usize) -> Result<()> {
    let api = Api::start(Duration::ZERO)?;
    let relay = Relay::start(api.address)?;
    println!("{:<44}{:>8} KiB resident", "after the start", resident(relay.pid())?);

    let (switches, ticks) = work(relay.pid())?;
    thread::sleep(watched);
    let (switches_later, ticks_later) = work(relay.pid())?;
    let seconds = watched.as_secs_f64();
    println!(
        "{:<44}{:>8.1} wake-ups a second, {:.2} % of a core",
        "idle",
        (switches_later - switches) as f64 / seconds,
        // A tick of /proc/PID/stat is 10 ms wherever Linux runs today (USER_HZ).
        (ticks_later - ticks) as f64 / seconds
    );

    let clients = (0..connections).map(|_| Client::connect(relay.smtp)).collect::<Result<Vec<_>>>()?;
    println!(
        "{:<44}{:>8} KiB resident",
        format!("with {connections} idle connections"),
        resident(relay.pid())?
    );
    drop(clients);

    let mail = mail_of_1_kib();
    let mut client = Client::connect(relay.smtp)?;
    for number in 0..burst {
        client.mail(&format!("39347{number:07}"), &mail)?;
    }
    for _ in 0..burst {
        api.next()?;
    }
    println!("{:<44}{:>8} KiB resident", format!("after these and {burst} mails"), resident(relay.pid())?);

    let large: Arc<str> =
        format!("{mail}{}", format!("{}\r\n", "x".repeat(998)).repeat(9 * 1024 * 1024 / 1000)).into();
    for round in 1..=3 {
        let senders: Vec<_> = (0..LARGE)
            .map(|number| {
                let (port, mail) = (relay.smtp, Arc::clone(&large));
                thread::spawn(move || Client::connect(port)?.mail(&format!("39348{number:07}"), &mail))
            })
            .collect();
        for sender in senders {
            sender.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        let name = format!("after {LARGE} mails of 9 MiB at a time, round {round}");
        println!("{name:<44}{:>8} KiB resident", resident(relay.pid())?);
    }
    Ok(())
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    field(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// The most that was ever resident since [`forget_peak`], in KiB.
pub(crate) fn peak(pid: u32) -> Result<u64> {
    field(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// Makes the peak what is resident now (proc_pid_clear_refs(5)).
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Context switches of all threads that gave the processor up by themselves, and ticks of processor time.
pub(crate) fn work(pid: u32) -> Result<(u64, u64)> {
    let mut switches = 0;
    for thread in read_dir(format!("/proc/{pid}/task"))? {
        let status = thread?.path().join("status");
        switches += field(&status.to_string_lossy(), "voluntary_ctxt_switches:")?;
    }
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    // utime and stime, fields 14 and 15; the name before may contain spaces (proc_pid_stat(5)).
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok((switches, ticks))
}

fn field(path: &str, name: &str) -> Result<u64> {
    let text = read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {name} in {path}"))?;
    Ok(value.parse()?)
}
