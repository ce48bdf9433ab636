//! What always holds of storms, limits and budgets, said without asking how they are kept.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::super::super::{Event, MessageView};
use super::super::at;
use super::{Alike, Book, DAY, Did, Given, Known, MIDNIGHT, PRICE, WINDOWS};
use crate::budget::key;
use crate::model::{FinalState, HoldReason, Period, State, Unit};

const CANCELLED: State = State::Final(FinalState::Cancelled);

pub(super) fn seconds_of(time: Timestamp) -> i64 {
    time.duration_since(at(0)).as_secs()
}

/// How many SMS a summary tells of, by its words: by the number that stands there, which is the sum of what it says
/// of each.
pub(super) fn told(text: &str) -> Option<u64> {
    if let Some((_, similar)) = text.split_once(" +")
        && let Some((count, _)) = similar.split_once(" similar, ")
    {
        return count.parse().ok();
    }
    let (count, rest) = text.split_once(" alert")?;
    let (_, items) = rest.split_once(": ")?;
    let of_item = |item: &str| -> Option<u64> {
        match (item.strip_prefix('+'), item.rsplit_once(" (x")) {
            (Some(more), _) => more.strip_suffix(" more")?.parse().ok(),
            (None, Some((_, times))) => times.strip_suffix(')')?.parse().ok(),
            (None, None) => Some(1),
        }
    };
    let sum: u64 = items.split("; ").map(of_item).sum::<Option<u64>>()?;
    count.parse().ok().filter(|count| *count == sum)
}

/// Why something was folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Similar,
    Digest,
    PhoneIsFull,
    SourceIsFull,
}

fn why(view: &MessageView) -> Why {
    let folded = view.events.iter().rfind(|event| event.state == State::Folded).unwrap();
    match folded.note.split_once(": ").unwrap().1 {
        "similar" => Why::Similar,
        "digest" => Why::Digest,
        other if other.starts_with("no room for the phone") => Why::PhoneIsFull,
        other if other.starts_with("no room for its source") => Why::SourceIsFull,
        other => panic!("{other}"),
    }
}

/// Whether it is folded into what has not gone yet.
pub(super) fn waits(views: &[MessageView], view: &MessageView) -> bool {
    let summary = view.folded_into.and_then(|id| views.iter().find(|one| one.sms.id == id));
    view.state == State::Folded
        && summary.is_some_and(|summary| summary.state == State::Held || waits(views, summary))
}

/// When it was let go.
fn let_go(view: &MessageView) -> Option<i64> {
    let due = view.events.iter().find(|event| event.state == State::Due)?;
    Some(seconds_of(due.at))
}

/// When it was tried first.
fn tried(view: &MessageView) -> Option<i64> {
    let claimed = view.events.iter().find(|event| event.state == State::Claimed)?;
    Some(seconds_of(claimed.at))
}

/// When its budgets were charged: what is held or folded after that has given it back.
fn charged(view: &MessageView) -> Option<i64> {
    let is_back = |event: &&Event| matches!(event.state, State::Held | State::Folded);
    let since = view.events.iter().rposition(|event| is_back(&event)).map_or(0, |place| place + 1);
    let due = view.events[since..].iter().find(|event| event.state == State::Due)?;
    Some(seconds_of(due.at))
}

fn cause(view: &MessageView) -> &str {
    view.cause.as_ref().map_or("", |cause| cause.text.as_str())
}

/// Its end is not that of its summary.
fn was_taken_out(view: &MessageView) -> bool {
    view.state == CANCELLED && !cause(view).starts_with("by its summary")
}

/// One SMS before and after a call.
struct Changed<'a> {
    at: usize,
    known: &'a Known,
    given: &'a Given,
    before: Option<&'a MessageView>,
    after: &'a MessageView,
}

impl Changed<'_> {
    fn was(&self) -> Option<State> {
        self.before.map(|view| view.state)
    }

    fn became(&self, state: State) -> bool {
        self.after.state == state && self.was() != Some(state)
    }

    fn is_let_go(&self) -> bool {
        let_go(self.after).is_some() && self.before.is_none_or(|view| let_go(view).is_none())
    }

    fn went_at_once(&self) -> bool {
        self.after.events.first().is_some_and(|event| event.state == State::Due)
    }

    fn is_folded_now(&self) -> bool {
        self.after.folded_into.is_some() && self.before.is_none_or(|view| view.folded_into.is_none())
    }

    /// Whether it had to pass everything now.
    fn passes(&self) -> bool {
        let is_over = matches!(self.after.state, State::Final(_));
        match (self.known.is_summary, &self.given.held, self.before) {
            (true, ..) => false,
            (false, None, before) => before.is_none(),
            (false, Some(_), None) => false,
            (false, Some((reason, _)), Some(before)) => {
                before.hold_reason == Some(*reason) && self.after.hold_reason != Some(*reason) && !is_over
            }
        }
    }

    /// Whether a limit of its source has counted it: not where a budget held it first, nor a summary but that of what
    /// had no room there.
    fn counts_for_source(&self, kinds: &HashMap<usize, Why>) -> bool {
        let held = self.after.events.iter().any(|event| event.note.ends_with(": budget"));
        if self.known.is_summary { kinds.get(&self.at) == Some(&Why::SourceIsFull) } else { !held }
    }

    fn alike(&self) -> Option<Alike> {
        let Given { phone, is_bulk, is_simulated, .. } = *self.given;
        self.given.similar.map(|key| (phone, key, is_bulk, is_simulated))
    }
}

/// Everything that holds after a call.
pub(super) fn check(
    book: &mut Book,
    views: &[MessageView],
    spent: &HashMap<String, u64>,
    next_due: Option<Timestamp>,
    did: &Did,
) {
    let all: Vec<Changed<'_>> = (book.known.iter().zip(views).enumerate())
        .map(|(at, (known, after))| Changed {
            at,
            known,
            given: &known.given,
            before: book.views.get(at),
            after,
        })
        .collect();
    let members = |summary: &MessageView| {
        let id = summary.sms.id;
        all.iter().filter(move |one| one.after.folded_into == Some(id))
    };
    let kinds: HashMap<usize, Why> = (all.iter().filter(|one| one.known.is_summary))
        .map(|one| (one.at, why(members(one.after).next().unwrap().after)))
        .collect();
    all.iter().for_each(is_in_one_state);
    for summary in all.iter().filter(|one| one.known.is_summary) {
        tells_of_all(summary, &members(summary.after).collect::<Vec<_>>());
    }
    for one in all.iter().filter(|one| one.after.folded_into.is_some()) {
        let summary = all.iter().find(|other| Some(other.after.sms.id) == one.after.folded_into).unwrap();
        goes_with_its_summary(one, summary, kinds[&summary.at], next_due, book.now);
    }
    check_limits(book, &all, &kinds, did);
    check_budgets(book, &all, spent);
    check_cancelled(book, &all, did);
    let opened = windows(book, &all, &kinds);
    book.opened = opened;
}

fn is_in_one_state(one: &Changed<'_>) {
    let view = one.after;
    let moves: Vec<State> = (view.events.iter())
        .filter(|event| !event.note.starts_with("callback: "))
        .map(|event| event.state)
        .collect();
    // What was tried and finds no room waits on in the queue, which its timeline tells.
    let may = |pair: &[State]| pair[0].may_become(pair[1]) || pair == [State::Due, State::Due];
    assert!(moves.windows(2).all(may), "{view:#?}");
    assert_eq!(view.events.last().map(|event| event.state), Some(view.state), "{view:#?}");
    assert_eq!(view.hold_reason.is_some(), view.state == State::Held, "{view:#?}");
    let has_time = matches!(view.state, State::Held | State::Due | State::Unknown | State::Sent);
    assert_eq!(view.next_at.is_some(), has_time, "{view:#?}");
    assert!(view.state != State::Folded || view.folded_into.is_some(), "{view:#?}");
    assert!(!one.given.is_exempt || view.folded_into.is_none(), "{view:#?}");
    if let Some(State::Final(_)) = one.was() {
        assert_eq!(one.was(), Some(view.state));
    }
}

/// A summary tells of all that is folded into it, but for what was taken out.
fn tells_of_all(summary: &Changed<'_>, members: &[&Changed<'_>]) {
    let view = summary.after;
    let tells_of = view.tells_of.as_ref().unwrap();
    let of_each = |member: &&Changed<'_>| match &member.after.tells_of {
        _ if was_taken_out(member.after) => 0,
        Some(inner) => inner.count,
        None => 1,
    };
    assert_eq!(tells_of.count, members.iter().map(of_each).sum::<u64>(), "{view:#?}");
    // It waits longer only where its timeline says why.
    let is_as_before = |before: &&MessageView| view.state == State::Held && before.events == view.events;
    if let Some(before) = summary.before.filter(is_as_before) {
        assert!(view.next_at <= before.next_at, "{view:#?}");
    }
    assert!(tells_of.count > 0 || view.state == CANCELLED, "{view:#?}");
    let ids: BTreeSet<_> = members.iter().map(|member| member.after.sms.id).collect();
    assert_eq!(tells_of.first.iter().copied().collect::<BTreeSet<_>>(), ids);
}

fn goes_with_its_summary(
    one: &Changed<'_>,
    summary: &Changed<'_>,
    kind: Why,
    next_due: Option<Timestamp>,
    now: i64,
) {
    let (view, by) = (one.after, summary.after);
    let shown = || format!("{view:#?}\n{by:#?}");
    assert_eq!(why(view), kind, "{}", shown());
    assert_eq!(view.sms.destination, by.sms.destination, "{}", shown());
    assert_eq!(one.given.is_simulated, by.sms.options.simulation, "{}", shown());
    assert_eq!(one.known.lane(), summary.known.lane());
    if one.is_folded_now() {
        let was = summary.was();
        assert!(matches!(was, None | Some(State::Held | State::Due)), "into what has gone: {}", shown());
    }
    let is_soon = |time| next_due.is_some_and(|next| next <= time);
    match (view.state, by.state) {
        // It goes by itself at its time, and what ended ends what is in it.
        (State::Folded, State::Held) => assert!(by.next_at.is_some_and(is_soon), "{}", shown()),
        (State::Folded, State::Final(_)) => assert!(is_soon(at(now)), "{}", shown()),
        (State::Folded, _) => {}
        (end, _) if was_taken_out(view) => assert_eq!(end, CANCELLED),
        (end, _) => assert_eq!(end, by.state, "{}", shown()),
    }
}

fn check_limits(book: &Book, all: &[Changed<'_>], kinds: &HashMap<usize, Why>, did: &Did) {
    let now = book.now;
    let steps = |one: &Changed<'_>| &book.rules.limits[one.given.phone as usize];
    // What waited for the platform may have been overtaken, and what is exempt may have gone behind it.
    let counts = |one: &Changed<'_>, within: i64| {
        let is_at_once = let_go(one.after) == tried(one.after);
        let at = tried(one.after).filter(|_| is_at_once);
        at.is_some_and(|at| at > now - within && (at < now || !one.given.is_exempt))
    };
    let goes_at_once = |one: &&Changed<'_>| {
        one.became(State::Claimed) && tried(one.after) == Some(now) && let_go(one.after) == Some(now)
    };
    for one in all.iter().filter(|one| !one.given.is_exempt && (one.is_let_go() || goes_at_once(one))) {
        let of_phone = |other: &&Changed<'_>| {
            other.given.phone == one.given.phone && other.given.is_simulated == one.given.is_simulated
        };
        for (most, within) in steps(one).iter().filter(|_| goes_at_once(&one)) {
            let count = all.iter().filter(of_phone).filter(|other| counts(other, *within)).count();
            assert!(count <= *most as usize, "{count} of {most} in {within}: {:#?}", one.after);
        }
        // Nobody jumps the queue.
        let waits = |other: &&Changed<'_>| {
            kinds.get(&other.at) == Some(&Why::PhoneIsFull)
                && other.was() == Some(State::Held)
                && other.after.state == State::Held
                && other.known.lane() == one.known.lane()
        };
        let may_not = matches!(did, Did::Accept(_)) && !steps(one).is_empty();
        assert!(!may_not || !all.iter().filter(of_phone).any(|other| waits(&other)), "{:#?}", one.after);
    }
    check_source(book, all, kinds);
    // Somebody waits for room only where there is none.
    for summary in all.iter().filter(|one| one.known.is_summary && one.before.is_none()) {
        let went = |within: i64, is_counted: &dyn Fn(&Changed<'_>) -> bool| {
            let is_same = |other: &&Changed<'_>| other.given.is_simulated == summary.given.is_simulated;
            let is_in = |other: &&Changed<'_>| {
                let mut lines = other.after.events.iter();
                lines.any(|event| {
                    matches!(event.state, State::Due | State::Claimed) && seconds_of(event.at) > now - within
                })
            };
            all.iter().filter(is_same).filter(is_in).filter(|other| is_counted(other)).count()
        };
        let is_full = match kinds[&summary.at] {
            Why::Similar | Why::Digest => true,
            Why::PhoneIsFull => steps(summary).iter().any(|(most, within)| {
                went(*within, &|other| other.given.phone == summary.given.phone) >= *most as usize
            }),
            Why::SourceIsFull => {
                let (most, within) = book.rules.source.unwrap();
                let member = all.iter().find(|one| one.after.folded_into == Some(summary.after.sms.id));
                let of = member.unwrap().after.sms.id.submission;
                // What is accepted together is counted once, and then has room.
                let is_counted = |other: &Changed<'_>| {
                    let id = other.after.sms.id;
                    let is_first = !all.iter().any(|one| {
                        let before = one.after.sms.id;
                        before.submission == id.submission
                            && before.ordinal < id.ordinal
                            && one.given.is_simulated == other.given.is_simulated
                            && one.went_at_once()
                    });
                    let is_other = id.submission != of || !matches!(did, Did::Accept(_));
                    other.counts_for_source(kinds) && is_other && (is_first || !other.went_at_once())
                };
                went(within, &is_counted) >= most as usize
            }
        };
        assert!(is_full, "there was room: {:#?}", summary.after);
    }
}

/// Of one source so many submissions go in a while, each counted once.
fn check_source(book: &Book, all: &[Changed<'_>], kinds: &HashMap<usize, Why>) {
    let Some((most, within)) = book.rules.source else { return };
    let mut first: HashMap<_, (i64, bool)> = HashMap::new();
    // A summary counts as the submission that it tells of first.
    let own = |one: &&Changed<'_>| one.counts_for_source(kinds) && one.after.tells_of.is_none();
    for one in all.iter().filter(own) {
        if let Some(at) = let_go(one.after) {
            let of = first
                .entry((one.after.sms.id.submission, one.given.is_simulated))
                .or_insert((at, one.given.is_exempt));
            *of = (of.0.min(at), of.1 || one.given.is_exempt);
        }
    }
    for ((submission, is_simulated), (time, is_exempt)) in &first {
        if *time != book.now || *is_exempt {
            continue;
        }
        let count = (first.iter())
            .filter(|((_, simulated), (at, exempt))| {
                simulated == is_simulated && *at > time - within && (at < time || !exempt)
            })
            .count();
        assert!(count <= most as usize, "{count} of {most} in {within}: {submission}");
    }
}

fn check_budgets(book: &Book, all: &[Changed<'_>], spent: &HashMap<String, u64>) {
    let begins = MIDNIGHT + DAY * (book.now - MIDNIGHT).div_euclid(DAY);
    let parts = |one: &Changed<'_>| u64::from(one.after.sms.text.parts);
    let of_first = |one: &Changed<'_>| if one.given.phone == 0 { parts(one) * PRICE } else { 0 };
    let costs: [&dyn Fn(&Changed<'_>) -> u64; 2] = [&parts, &of_first];
    let levels = [
        ("all", Unit::Parts, book.rules.parts.map(|(hold, more)| (hold, Some(hold + more)))),
        ("first", Unit::Money, book.rules.money.map(|hold| (hold, None))),
    ];
    let mut fits = Vec::new();
    for ((name, unit, levels), cost) in levels.into_iter().zip(costs) {
        let Some((hold, ceiling)) = levels else { continue };
        let key = key(name, Period::Day, unit);
        // What ended before it was ever tried gives back what it took.
        let is_charged = |one: &&Changed<'_>| {
            let is_back = one.after.attempts == 0 && matches!(one.after.state, State::Final(_));
            let is_today = charged(one.after).is_some_and(|at| (begins..begins + DAY).contains(&at));
            is_today && !is_back && !one.given.is_simulated
        };
        let all_charged = || all.iter().filter(is_charged);
        let now = all_charged().map(cost).sum::<u64>();
        assert_eq!(spent.get(&key).copied().unwrap_or(0), now, "{name}: {spent:?}");
        assert!(ceiling.is_none_or(|ceiling| now <= ceiling), "{now} of {ceiling:?}");
        let usual = all_charged().filter(|one| !one.given.is_exempt).map(cost).sum::<u64>();
        assert!(usual <= hold, "{usual} of {hold}");
        // Before what was given back in this call.
        let times = |one: &Changed<'_>| {
            let due = |view: &MessageView| view.events.iter().filter(|one| one.state == State::Due).count();
            due(one.after) - one.before.map_or(0, due)
        };
        let charges = (all.iter().filter(|one| !one.given.is_simulated))
            .map(|one| cost(one) * times(one) as u64)
            .sum::<u64>();
        let most = book.spent.get(&key).copied().unwrap_or(0) + charges;
        fits.push((most, hold, ceiling, cost));
    }
    let waits_on = |one: &Changed<'_>| {
        let lines =
            |view: &MessageView| view.events.iter().filter(|event| event.note.contains("budget")).count();
        one.after.state == State::Held && lines(one.after) > one.before.map_or(0, lines)
    };
    for one in all.iter().filter(|one| waits_on(one)) {
        let is_spent = fits.iter().any(|(most, hold, ceiling, cost)| {
            let after = most + cost(one);
            ceiling.is_some_and(|ceiling| after > ceiling) || (!one.given.is_exempt && after > *hold)
        });
        assert!(is_spent, "there was room: {:#?}", one.after);
        assert_eq!(one.after.next_at, Some(at(begins + DAY)), "{:#?}", one.after);
    }
}

/// Who is cancelled was ended by its recovery or by somebody, or was a summary of nothing, or goes with its summary.
fn check_cancelled(book: &Book, all: &[Changed<'_>], did: &Did) {
    let is_ended_by = |one: &Changed<'_>, recovery: &Changed<'_>| {
        let (problem, end) = (one.given, recovery.given);
        let is_met = problem.phone == end.phone && problem.is_simulated == end.is_simulated;
        is_met && problem.own.is_some() && problem.own == end.ends && !one.known.is_summary
    };
    for one in all {
        let says = cause(one.after);
        if let Did::Accept(new) = did {
            let recoveries = || {
                all[new.clone()]
                    .iter()
                    .filter(|one| matches!(one.given.held, None | Some((HoldReason::Quiet, _))))
            };
            let waited = one.before.is_some_and(|view| view.state == State::Held || waits(&book.views, view));
            let is_over = waited && recoveries().any(|recovery| is_ended_by(one, recovery));
            assert_eq!(is_over, one.became(CANCELLED) && says.starts_with("recovered"), "{:#?}", one.after);
        }
        if !one.became(CANCELLED) {
            continue;
        }
        let is_right = match did {
            _ if one.known.is_summary && says.starts_with("nothing is left") => {
                one.after.tells_of.as_ref().is_some_and(|tells_of| tells_of.count == 0)
            }
            Did::Cancel(which) => *which == one.at,
            Did::Accept(_) => says.starts_with("recovered"),
            // Here recoveries go that were held.
            Did::Claim if says.starts_with("recovered") => all
                .iter()
                .any(|recovery| one.at < recovery.at && recovery.passes() && is_ended_by(one, recovery)),
            Did::Claim => says.starts_with("by its summary"),
            Did::Other => false,
        };
        assert!(is_right, "{did:?}: {:#?}", one.after);
    }
}

/// Of similar ones the first goes, and the others fold until the window is over. Returns when windows were opened.
fn windows(book: &Book, all: &[Changed<'_>], kinds: &HashMap<usize, Why>) -> HashMap<Alike, Vec<i64>> {
    let now = book.now;
    let mut opened = book.opened.clone();
    // A summary that has gone opens the next one; one that did not go leaves none.
    for one in all.iter().filter(|one| kinds.get(&one.at) == Some(&Why::Similar)) {
        if one.was() == Some(State::Held) && one.after.state != State::Held {
            let times = opened.entry(one.alike().unwrap()).or_default();
            match one.after.state {
                State::Final(_) if cause(one.after).starts_with("nothing is left") => {}
                State::Final(_) => times.clear(),
                State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent | State::Held => {
                    times.push(now);
                }
            }
        }
    }
    let open = |opened: &HashMap<Alike, Vec<i64>>, alike: &Alike| {
        let last = opened.get(alike).and_then(|times| times.last().copied());
        last.map(|last| last + WINDOWS[alike.1]).filter(|until| *until > now)
    };
    for one in all.iter().filter(|one| one.passes() && !one.given.is_exempt) {
        let is_folded = one.is_folded_now();
        let Some(alike) = one.alike() else {
            assert!(!one.given.is_digested || (is_folded && why(one.after) == Why::Digest));
            continue;
        };
        if !(is_folded && why(one.after) == Why::Similar) {
            assert_eq!(open(&opened, &alike), None, "its window was open: {:#?}", one.after);
            opened.entry(alike).or_default().push(now);
            assert!(!one.given.is_digested || (is_folded && why(one.after) == Why::Digest));
        }
    }
    for one in all.iter().filter(|one| one.is_folded_now() && why(one.after) == Why::Similar) {
        let summary = all.iter().find(|other| Some(other.after.sms.id) == one.after.folded_into).unwrap();
        let until = open(&opened, &one.alike().unwrap());
        assert!(summary.before.is_some() || until.is_some(), "no window was open: {:#?}", one.after);
        if summary.before.is_none() && summary.after.state == State::Held {
            assert_eq!(summary.after.next_at, until.map(at), "{:#?}", summary.after);
        }
    }
    opened
}

/// What holds once nothing is left to do.
pub(super) fn check_end(views: &[MessageView]) {
    for view in views {
        assert!(matches!(view.state, State::Final(_)), "{view:#?}");
    }
}
