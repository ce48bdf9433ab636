//! What the whole relay does: the released program as a process of its own; the mail clients and the API
//! are this one, so that one clock measures all.
//!
//! - `cargo bench --bench relay` measures everything, in a minute or two
//! - `... -- latency [MAILS]`: 500 mails, one at a time
//! - `... -- throughput [MAILS [MILLISECONDS]]`: bursts of 1,000 and of 10,000 mails; the API answers at once
//! - `... -- callbacks [MESSAGES [CONNECTIONS]]`: 100,000 messages in flight that end in random order, by 64 connections
//! - `... -- memory`
//! - `... -- idle [CONNECTIONS]`: 10,000 idle connections, a fifth as many slow ones, 600 MB without a line end
//! - `... -- refusals [CONNECTIONS]`: what 5,000 refused ones cost
//!
//! `SMS_RELAY=PROGRAM` in the environment measures another build with the same clients.
//!
//! Without `--bench`, as `cargo test --benches` starts it, it only shows that it works.

// What is printed is the result.
#![allow(clippy::print_stdout)]

mod callbacks;
mod idle;
mod latency;
mod memory;
mod refusals;
mod throughput;
mod world;

use std::time::Duration;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers =
        arguments.iter().skip(1).map(|argument| argument.parse()).collect::<Result<Vec<u32>, _>>()?;
    let mails = numbers.first().map(|mails| *mails as usize);
    let delay = Duration::from_millis(numbers.get(1).copied().unwrap_or(0).into());
    let bursts = mails.map_or(if is_bench { vec![1_000, 10_000] } else { vec![20] }, |mails| vec![mails]);
    let single = mails.unwrap_or(if is_bench { 500 } else { 5 });
    let (watched, connections) = if is_bench { (10, 1_000) } else { (1, 10) };
    let watched = Duration::from_secs(watched);
    let crowd = mails.unwrap_or(if is_bench { 10_000 } else { 20 });
    let refused = mails.unwrap_or(if is_bench { 5_000 } else { 20 });
    let endless = if is_bench { 600_000_000 } else { 11_000_000 };
    let in_flight = mails.unwrap_or(if is_bench { 100_000 } else { 200 });
    let callers = numbers.get(1).map_or(64, |callers| *callers as usize);
    match arguments.first().map(String::as_str) {
        None => {
            latency::run(single)?;
            throughput::run(&bursts, delay)?;
            callbacks::run(in_flight, callers)?;
            memory::run(watched, connections, connections * 2)?;
            idle::run(crowd, single.min(200), endless)?;
            refusals::run(refused)
        }
        Some("latency") => latency::run(single),
        Some("throughput") => throughput::run(&bursts, delay),
        Some("callbacks") => callbacks::run(in_flight, callers),
        Some("memory") => memory::run(watched, connections, connections * 2),
        Some("idle") => idle::run(crowd, if is_bench { 200 } else { 5 }, endless),
        Some("refusals") => refusals::run(refused),
        Some(other) => {
            bail!("`{other}` is none of latency, throughput, callbacks, memory, idle and refusals")
        }
    }
}
