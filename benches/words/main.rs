//! What the way from a mail's octets to its SMS costs.
//!
//!     cargo bench --bench words                  # the whole way and each stage, by criterion
//!     cargo bench --bench words -- stages        # the same as a table, in processor time
//!     cargo bench --bench words -- ratios        # hostile inputs of n, 2n and 4n; ends with 1 where cost grows too fast
//!     cargo bench --bench words -- ratios mail   # only the kinds with this word in their names
//!
//! Tables are in processor time of the one thread, so that other work on the machine disturbs them little.

#![allow(clippy::print_stdout, reason = "its tables")]
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a sample that does not work ends the run"
)]

#[path = "../samples/mod.rs"]
mod samples;

mod clock;
mod hostile;
mod way;

use std::hint::black_box;

use clock::{cost, shown};
use criterion::{Criterion, criterion_group};
use sms_relay::mail;
use way::Way;

/// Growth from n to 4n that is too fast: 4 is linear, 16 quadratic.
const TOO_FAST: f64 = 8.0;

/// The stages of one mail, each on what the one before it gave.
fn stages(way: &Way, octets: &[u8], mut each: impl FnMut(&str, &mut dyn FnMut())) {
    let mail = mail::read(octets);
    way.with(&mail, octets, |known| {
        let plan = known.decide();
        let distilled = plan.wording.distill(&known.source).text.into_owned();
        let words = known.render(&plan, &distilled);
        each("read", &mut || drop(black_box(mail::read(black_box(octets)))));
        each("decide", &mut || drop(black_box(known.decide())));
        each("distill", &mut || drop(black_box(plan.wording.distill(black_box(&known.source)))));
        each("render and fit", &mut || {
            drop(black_box(plan.wording.compose(
                black_box(&known.source),
                &distilled,
                way::TO,
                &plan.groups,
            )));
        });
        each("fit", &mut || drop(black_box(sms_relay::text::fit(black_box(&words), &plan.wording.fitting))));
    });
    each("whole way", &mut || drop(black_box(way.sms(black_box(octets)))));
}

/// The accents of the first alert and its degree signs are outside GSM.
fn mails() -> [(&'static str, String); 3] {
    [
        ("alert of 2 KiB", samples::alert()),
        ("alert of 2 KiB in ASCII", samples::plain()),
        ("multipart of 100 KiB", samples::report()),
    ]
}

fn words(c: &mut Criterion) {
    let way = Way::new();
    for (name, mail) in mails() {
        let mut group = c.benchmark_group(name);
        stages(&way, mail.as_bytes(), |stage, run| {
            group.bench_function(stage, |b| b.iter(&mut *run));
        });
        group.finish();
    }
}

fn print_stages() {
    let way = Way::new();
    println!("| mail | stage | time | a second |\n|---|---|---|---|");
    for (name, mail) in mails() {
        let sms = way.sms(mail.as_bytes());
        assert!(!sms.is_empty(), "it becomes an SMS");
        stages(&way, mail.as_bytes(), |stage, run| {
            let seconds = cost(run);
            println!("| {name} | {stage} | {} | {:.0} |", shown(seconds), 1.0 / seconds);
        });
    }
}

/// Prints the table; false when some kind grows too fast.
fn print_ratios(wanted: &str) -> bool {
    let mut linear = true;
    println!("| kind | octets at n | n | 2n | 4n | 2n / n | 4n / n |\n|---|---|---|---|---|---|---|");
    for (name, kind) in hostile::kinds() {
        if !name.contains(wanted) {
            continue;
        }
        let [(octets, one), (_, two), (_, four)] = [1, 2, 4].map(|times| {
            let mut case = kind(times);
            (case.octets, cost(&mut *case.run))
        });
        let too_fast = four / one > TOO_FAST;
        linear &= !too_fast;
        let [t1, t2, t4] = [one, two, four].map(shown);
        let mark = if too_fast { " **too fast**" } else { "" };
        println!("| {name} | {octets} | {t1} | {t2} | {t4} | {:.2} | {:.2}{mark} |", two / one, four / one);
    }
    linear
}

criterion_group!(benches, words);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match arguments.first().map(String::as_str) {
        Some("stages") => print_stages(),
        Some("ratios") => {
            if !print_ratios(arguments.get(1).map_or("", String::as_str)) {
                std::process::exit(1);
            }
        }
        Some(_) | None => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
