//! Whether somebody heard of who was silent and of tests that failed: once each, and of nothing else.

use super::clock::{DAY, MINUTE, SECOND};
use super::platform::shown;
use super::rows::{Row, Spool};
use super::setting::{HEARTBEAT, Setting};

/// In what time a test is to arrive.
const WITHIN: i64 = 15 * MINUTE;
/// That somebody was heard of is written once a minute.
const GRAIN: i64 = MINUTE;

/// What was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) tests: usize,
    pub(super) failed_tests: usize,
    pub(super) silences: usize,
}

fn accepted_at(row: &Row) -> i64 {
    row.events[0].0
}

fn is_at(row: &Row, at: i64) -> bool {
    (at..=at + 2 * SECOND).contains(&accepted_at(row))
}

/// `heard` is when mails came by which the machine showed that it is alive; the watch went on until `end`.
pub(super) fn check(spool: &Spool, setting: &Setting, heard: &[i64], restarts: &[i64], end: i64) -> Told {
    let own = |listener: &'static str| spool.rows.iter().filter(move |row| row.listener == listener);
    let mails = |begins: &str| {
        let begins = begins.to_owned();
        let found =
            spool.mails.iter().filter(move |mail| mail.kind == "notice" && mail.subject.starts_with(&begins));
        found.map(|mail| mail.filed_at).collect::<Vec<i64>>()
    };
    let mut told = Told::default();
    // Tests, one a day.
    let tests: Vec<&Row> = own(HEARTBEAT).collect();
    let is_of_test = |row: &&Row| row.body.starts_with(&format!("The test SMS {HEARTBEAT} failed"));
    let words: Vec<&Row> = own("expect").filter(is_of_test).collect();
    let due: Vec<i64> = setting
        .heartbeat
        .into_iter()
        .flat_map(|minute| (0..).map(move |day| day * DAY + minute * MINUTE))
        .take_while(|at| *at < end)
        .collect();
    let due: Vec<i64> = due.into_iter().filter(|at| *at > 0).collect();
    assert_eq!(tests.len(), due.len(), "a test a day");
    let mut failures = Vec::new();
    for (test, due) in tests.iter().zip(&due) {
        assert!(is_at(test, *due), "a test at another time than {}: {test:?}", shown(*due));
        let delivered = test.events.iter().find(|(_, state, _)| state == "delivered").map(|(at, ..)| *at);
        // Whoever could not hear has that time once more.
        let has_died = restarts.iter().any(|restart| (*due..=due + WITHIN).contains(restart));
        let is_in_time = delivered.is_some_and(|at| at <= due + WITHIN);
        let told = words.iter().filter(|row| (*due..due + DAY).contains(&accepted_at(row))).count();
        // Nobody looks any more what became of the last one.
        let may_miss = has_died || due + WITHIN + MINUTE > end;
        assert!(told == usize::from(!is_in_time) || may_miss && told <= 1, "told {told} times of {test:?}");
        failures.extend((told > 0).then_some(*due));
    }
    assert_eq!(failures.len(), words.len(), "word of a test that was none");
    assert_eq!(mails(&format!("The test SMS {HEARTBEAT} failed")).len(), words.len());
    told.tests = tests.len();
    told.failed_tests = words.len();
    // Silence: from the start, or from when it was heard of last.
    let Some(within) = setting.expects else { return told };
    let texts: Vec<&Row> = own("expect").filter(|row| !is_of_test(row)).collect();
    // Two people are told.
    let times = |begins: &str| {
        let mut times: Vec<i64> =
            texts.iter().filter(|row| row.body.starts_with(begins)).map(|row| accepted_at(row)).collect();
        times.sort_unstable();
        let pairs = times.chunks(2).all(|pair| pair.len() == 2 && pair[0] == pair[1]);
        assert!(pairs, "two are told at a time: {times:?}");
        times.dedup();
        times
    };
    let (silent, again) =
        (times("Nothing was heard of rule alive for"), times("rule alive was heard again after"));
    let (mut left, mut left_again) = (silent.iter(), again.iter());
    let from = std::iter::once(&0).chain(heard);
    let until = heard.iter().chain([&end]);
    for (from, until) in from.zip(until) {
        let gap = until - from;
        // A moment before it is news it may have come.
        if gap > within + GRAIN {
            let at =
                left.next().unwrap_or_else(|| panic!("nobody is told of the silence since {}", shown(*from)));
            let range = from + within - GRAIN..=from + within + 2 * SECOND;
            assert!(range.contains(at), "told at {}, silent since {}", shown(*at), shown(*from));
            if *until < end {
                let at = left_again
                    .next()
                    .unwrap_or_else(|| panic!("nobody is told that it is back at {}", shown(*until)));
                assert!((*until..=until + 2 * SECOND).contains(at), "{} {}", shown(*at), shown(*until));
            }
        }
    }
    assert_eq!((left.next(), left_again.next()), (None, None), "told of a silence that was none");
    let by_mail = [mails("Nothing was heard of rule alive"), mails("rule alive was heard again")];
    assert_eq!(by_mail, [silent.clone(), again], "the operator is told of the same by mail");
    told.silences = silent.len();
    told
}
