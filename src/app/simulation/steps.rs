//! What may happen, and how likely it is.

use proptest::prelude::*;

/// Phones that there are: few, so that they get in each other's way.
pub(super) const PHONES: u32 = 4;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Submit(Mail),
    /// A round of dispatch.
    Round,
    /// A round of tracking.
    Track,
    /// A look of reporting.
    Tell,
    /// The platform takes the call with this number, modulo their count, and has not answered yet.
    Take(usize, Fate),
    /// It answers that call.
    Answer(usize, Answer, Fate),
    /// It takes a call whose answer was given up long ago.
    TakeLate(usize, Fate),
    /// It answers a question.
    Reply(usize, Reply),
    /// It calls back, in whatever order.
    CallBack(usize),
    /// It says again what it has said.
    Repeat(usize),
    /// Somebody calls back about what was never handed over, or about nothing.
    Guess(usize, i64),
    Cancel(usize),
    /// Other gateways, or another order of them.
    Reload(usize),
    /// The process dies. Bit n: whether the platform takes what call n modulo 4 was about; bit n + 4: whether it
    /// does so later.
    Kill(u8),
    /// So many seconds; back where that is negative.
    Wait(i64),
}

/// A mail or form post.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    /// Who is told: its sender, the operator, nobody.
    pub(super) to: usize,
    pub(super) recipients: Vec<Rcpt>,
}

/// A recipient, all of whose SMS are alike but for the phone.
#[derive(Clone, Debug)]
pub(super) struct Rcpt {
    pub(super) phones: Vec<u32>,
    /// SMS of one text.
    pub(super) pieces: u32,
    pub(super) notify: usize,
    pub(super) lane: usize,
    pub(super) ways: usize,
    pub(super) order: usize,
    pub(super) life: i64,
    pub(super) held: Option<i64>,
    pub(super) delayed: Option<i64>,
    /// After how long, and to which phone.
    pub(super) escalation: Option<(i64, u32)>,
    pub(super) fails_unknown: bool,
    /// Whether what an earlier recipient's SMS bring to its phones at that time is left to them.
    pub(super) repeats: bool,
}

/// What becomes of a message at the platform.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) end: End,
    pub(super) parts: u32,
    /// Whether a template gets an id of the platform's own.
    pub(super) theirs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    Undeliverable,
    Expired,
    /// Nothing is ever heard of it, and its status stays as it is.
    Silent,
}

/// How a call ends. What cannot be, as the platform has taken it already, is an answer that got lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    /// Taken, and the answer does not arrive.
    Lost,
    /// Not taken, and nobody hears of that.
    LostUntaken,
    /// Taken much later, if ever.
    LostLate,
    /// Taken, and a proxy says 502.
    Lie,
    Later,
    Pause(i64),
    Refused,
    Fault,
}

/// What the status endpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The truth; the message has come to its end where there is one.
    Honest(bool),
    NotYet,
    CannotTell,
    Pause(i64),
    /// That it does not know it, whatever is true.
    Deny,
}

fn fate() -> impl Strategy<Value = Fate> {
    let end = prop_oneof![
        4 => Just(End::Delivered),
        2 => Just(End::Undeliverable),
        1 => Just(End::Expired),
        2 => Just(End::Silent),
    ];
    (end, 1..=2u32, any::<bool>()).prop_map(|(end, parts, theirs)| Fate { end, parts, theirs })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Accepted),
        2 => Just(Answer::Lost),
        2 => Just(Answer::LostUntaken),
        1 => Just(Answer::LostLate),
        2 => Just(Answer::Lie),
        2 => Just(Answer::Later),
        1 => (1..90i64).prop_map(Answer::Pause),
        2 => Just(Answer::Refused),
        2 => Just(Answer::Fault),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        6 => any::<bool>().prop_map(Reply::Honest),
        1 => Just(Reply::NotYet),
        4 => Just(Reply::CannotTell),
        1 => (1..60i64).prop_map(Reply::Pause),
        1 => Just(Reply::Deny),
    ]
}

fn sometimes(most: i64) -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 1 => (1..most).prop_map(Some)]
}

fn rcpt() -> impl Strategy<Value = Rcpt> {
    let escalation = prop_oneof![2 => Just(None), 1 => (5..120i64, 0..PHONES).prop_map(Some)];
    let course = (0..7usize, 0..3usize, 0..5usize, 0..4usize);
    (
        prop::collection::vec(0..PHONES, 1..4),
        prop_oneof![1 => Just(1u32), 1 => Just(2u32)],
        course,
        10..400i64,
        sometimes(100),
        sometimes(60),
        escalation,
        (any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(mut phones, pieces, (notify, lane, ways, order), life, held, delayed, escalation, flags)| {
                let (fails_unknown, repeats) = flags;
                // What says the same to the same phone goes once.
                phones.sort_unstable();
                phones.dedup();
                Rcpt {
                    phones,
                    pieces,
                    notify,
                    lane,
                    ways,
                    order,
                    life,
                    held,
                    delayed,
                    escalation,
                    fails_unknown,
                    repeats,
                }
            },
        )
}

fn mail() -> impl Strategy<Value = Mail> {
    let to = prop_oneof![4 => Just(0usize), 1 => Just(1usize), 1 => Just(2usize)];
    (to, prop::collection::vec(rcpt(), 1..3)).prop_map(|(to, recipients)| Mail { to, recipients })
}

/// Up to `most` steps.
pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let number = || 0..64usize;
    let code = prop::sample::select(vec![1i64, 3, 6, 8, 99]);
    let step = prop_oneof![
        6 => mail().prop_map(Step::Submit),
        12 => Just(Step::Round),
        4 => Just(Step::Track),
        6 => Just(Step::Tell),
        4 => (number(), fate()).prop_map(|(n, fate)| Step::Take(n, fate)),
        12 => (number(), answer(), fate()).prop_map(|(n, answer, fate)| Step::Answer(n, answer, fate)),
        1 => (number(), fate()).prop_map(|(n, fate)| Step::TakeLate(n, fate)),
        7 => (number(), reply()).prop_map(|(n, reply)| Step::Reply(n, reply)),
        9 => number().prop_map(Step::CallBack),
        2 => number().prop_map(Step::Repeat),
        1 => (number(), code).prop_map(|(n, code)| Step::Guess(n, code)),
        1 => number().prop_map(Step::Cancel),
        2 => number().prop_map(Step::Reload),
        2 => any::<u8>().prop_map(Step::Kill),
        6 => (0..20i64).prop_map(Step::Wait),
        3 => (20..90i64).prop_map(Step::Wait),
        1 => (-300..300i64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..=most)
}
