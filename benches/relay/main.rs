//! What the whole relay does: the released program as a process of its own; the mail clients and the API
//! are this one, so that one clock measures all.
//!
//! - `cargo bench --bench relay` measures everything, in a minute or two
//! - `... -- latency [MAILS]`: 500 mails, one at a time
//! - `... -- throughput [MAILS [MILLISECONDS]]`: bursts of 1,000 and of 10,000 mails; the API answers at once
//! - `... -- memory`
//!
//! Without `--bench`, as `cargo test --benches` starts it, it only shows that it works.

// What is printed is the result.
#![allow(clippy::print_stdout)]

mod latency;
mod memory;
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
    match arguments.first().map(String::as_str) {
        None => {
            latency::run(single)?;
            throughput::run(&bursts, delay)?;
            memory::run(watched, connections, connections * 2)
        }
        Some("latency") => latency::run(single),
        Some("throughput") => throughput::run(&bursts, delay),
        Some("memory") => memory::run(watched, connections, connections * 2),
        Some(other) => bail!("`{other}` is none of latency, throughput and memory"),
    }
}
