use super::*;
use crate::model::{MailAddress, MailId, MailKind, OutgoingMail, ReversePath};
use crate::spool::sqlite::{Settings, SqliteSpool};
use crate::spool::{MailStep, Queue};

const YEAR: i64 = 365 * 24 * 60 * 60;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[test]
fn a_clock_that_is_put_back_by_more_than_a_minute_is_noticed() {
    let began = Instant::now();
    // Seconds that passed, seconds that the clock shows besides; how far it was put back.
    let table = [
        (10, 10, None),
        (10, -50, None),
        (10, -51, Some(61)),
        (0, -60, None),
        (0, -61, Some(61)),
        (10, 10 - YEAR, Some(YEAR)),
        // The machine slept, or the clock was set forward.
        (10, 8 * 60 * 60, None),
        (10, YEAR, None),
        // A look that came late.
        (3600, 3600, None),
        (3600, 3539, Some(61)),
    ];
    for (passed, shown, expected) in table {
        let first = Look { wall: at(0), steady: began };
        let second = Look { wall: at(shown), steady: began + Duration::from_secs(passed) };
        let back = first.put_back(second).map(|back| back.as_secs());
        assert_eq!(back, expected, "{passed} s passed, and the clock goes on by {shown} s");
    }
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    let look = |wall| Look { wall, steady: began };
    assert_eq!(look(first).put_back(look(last)), None);
    assert!(look(last).put_back(look(first)).is_some());
}

fn mail() -> OutgoingMail {
    OutgoingMail {
        id: MailId::new(at(YEAR)),
        about: None,
        kind: MailKind::Notice,
        reverse_path: ReversePath::Null,
        recipient: MailAddress::parse("ops@example.com").unwrap(),
        bytes: b"Subject: low\r\n\r\nLow.\r\n".to_vec(),
        expires_at: at(2 * YEAR),
    }
}

#[tokio::test]
async fn what_waits_goes_on_once_the_clock_is_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let spool = Arc::new(SqliteSpool::open(settings).unwrap());
    let hour = Duration::from_secs(3600);
    let waits = Waits { due: hour, unknown: hour, sent: hour, mail: hour, tellings: hour };
    let mail = mail();
    spool.file_mail(mail.clone(), None, at(YEAR)).await.unwrap();
    spool.claim_mail(at(YEAR), 1).await.unwrap();
    let cause = crate::model::Cause::new(crate::model::EnhancedStatus::new(4, 4, 1), "nobody answers");
    spool.settle_mail(mail.id, MailStep::Retry { at: at(YEAR + 600), cause }, at(YEAR)).await.unwrap();
    let signals = spool.signals();
    let is_woken = || std::pin::pin!(signals.mail.notified()).enable();
    // Signals are raised before the next command is answered.
    spool.probe().await.unwrap();
    assert!(is_woken());
    let next = async || spool.next_due(Queue::Mail).await.unwrap();

    let (first, began) = (at(YEAR), Instant::now());
    let shared: Arc<dyn Spool> = spool.clone();
    let mut watch = Watch { spool: shared, waits, last: Look { wall: first, steady: began }, back: None };
    let steady = |seconds| began + Duration::from_secs(seconds);
    watch.look(Look { wall: at(YEAR - 50), steady: steady(10) }).await;
    assert_eq!(next().await, Some(at(YEAR + 600)), "it may well be a minute more");
    watch.look(Look { wall: at(0), steady: steady(20) }).await;
    assert_eq!((next().await, watch.back), (Some(at(600)), None));
    assert!(is_woken());
    watch.look(Look { wall: at(10), steady: steady(30) }).await;
    assert_eq!(next().await, Some(at(600)));

    // What the spool cannot do now it does at the next look.
    spool.close().await;
    watch.look(Look { wall: at(-1000), steady: steady(40) }).await;
    watch.look(Look { wall: at(-1100), steady: steady(50) }).await;
    assert_eq!(watch.back.map(|back| back.as_secs()), Some(1020 + 110));
}
