//! What reading a mail costs: ordinary ones. `words` has the hostile ones.

mod samples;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sms_relay::mail::read;

fn ordinary(c: &mut Criterion) {
    let mails = [
        ("alert_2k", samples::alert()),
        ("ascii_2k", samples::plain()),
        ("multipart_100k", samples::report()),
    ];
    for (name, mail) in mails {
        let mut group = c.benchmark_group("ordinary");
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_function(name, |b| b.iter(|| read(black_box(mail.as_bytes()))));
        group.finish();
    }
}

criterion_group!(benches, ordinary);
criterion_main!(benches);
