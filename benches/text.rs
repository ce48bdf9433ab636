//! What measuring and fitting a text costs, by encoding and length.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sms_relay::text::{Fitting, fit, measure};

fn text(c: &mut Criterion) {
    let sentence = "Room 1: temperature 41 C, limit 30 C [sensor 7]. ";
    let texts = [
        ("gsm_short", sentence.repeat(2)),
        ("gsm_long", sentence.repeat(40)),
        ("emoji", "Fire 🔥 in room 1 👨‍👩‍👧‍👦 🇮🇹 caffè. ".repeat(10)),
        ("gsm_1mb", sentence.repeat(1_000_000 / sentence.len())),
        ("emoji_1mb", "🔥".repeat(250_000)),
    ];
    for (name, text) in &texts {
        let mut group = c.benchmark_group(*name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("measure", |b| b.iter(|| measure(black_box(text))));
        group.bench_function("fit_3_parts", |b| {
            b.iter(|| fit(black_box(text), black_box(&Fitting::in_parts(3))))
        });
        group.finish();
    }
}

criterion_group!(benches, text);
criterion_main!(benches);
