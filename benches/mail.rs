//! What reading a mail costs: ordinary ones, and hostile ones at n, 2n and 4n, whose times should
//! grow in that proportion.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sms_relay::mail::read;

fn alert() -> String {
    let mut mail = String::from(
        "Received: from ups1 by relay.example.com; Mon, 1 Jan 2024 00:00:00 +0000\r\n\
         From: =?utf-8?q?Caf=C3=A9?= UPS <ups1@example.com>\r\nTo: 393471234567@sms.local\r\n\
         Subject: =?utf-8?Q?Batter=C3=ADa_baja?=\r\nMessage-ID: <1@ups1.example.com>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    );
    while mail.len() < 2048 {
        mail.push_str(
            "Input 231 V, battery 80 %, load 41 %, temperature 27 =C2=B0C, time left=\r\n 12 min\r\n",
        );
    }
    mail
}

fn report() -> String {
    let mut mail = String::from(
        "From: printer@example.com\r\nSubject: Scan\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\
         Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<html><head><style>p{}</style></head><body>",
    );
    mail.push_str(&"<tr><td>Tray 1</td><td>empty&nbsp;&mdash; <b>refill</b></td></tr>\r\n".repeat(300));
    mail.push_str("</body></html>\r\n--inner--\r\n--outer\r\nContent-Type: application/pdf\r\n");
    mail.push_str(
        "Content-Disposition: attachment; filename=scan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    while mail.len() < 100 * 1024 {
        mail.push_str("JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZUQ=\r\n");
    }
    mail + "--outer--\r\n"
}

fn ordinary(c: &mut Criterion) {
    for (name, mail) in [("alert_2k", alert()), ("multipart_100k", report())] {
        let mut group = c.benchmark_group("ordinary");
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_function(name, |b| b.iter(|| read(black_box(mail.as_bytes()))));
        group.finish();
    }
}

fn hostile(c: &mut Criterion) {
    let top = "Content-Type: multipart/mixed; boundary=b\n\n";
    let kinds: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("parts", &|n| top.to_owned() + &"--b\nContent-Type: image/png\n\nx\n".repeat(n)),
        ("unused_boundaries", &|n| {
            let part = |i| format!("--b\nContent-Type: multipart/mixed; boundary=x{i}\n\n");
            top.to_owned() + &(0..n).map(part).collect::<String>()
        }),
        ("nested_messages", &|n| "Content-Type: message/rfc822\n\n".repeat(n)),
        ("encoded_words", &|n| format!("Subject: {}\n\n", "=?utf-8?q?=C3=A8?= ".repeat(n))),
        ("open_tags", &|n| format!("Content-Type: text/html\n\n{}", "<a b=\"<!--<style>".repeat(n))),
    ];
    for (name, make) in kinds {
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        for n in [5_000, 10_000, 20_000] {
            let mail = make(n);
            group.throughput(Throughput::Bytes(mail.len() as u64));
            group.bench_function(n.to_string(), |b| b.iter(|| read(black_box(mail.as_bytes()))));
        }
        group.finish();
    }
}

criterion_group!(benches, ordinary, hostile);
criterion_main!(benches);
