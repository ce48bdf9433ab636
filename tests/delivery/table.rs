//! The rows. Read them beside "What an answer means" of the contract.
//!
//! A row names the cell, the ways that it holds for, and what the platform does with the first call, then where
//! the message is after that when nothing more is done, and how it ends when nothing more goes wrong. `taken` is how
//! often the platform has it in the end: once, but where it denied by its answer what it had done (the lines that
//! say so), and where it could not tell and the rule wanted it sent again.

use std::time::Duration;

use sms_relay::emulator::{Fault, Outcome};
use sms_relay::model::OnUnknown;

use crate::words::{
    By, Cell, Does, End, First, Form, Row, Why, back_off, end, ends, fault, pause, refused, sent, told,
    unknown,
};
use Does::{Away, LetGo, Right, TooLong};
use Form::{Date, Missing, Seconds};

const EACH: &[By] = By::EACH;
const UNIVERSAL: &[By] = &[By::Universal];
const LEGACY: &[By] = &[By::Legacy];
const TEMPLATE: &[By] = &[By::Template];
const SMS: &[By] = &[By::Universal, By::Legacy];

// Whether the platform has the message when the fault strikes.
const TAKEN: bool = true;
const NOT: bool = false;

/// Of what ends by it. Enough for a first attempt, and a question, on a busy machine.
const LIFETIME: Duration = Duration::from_secs(3);

// Courses of messages.
const STRAIGHT: &str = "due claimed sent delivered";
const AGAIN: &str = "due claimed due claimed sent delivered";
const KNOWN: &str = "due claimed unknown sent delivered";
const NOT_KNOWN: &str = "due claimed unknown due claimed sent delivered";
const REFUSED: &str = "due claimed failed";

// Diagnostic codes.
const LOST: &str = "x-sms-relay; the SMS platform may have taken the message, but its answer was lost: ";
const NOT_REACHED: &str = "x-sms-relay; the SMS platform could not be reached: ";

fn code(code: u16, recorded: bool) -> Does {
    Does::Fault(Fault::Status { code, retry_after: None, body: None, recorded })
}

fn says(text: &str, recorded: bool) -> Does {
    Does::Fault(Fault::Status { code: 200, retry_after: None, body: Some(text.to_owned()), recorded })
}

fn asks_for_pause(code: u16, form: Form, recorded: bool) -> Does {
    Does::Pause { code, form, recorded }
}

fn after_date(code: u16, retry_after: &str) -> Does {
    let retry_after = Some(retry_after.to_owned());
    Does::Fault(Fault::Status { code, retry_after, body: None, recorded: NOT })
}

fn refuses(reason: &str) -> Does {
    Does::Fault(Fault::Refuse { reasons: vec![reason.to_owned()] })
}

fn ends_as(outcome: Outcome) -> Does {
    Does::Fault(Fault::Deliver { outcome, delay_millis: None })
}

fn garbage(recorded: bool) -> Does {
    Does::Fault(Fault::Garbage { recorded })
}

fn cut(recorded: bool) -> Does {
    Does::Fault(Fault::Truncated { recorded })
}

fn reset(recorded: bool) -> Does {
    Does::Fault(Fault::Reset { recorded })
}

fn slow(recorded: bool) -> Fault {
    Fault::Slow { millis: 50, recorded }
}

fn slower_than_we_wait(recorded: bool) -> Does {
    TooLong(Fault::Slow { millis: 600_000, recorded })
}

fn held(recorded: bool) -> Fault {
    Fault::Hold { recorded }
}

fn processes(processed: usize) -> Does {
    Does::Fault(Fault::Partial { processed })
}

/// What an answer of this code is called in a report.
fn http(code: u16) -> String {
    format!("x-qlara; http {code}")
}

struct Table(Vec<Row>);

impl Table {
    /// Adds a row for each of the ways, and gives them back for what is unusual about them.
    fn row(
        &mut self,
        cell: Cell,
        by: &[By],
        does: Does,
        first: impl Into<Option<First>>,
        end: End,
    ) -> &mut [Row] {
        let (at, first) = (self.0.len(), first.into());
        let row = |by: &By| Row::new(cell, *by, vec![does.clone()], first.clone(), end.clone());
        self.0.extend(by.iter().map(row));
        &mut self.0[at..]
    }

    /// Adds rows in which the call breaks, so that the platform is asked whether it has the message, and does
    /// this with the question.
    fn asked(&mut self, recorded: bool, by: &[By], does: Does, end: End) -> &mut [Row] {
        let rows = self.row(Cell::Broken, by, reset(recorded), None, end);
        rows.iter_mut().for_each(|row| row.asks = vec![does.clone()]);
        rows
    }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    let mut table = Table(Vec::new());
    accepted(&mut table);
    refused_or_unreadable(&mut table);
    gateway_faults(&mut table);
    later(&mut table);
    lost(&mut table);
    counted(&mut table);
    other_ways(&mut table);
    beyond(&mut table);
    questions(&mut table);
    table.0
}

/// | 200 and accepted | accepted | final for sending; delivery is tracked from here |
fn accepted(t: &mut Table) {
    let cell = Cell::Accepted;
    t.row(cell, EACH, Right, sent(), end(STRAIGHT).asks(1));
    t.row(cell, UNIVERSAL, Right, sent(), end(STRAIGHT).asks(1))[0].array = true;
    for recorded in [NOT, TAKEN] {
        t.row(cell, EACH, Does::Fault(slow(recorded)), sent(), end(STRAIGHT).asks(1));
        t.row(cell, EACH, LetGo(held(recorded)), sent(), end(STRAIGHT).asks(1));
    }
    t.row(cell, EACH, ends_as(Outcome::Delivered), sent(), end(STRAIGHT).asks(1));
    t.row(cell, EACH, ends_as(Outcome::Error), sent(), end("due claimed sent undelivered").asks(1));
    t.row(cell, EACH, ends_as(Outcome::Expired), sent(), end("due claimed sent expired").asks(1));
    let unconfirmed = end("due claimed sent expired").told(told("relayed", "2.0.0", "")).asks_some();
    for row in t.row(cell, EACH, ends_as(Outcome::Never), sent(), unconfirmed) {
        row.lifetime = LIFETIME;
    }
}

/// | 200 and not accepted | refused | permanent: report, with `reasons` |
/// | 200 with a body that cannot be read | unknown | ask the status endpoint before anything else |
/// | 400, 422 | refused | permanent for this message: report, with what the platform said |
fn refused_or_unreadable(t: &mut Table) {
    let (cell, no) = (Cell::NotAccepted, || refuses("number is barred"));
    let reason = "x-qlara; http 200 OK: number is barred";
    let told_why = || end(REFUSED).told(told("failed", "5.3.0", reason)).taken(0);
    t.row(cell, UNIVERSAL, no(), refused(reason), told_why());
    // These two answers have no place for reasons; nor has the array form.
    t.row(cell, LEGACY, no(), refused("x-qlara; http 200 OK"), end(REFUSED).taken(0));
    t.row(cell, TEMPLATE, no(), refused("x-qlara; http 200 OK"), end(REFUSED).taken(0));
    t.row(cell, UNIVERSAL, no(), refused("x-qlara; http 200 OK"), end(REFUSED).taken(0))[0].array = true;

    let cell = Cell::Unreadable;
    let first = || unknown("4.3.0", "x-qlara; http 200 OK");
    for unreadable in [garbage, cut, |recorded| code(200, recorded), |recorded| says("{}", recorded)] {
        t.row(cell, EACH, unreadable(TAKEN), first(), end(KNOWN).asks(2));
        t.row(cell, EACH, unreadable(NOT), first(), end(NOT_KNOWN).sends(2).asks(2));
    }
    t.row(cell, EACH, says("", TAKEN), first(), end(KNOWN).asks(2));

    for n in [400, 422] {
        let (cell, no) = (Cell::Code(n), || end(REFUSED).told(told("failed", "5.3.0", &http(n))));
        t.row(cell, EACH, code(n, NOT), refused(&http(n)), no().taken(0));
        // It denies what it did.
        t.row(cell, EACH, code(n, TAKEN), refused(&http(n)), no().taken(1));
    }
}

/// | 401, 403, 404 | gateway fault | stop sending on this gateway, keep every message, probe at growing intervals |
fn gateway_faults(t: &mut Table) {
    for n in [401, 403, 404] {
        // That the account may not use a template, or has none of that name, is no fault of the account: it is
        // refused, so that another channel is tried.
        let by = if n == 401 { EACH } else { SMS };
        let (cell, first) = (Cell::Code(n), || fault(&http(n)));
        t.row(cell, by, code(n, NOT), first(), end(AGAIN).sends(2).asks(1));
        // It denies what it did.
        t.row(cell, by, code(n, TAKEN), first(), end(AGAIN).sends(2).asks(1).taken(2));
        if n != 401 {
            t.row(cell, TEMPLATE, code(n, NOT), refused(&http(n)), end(REFUSED).taken(0));
        }
    }
}

/// | 408, 429 | retry later | obey `Retry-After` for the whole gateway, not only this message |
/// | 5xx, connection refused, DNS, TLS | retry later | back off with jitter; several in a row open the circuit |
fn later(t: &mut Table) {
    for n in [408, 429] {
        for form in [Seconds, Date] {
            let (cell, first) = (Cell::Later(n, form), || pause("4.3.2", &http(n)));
            t.row(cell, EACH, asks_for_pause(n, form, NOT), first(), end(AGAIN).sends(2).asks(1));
            // It denies what it did.
            t.row(cell, EACH, asks_for_pause(n, form, TAKEN), first(), end(AGAIN).sends(2).asks(1).taken(2));
        }
        let (cell, first) = (Cell::Later(n, Missing), || back_off("4.3.2", &http(n)));
        t.row(cell, EACH, asks_for_pause(n, Missing, NOT), first(), end(AGAIN).sends(2).asks(1));
        // Neither a number nor a date, and a date that is over.
        for date in ["soon", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            t.row(cell, UNIVERSAL, after_date(n, date), first(), end(AGAIN).sends(2).asks(1));
        }
    }
    for (n, status) in [(500, "4.3.0"), (502, "4.3.0"), (503, "4.3.2")] {
        let (cell, first) = (Cell::Code(n), || back_off(status, &http(n)));
        t.row(cell, EACH, code(n, NOT), first(), end(AGAIN).sends(2).asks(1));
        // It denies what it did.
        t.row(cell, EACH, code(n, TAKEN), first(), end(AGAIN).sends(2).asks(1).taken(2));
    }
    for why in Why::ALL {
        let first = back_off("4.4.1", NOT_REACHED);
        t.row(Cell::NoConnection(why), EACH, Away(why), first, end(AGAIN).sends(1).asks(1));
    }
}

/// | time-out or broken connection after the request was written | unknown | ask the status endpoint with our
/// messageId; known there = accepted; not known = send again with the same messageId |
fn lost(t: &mut Table) {
    let first = || unknown("4.4.2", LOST);
    for silent in [slower_than_we_wait, |recorded| TooLong(held(recorded))] {
        t.row(Cell::TimeOut, EACH, silent(TAKEN), first(), end(KNOWN).asks(2));
        t.row(Cell::TimeOut, EACH, silent(NOT), first(), end(NOT_KNOWN).sends(2).asks(2));
    }
    t.row(Cell::Broken, EACH, reset(TAKEN), first(), end(KNOWN).asks(2));
    t.row(Cell::Broken, EACH, reset(NOT), first(), end(NOT_KNOWN).sends(2).asks(2));
}

/// The legacy API's answer only counts: one call, two phones.
fn counted(t: &mut Table) {
    let first = || unknown("4.3.0", "x-qlara; http 200 OK");
    t.row(Cell::Accepted, LEGACY, Right, sent(), ends(&[STRAIGHT, STRAIGHT]).asks(2));
    t.row(Cell::Accepted, LEGACY, processes(2), sent(), ends(&[STRAIGHT, STRAIGHT]).asks(2));
    // Nobody can say which of them: both are asked about, and only the other goes again.
    t.row(Cell::Beyond, LEGACY, processes(1), first(), ends(&[KNOWN, NOT_KNOWN]).sends(2).asks(4));
    t.row(Cell::Beyond, LEGACY, processes(3), first(), ends(&[KNOWN, KNOWN]).asks(4));
    t.row(Cell::NotAccepted, LEGACY, processes(0), refused("x-qlara; http 200 OK"), end(REFUSED).taken(0));
    // One of them may be bad, and the other is not to fail with it: each goes by itself.
    for no in [processes(0), refuses(""), code(400, NOT), code(422, NOT)] {
        t.row(Cell::NotAccepted, LEGACY, no, None, ends(&[STRAIGHT, STRAIGHT]).sends(3).asks(2));
    }
    t.row(Cell::Code(401), LEGACY, code(401, NOT), fault(&http(401)), ends(&[AGAIN, AGAIN]).sends(2).asks(2));
    t.row(Cell::Broken, LEGACY, reset(TAKEN), unknown("4.4.2", LOST), ends(&[KNOWN, KNOWN]).asks(4));
}

/// A template, and an SMS where that fails.
fn other_ways(t: &mut Table) {
    let again = "due claimed sent due claimed sent delivered";
    for (cell, does, end) in [
        (Cell::NotAccepted, refuses(""), end(AGAIN).sends(2).asks(1).taken(1)),
        (Cell::Code(400), code(400, NOT), end(AGAIN).sends(2).asks(1).taken(1)),
        (Cell::Code(403), code(403, NOT), end(AGAIN).sends(2).asks(1).taken(1)),
        (Cell::Code(404), code(404, NOT), end(AGAIN).sends(2).asks(1).taken(1)),
        (Cell::Code(503), code(503, NOT), end(AGAIN).sends(2).asks(1).taken(1)),
        (Cell::Broken, reset(TAKEN), end(KNOWN).asks(2)),
        // The platform has both, one for each channel.
        (Cell::Accepted, ends_as(Outcome::Error), end(again).sends(2).asks(2).taken(2)),
        (Cell::Accepted, ends_as(Outcome::Expired), end(again).sends(2).asks(2).taken(2)),
    ] {
        t.row(cell, TEMPLATE, does, None, end)[0].then_sms = true;
    }
}

/// What the contract leaves open.
fn beyond(t: &mut Table) {
    let cell = Cell::Beyond;
    for n in [302, 402, 405, 407] {
        t.row(cell, UNIVERSAL, code(n, NOT), fault(&http(n)), end(AGAIN).sends(2).asks(1));
    }
    t.row(cell, UNIVERSAL, code(413, NOT), refused(&http(413)), end(REFUSED).taken(0));
    t.row(cell, UNIVERSAL, code(418, NOT), back_off("4.3.0", &http(418)), end(AGAIN).sends(2).asks(1));
    // Perhaps with an earlier attempt of our own.
    let first = || unknown("4.3.0", &http(409));
    t.row(cell, UNIVERSAL, code(409, TAKEN), first(), end(KNOWN).asks(2));
    t.row(cell, UNIVERSAL, code(409, NOT), first(), end(NOT_KNOWN).sends(2).asks(2));
    let wait = asks_for_pause(503, Seconds, NOT);
    t.row(cell, UNIVERSAL, wait, pause("4.3.2", &http(503)), end(AGAIN).sends(2).asks(1));
}

/// The status endpoint, while nobody knows whether the platform has the message.
fn questions(t: &mut Table) {
    let status = |word: &str| says(&format!(r#"{{"deliveryStatus":"{word}"}}"#), NOT);
    for word in ["SENT", "DELIVERED", "ERROR", "EXPIRED"] {
        t.asked(TAKEN, UNIVERSAL, status(word), end(KNOWN).asks(2));
    }
    // Neither here nor there: it is asked again, and nothing is sent before it can tell.
    t.asked(TAKEN, EACH, status("UNKNOWN"), end(KNOWN).asks(3));
    t.asked(NOT, EACH, status("UNKNOWN"), end(NOT_KNOWN).sends(2).asks(3));
    let cannot_tell = [
        code(500, NOT),
        code(400, NOT),
        code(401, NOT),
        garbage(NOT),
        cut(NOT),
        reset(NOT),
        slower_than_we_wait(NOT),
        TooLong(held(NOT)),
        status("ON_FIRE"),
    ];
    for does in cannot_tell {
        t.asked(TAKEN, EACH, does.clone(), end(KNOWN).asks(3));
        t.asked(NOT, UNIVERSAL, does, end(NOT_KNOWN).sends(2).asks(3));
    }
    for form in [Seconds, Date] {
        let end = end(NOT_KNOWN).sends(2).asks(3).after(Duration::from_secs(1));
        t.asked(NOT, EACH, asks_for_pause(429, form, NOT), end);
    }
    // Late, and that is all.
    t.asked(TAKEN, UNIVERSAL, Does::Fault(slow(NOT)), end(KNOWN).asks(2));
    // It denies what it has.
    t.asked(TAKEN, UNIVERSAL, code(404, NOT), end(NOT_KNOWN).sends(2).asks(2).taken(2));

    // It could not tell for as long as is configured: the rule's choice.
    for (recorded, taken) in [(NOT, 1), (TAKEN, 2)] {
        for row in t.asked(recorded, EACH, code(500, NOT), end(NOT_KNOWN).sends(2).asks(2).taken(taken)) {
            row.unknown_time = Duration::ZERO;
        }
    }
    for (does, diagnostic) in [
        (code(500, NOT), "x-qlara; http 500"),
        (status("UNKNOWN"), "x-sms-relay; the platform could not tell for "),
        (reset(NOT), "x-sms-relay; the platform could not tell for "),
    ] {
        let failed = end("due claimed unknown failed").told(told("failed", "4.4.7", diagnostic)).asks(1);
        for row in t.asked(TAKEN, EACH, does, failed) {
            (row.unknown_time, row.choice) = (Duration::ZERO, OnUnknown::Fail);
        }
    }
    let expired = end("due claimed unknown expired").told(told("failed", "4.4.7", &http(500))).asks_some();
    for row in t.asked(TAKEN, EACH, code(500, NOT), expired) {
        (row.lifetime, row.never_tells) = (LIFETIME, true);
    }
}
