//! How long a mail takes through an idle relay: to its 250, and to the API call.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::world::{Api, Client, Relay, mail_of_1_kib, percentile, sync_time};

/// Between two mails, so that the relay is idle again.
const PAUSE: Duration = Duration::from_millis(20);
/// Not counted: connections are made, statements prepared.
const WARM_UP: usize = 20;

pub(crate) fn run(mails: usize) -> Result<()> {
    let api = Api::start(Duration::ZERO)?;
    let relay = Relay::start(api.address)?;
    let mut client = Client::connect(relay.smtp)?;
    let mail = mail_of_1_kib();
    let (mut to_reply, mut to_call, mut between) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WARM_UP + mails {
        let sent = client.mail(&format!("39347{number:07}"), &mail)?;
        let call = api.next()?;
        ensure!(call.id == format!("{}-1", sent.id), "the API got {} for {}", call.id, sent.id);
        if number >= WARM_UP {
            to_reply.push(sent.accepted_at - sent.dot_at);
            to_call.push(call.at - sent.dot_at);
            between.push(signed(sent.accepted_at, call.at));
        }
        std::thread::sleep(PAUSE);
    }
    between.sort_by(f64::total_cmp);
    println!(
        "{mails} mails of 1 KiB, one at a time, in ms (sync of this disk: {:.3})",
        millis(sync_time(relay.directory())?)
    );
    println!("{:<26}{:>8}{:>8}{:>8}", "", "p50", "p99", "max");
    for (name, times) in [("final dot to 250", &mut to_reply), ("final dot to API call", &mut to_call)] {
        let [p50, p99, max] = [50, 99, 100].map(|percent| millis(percentile(times, percent)));
        println!("{name:<26}{p50:>8.3}{p99:>8.3}{max:>8.3}");
    }
    let [p50, p99, max] = [50, 99, 100].map(|percent| between[(mails * percent).div_ceil(100).max(1) - 1]);
    println!("{:<26}{p50:>8.3}{p99:>8.3}{max:>8.3}", "250 to API call");
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// From `begin` to `end` in milliseconds; less than nothing when the call came before the client
/// had read its 250, which may be: both follow the commit.
fn signed(begin: Instant, end: Instant) -> f64 {
    if end >= begin { millis(end - begin) } else { -millis(begin - end) }
}
