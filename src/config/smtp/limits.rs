//! What a client of the SMTP door may use up.

use std::time::Duration;

use super::super::reader::{Reader, Section, Value};
use super::super::values;
use crate::smtp::{Allotment, Limits};

const MIB: u64 = 1 << 20;
/// More than any of these counts can reach.
const MANY: u64 = 1_000_000_000;
/// A client waits at least 5 minutes for a reply (RFC 5321 section 4.5.3.2); most wait a minute.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

pub(super) fn read(reader: &Reader, section: &Section) -> Limits {
    let usual = Limits::default();
    let time = || values::time(values::SECOND);
    let errors = section.or("errors", usual.errors, values::count(1..=10_000));
    let limits = Limits {
        message_octets: section.or(
            "message_size",
            usual.message_octets,
            values::size(64 * 1024..=1024 * MIB),
        ),
        memory_octets: section.or("memory", usual.memory_octets, values::size(MIB..=1024 * 1024 * MIB)),
        recipients: section.or("recipients", usual.recipients, values::count(100..=100_000)),
        connections: section.or("connections", usual.connections, values::count(1..=1_000_000)),
        connections_per_client: section.or(
            "connections_per_client",
            usual.connections_per_client,
            values::count(1..=1_000_000),
        ),
        per_connection: Allotment {
            messages: section.optional("messages_per_connection", many),
            recipients: section.optional("recipients_per_connection", many),
            octets: section.optional("size_per_connection", size),
        },
        per_minute: Allotment {
            messages: section.optional("messages_per_minute", many),
            recipients: section.optional("recipients_per_minute", many),
            octets: section.optional("size_per_minute", size),
        },
        errors_undelayed: section.or(
            "errors_undelayed",
            usual.errors_undelayed.min(errors),
            values::count(0..=10_000),
        ),
        error_delay: section.or("error_delay", usual.error_delay, delay),
        errors,
        auth_delay: section.or("auth_delay", usual.auth_delay, delay),
        auth_failures: section.or("auth_failures", usual.auth_failures, values::count(1..=10_000)),
        auth_window: section.or("auth_window", usual.auth_window, time()),
        command_time: section.or("command_time", usual.command_time, time()),
        message_time: section.or("message_time", usual.message_time, time()),
        session_time: section.or("session_time", usual.session_time, time()),
    };
    check(reader, section, &limits);
    limits
}

/// Whether the limits go together.
fn check(reader: &Reader, section: &Section, limits: &Limits) {
    let message = limits.message_octets as u64;
    let sizes = [
        ("memory", Some(limits.memory_octets as u64)),
        ("size_per_connection", limits.per_connection.octets),
        ("size_per_minute", limits.per_minute.octets),
    ];
    for (key, size) in sizes {
        if size.is_some_and(|size| size < message) {
            let text = format!(
                "`{key}` is smaller than `message_size`, so the largest mails would never get in; enlarge it"
            );
            let written = if section.has(key) { key } else { "message_size" };
            reader.error(section.place(written), text);
        }
    }
    let (undelayed, errors) = (limits.errors_undelayed, limits.errors);
    if undelayed > errors {
        let text = format!(
            "`errors_undelayed` ({undelayed}) is more than `errors` ({errors}), after which the connection is \
             closed; make it smaller"
        );
        reader.error(section.place("errors_undelayed"), text);
    }
}

fn many(value: &Value) -> Option<u64> {
    values::count(1..=MANY)(value).and_then(|count| u64::try_from(count).ok())
}

fn size(value: &Value) -> Option<u64> {
    values::size(64 * 1024..=1024 * 1024 * MIB)(value).and_then(|size| u64::try_from(size).ok())
}

fn delay(value: &Value) -> Option<Duration> {
    let time = values::time(Duration::ZERO)(value)?;
    if time <= LONGEST_DELAY {
        return Some(time);
    }
    value.fail(format!("`{}` may be 0s to 1m: clients give up when a reply takes longer", value.name))
}
