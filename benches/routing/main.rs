//! What routing a mail costs among many rules and aliases.
//!
//!     cargo bench --bench routing                   # 1,000 rules and 10,000 aliases
//!     cargo bench --bench routing -- 100 1000       # other numbers
//!
//! Processor time of the one thread. The peer in the same run asks all rules one by one, in the order of the rules.
//! What it finds is compared with what routing says. At the end the whole configuration is read, as a start, a reload and `check` do.

#![allow(clippy::print_stdout, reason = "its tables")]
#![allow(clippy::unwrap_used, reason = "a room that does not work ends the run")]

#[path = "../words/clock.rs"]
mod clock;
mod room;
mod walk;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clock::{shown, spread};
use jiff::Timestamp;
use room::{Sample, When};
use sms_relay::config;
use sms_relay::model::{Client, Door, MailAddress, PhoneNumber, ReversePath};
use sms_relay::pattern::{Pattern, Sieve};
use sms_relay::routing::{Content, Decision, Facts, Origin, Routing};
use walk::{Asked, walk};

fn main() {
    let numbers = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let numbers: Vec<usize> = numbers.map(|word| word.parse().unwrap()).collect();
    let count = numbers.first().copied().unwrap_or(1000);
    let aliases = numbers.get(1).copied().unwrap_or(10_000);
    let rules = room::rules(count);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("relay.toml");
    std::fs::write(&file, room::configuration(&rules, &room::aliases(aliases))).unwrap();
    let loaded = config::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    println!("{count} rules, {aliases} aliases\n");
    mails(&loaded.config.routing, &rules);
    building(&rules);
    patterns(&rules);
    reading(&file);
}

/// The table of mails.
fn mails(routing: &Routing, rules: &[When]) {
    let asked: Vec<Asked> = rules.iter().map(Asked::new).collect();
    println!("| mail | resolve | could_route | decide | the sum (least, most) | one by one | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for sample in room::samples(rules.len()) {
        with(&sample, |facts, recipient| mail(routing, &asked, &sample, facts, recipient));
    }
}

fn mail(routing: &Routing, asked: &[Asked], sample: &Sample, facts: &Facts<'_>, recipient: &MailAddress) {
    let phones = routing.resolve(recipient, facts.now).unwrap();
    let resolve = || routing.resolve(black_box(recipient), facts.now).unwrap();
    let could = |phones: &[PhoneNumber]| {
        routing.could_route(black_box(&facts.origin), facts.now, recipient.local(), phones).unwrap();
    };
    let decide = |phones: &[PhoneNumber]| {
        let mut content = Content::default();
        let one = |phone| routing.decide_next(&mut content, black_box(facts), recipient.local(), phone);
        phones.iter().flat_map(one).collect::<Vec<Decision>>()
    };
    let peer = || walk(asked, black_box(facts), recipient.local(), &phones);
    let names: Vec<String> = decide(&phones).iter().map(rule_of).collect();
    let walked = peer().into_iter().map(|rule| rule.map_or("default".to_owned(), |n| format!("rule-{n}")));
    assert_eq!(names, walked.collect::<Vec<_>>());
    assert_eq!(names, vec![sample.rule.clone(); phones.len()], "{}", sample.name);

    let middle = |run: &mut dyn FnMut()| shown(spread(run)[1]);
    let [least, sum, most] = spread(&mut || {
        let phones = resolve();
        could(&phones);
        drop(black_box(decide(&phones)));
    });
    let walking = spread(&mut || drop(black_box(peer())))[1];
    println!(
        "| {} | {} | {} | {} | {} ({}, {}) | {} | {:.0} |",
        sample.name,
        middle(&mut || drop(black_box(resolve()))),
        middle(&mut || could(&phones)),
        middle(&mut || drop(black_box(decide(&phones)))),
        shown(sum),
        shown(least),
        shown(most),
        shown(walking),
        walking / sum,
    );
}

fn with(sample: &Sample, go_on: impl FnOnce(&Facts<'_>, &MailAddress)) {
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: sample.address.parse().unwrap(),
        helo: None,
        account: None,
    };
    let sender = ReversePath::Path(MailAddress::parse(sample.envelope_sender).unwrap());
    let now: Timestamp = "2026-03-29T01:30:00Z".parse().unwrap();
    let facts = Facts {
        header_sender: Some(sample.header_sender),
        subject: &sample.subject,
        text: &sample.text,
        ..Facts::of(Origin { client: &client, envelope_sender: Some(&sender) }, now)
    };
    go_on(&facts, &MailAddress::new(sample.to, "sms.local").unwrap());
}

fn rule_of(decision: &Decision) -> String {
    match decision {
        Decision::Send(plan) => plan.rule.clone(),
        Decision::Drop { rule, .. } | Decision::Refuse { rule, .. } => rule.clone(),
    }
}

/// What the patterns cost before the first mail comes.
fn building(rules: &[When]) {
    let sources = |field: fn(&When) -> &String| {
        rules.iter().map(field).filter(|source| !source.is_empty()).cloned().collect::<Vec<String>>()
    };
    println!("\n| patterns of | how many | compiled one by one | the sieve for them | its size |");
    println!("|---|---|---|---|---|");
    for (name, sources) in
        [("subjects", sources(|when| &when.subject)), ("texts", sources(|when| &when.text))]
    {
        let compile = || sources.iter().map(|source| Pattern::new(source).unwrap()).collect::<Vec<_>>();
        let patterns = compile();
        let sieve = || Sieve::new(patterns.len(), patterns.iter().map(std::slice::from_ref).enumerate());
        println!(
            "| {name} | {} | {} | {} | {} KiB |",
            patterns.len(),
            shown(spread(&mut || drop(black_box(compile())))[1]),
            shown(spread(&mut || drop(black_box(sieve())))[1]),
            sieve().memory() / 1024,
        );
    }
}

/// What it costs to find which of all patterns are in one text.
fn patterns(rules: &[When]) {
    println!("\n| text | patterns | the sieve (least, most) | and asking who is left | all one by one |");
    println!("|---|---|---|---|---|");
    type Field = (&'static str, fn(&When) -> &String, fn(&Sample) -> &String);
    let fields: [Field; 2] = [
        ("subject", |when| &when.subject, |mail| &mail.subject),
        ("text", |when| &when.text, |mail| &mail.text),
    ];
    for (name, source, text) in fields {
        let sources = rules.iter().map(source).filter(|source| !source.is_empty());
        let patterns: Vec<Pattern> = sources.map(|source| Pattern::new(source).unwrap()).collect();
        let sieve = Sieve::new(patterns.len(), patterns.iter().map(std::slice::from_ref).enumerate());
        for sample in room::samples(rules.len()) {
            let text = text(&sample);
            let few = || sieve.pass(text).iter().filter(|n| patterns[*n].is_in(text)).count();
            let all = || patterns.iter().filter(|pattern| pattern.is_in(text)).count();
            assert_eq!(few(), all());
            let [least, middle, most] = spread(&mut || drop(black_box(sieve.pass(black_box(text)))));
            let (few, all) = (
                spread(&mut || {
                    black_box(few());
                })[1],
                spread(&mut || {
                    black_box(all());
                })[1],
            );
            println!(
                "| {name}: {} | {} | {} ({}, {}) | {} | {} |",
                sample.name,
                patterns.len(),
                shown(middle),
                shown(least),
                shown(most),
                shown(few),
                shown(all),
            );
        }
    }
}

/// The whole file, from the disk to what a relay runs by.
fn reading(file: &Path) {
    let [least, read, most] = spread(&mut || drop(black_box(config::load(file).unwrap())));
    println!("\nread and build the configuration: {} ({}, {})", shown(read), shown(least), shown(most));
    let mut checks: Vec<f64> = (0..5).map(|_| checked(file)).collect();
    checks.sort_by(f64::total_cmp);
    println!("`sms-relay check`: {} ({}, {})", shown(checks[2]), shown(checks[0]), shown(checks[4]));
}

/// Seconds of wall time that the program takes for it.
fn checked(file: &Path) -> f64 {
    let start = Instant::now();
    let output =
        Command::new(env!("CARGO_BIN_EXE_sms-relay")).args(["check", "--config"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    start.elapsed().as_secs_f64()
}
