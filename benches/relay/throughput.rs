//! A burst of mail from its first connection to its last API call, with the default of 8 calls at a
//! time. Each mail is 1 KiB, to a phone of its own.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::world::{Api, Client, Relay, mail_of_1_kib, sync_time};

/// Connections that mail comes by.
const CONNECTIONS: usize = 16;

/// Bursts of these `sizes`, before an API that takes `delay` for each answer.
pub(crate) fn run(sizes: &[usize], delay: Duration) -> Result<()> {
    println!(
        "{CONNECTIONS} connections, one mail after the other; API answers after {} ms",
        delay.as_millis()
    );
    println!(
        "{:>8}{:>14}{:>14}{:>12}{:>12}{:>10}",
        "mails", "accepted in s", "sent in s", "accepts/s", "calls/s", "sync ms"
    );
    for &mails in sizes {
        let (accepted, sent, sync) = burst(mails, delay)?;
        let [accepts, calls] = [accepted, sent].map(|time| mails as f64 / time.as_secs_f64());
        println!(
            "{mails:>8}{:>14.2}{:>14.2}{accepts:>12.0}{calls:>12.0}{:>10.3}",
            accepted.as_secs_f64(),
            sent.as_secs_f64(),
            sync.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

/// How long until the last 250, until the last call, and what a sync of the disk costs.
fn burst(mails: usize, delay: Duration) -> Result<(Duration, Duration, Duration)> {
    let api = Api::start(delay)?;
    let relay = Relay::start(api.address)?;
    let (port, mail) = (relay.smtp, mail_of_1_kib());
    let begun = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|first| {
            let mail = mail.clone();
            thread::spawn(move || -> Result<()> {
                let mut client = Client::connect(port)?;
                for number in (first..mails).step_by(CONNECTIONS) {
                    client.mail(&format!("39347{number:07}"), &mail)?;
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    let accepted = begun.elapsed();
    let (mut ids, mut last) = (HashSet::new(), begun);
    for _ in 0..mails {
        let call = api.next()?;
        last = call.at;
        ids.insert(call.id);
    }
    ensure!(ids.len() == mails, "{} messages of {mails} were sent, others twice", ids.len());
    Ok((accepted, last - begun, sync_time(relay.directory())?))
}
