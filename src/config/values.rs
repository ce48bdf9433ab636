//! Reading single values: each function takes a value as written and gives a typed one, or notes
//! what is wrong, with the value and what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::reader::{Section, Value};
use crate::model::{MailAddress, SenderId};
use crate::pattern::Pattern;
use crate::retry::Backoff;
use crate::routing::Prefix;
use crate::wording::{ReportTemplate, Template};

/// Most octets of a file that the configuration names (a certificate, mostly).
const MAX_FILE: u64 = 1 << 20;
/// The longest time that makes sense anywhere here; also keeps sums of times in range.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// The least of what is counted by the second: one in a quarter of an hour or so.
const LEAST_RATE: f64 = 0.001;

/// A text that is not blank.
pub(super) fn text(value: &Value) -> Option<String> {
    match value.item.get_ref().as_str() {
        Some(text) if text.trim().is_empty() => value.fail(format!("`{}` is empty", value.name)),
        Some(text) => Some(text.to_owned()),
        None => value.wrong_type("a text in quotes"),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Option<bool> {
    value.item.get_ref().as_bool().or_else(|| value.wrong_type("true or false"))
}

/// A whole number within `range`.
pub(super) fn count(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Option<usize> {
    move |value| {
        let number = whole(value).or_else(|| value.wrong_type("a whole number"))?;
        within(value, number, &range, &number.to_string())
    }
}

/// A number, with or without a fraction, that is not negative.
pub(super) fn number(value: &Value) -> Option<f64> {
    let item = value.item.get_ref();
    let written = item
        .as_float()
        .map(|number| number.as_str())
        .or_else(|| item.as_integer().filter(|number| number.radix() == 10).map(|number| number.as_str()));
    let Some(written) = written else { return value.wrong_type("a number") };
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Some(number),
        Ok(_) | Err(_) => value.fail(format!("`{written}` is not a number that `{}` can be", value.name)),
    }
}

/// So many a second: a number with or without a fraction, at most `most`.
pub(super) fn rate(most: f64) -> impl Fn(&Value) -> Option<f64> {
    move |value| {
        let number = number(value)?;
        if (LEAST_RATE..=most).contains(&number) {
            return Some(number);
        }
        value.fail(format!("`{number}` is out of range; `{}` may be {LEAST_RATE} to {most}", value.name))
    }
}

/// A date with a time; without an offset it is this machine's time.
pub(super) fn moment(written: &str) -> Option<Timestamp> {
    let local = || {
        // A date alone could be read as its midnight, and is mostly half a thought.
        let time: jiff::civil::DateTime = written.contains(':').then(|| written.parse().ok()).flatten()?;
        Some(time.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp())
    };
    written.parse().ok().or_else(local)
}

/// Octets: a number, or a text like `"10 MiB"`.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Option<usize> {
    move |value| {
        let (number, written) = match value.item.get_ref().as_str() {
            Some(written) => match octets(written) {
                Some(number) => (number, written.to_owned()),
                None => {
                    let advice = "write it like \"10 MiB\", \"64 KiB\" or 65536";
                    return value.fail(format!("`{written}` is not a size; {advice}"));
                }
            },
            None => {
                let number = whole(value).or_else(|| value.wrong_type("a size like \"10 MiB\""))?;
                (number, number.to_string())
            }
        };
        within(value, number, &range, &written)
    }
}

fn whole(value: &Value) -> Option<u64> {
    let number = value.item.get_ref().as_integer()?;
    match i128::from_str_radix(number.as_str(), number.radix()) {
        // Out of every range rather than of the wrong type.
        Ok(negative) if negative < 0 => Some(u64::MAX),
        Ok(number) => Some(u64::try_from(number).unwrap_or(u64::MAX)),
        Err(_) => Some(u64::MAX),
    }
}

fn octets(written: &str) -> Option<u64> {
    let written = written.trim();
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = written.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn within(value: &Value, number: u64, range: &RangeInclusive<u64>, written: &str) -> Option<usize> {
    match usize::try_from(number) {
        Ok(fitting) if range.contains(&number) => Some(fitting),
        Ok(_) | Err(_) => {
            let written = if number == u64::MAX { "this number".to_owned() } else { format!("`{written}`") };
            let (least, most) = (range.start(), range.end());
            value.fail(format!("{written} is out of range; `{}` may be {least} to {most}", value.name))
        }
    }
}

/// A time like `"30s"` or `"4h"`, at least `least`, at most a year.
pub(super) fn time(least: Duration) -> impl Fn(&Value) -> Option<Duration> {
    move |value| {
        let written = value
            .item
            .get_ref()
            .as_str()
            .or_else(|| value.wrong_type("a time with its unit, like \"30s\""))?;
        let advice = "write it like \"30s\", \"15m\" or \"4h\"";
        let time = match humantime::parse_duration(written) {
            Ok(time) => time,
            Err(error) => return value.fail(format!("`{written}` is not a time: {error}; {advice}")),
        };
        if (least..=LONGEST).contains(&time) {
            return Some(time);
        }
        let (least, most) = (humantime::format_duration(least), "a year");
        value.fail(format!("`{written}` is out of range; `{}` may be {least} to {most}", value.name))
    }
}

/// One second, the least for most times.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// `{ first = "5s", most = "15m" }`.
pub(super) fn backoff(section: &Section, key: &'static str, default: Backoff) -> Backoff {
    let written = section.section(key);
    let first = written.or("first", default.first, time(SECOND));
    let most = written.or("most", default.most, time(SECOND));
    if first > most {
        let (first, most) = (humantime::format_duration(first), humantime::format_duration(most));
        written.error(format!("`first` ({first}) is longer than `most` ({most}); exchange them"));
        return default;
    }
    Backoff { first, most }
}

/// One of several words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Option<T> {
    move |value| {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        let written = match value.item.get_ref().as_str() {
            Some(written) => written,
            None => return value.wrong_type(&format!("one of {names}")),
        };
        let found = words.iter().find(|(name, _)| *name == written);
        found.map(|(_, meaning)| *meaning).or_else(|| {
            let shown = written.escape_debug();
            value.fail(format!("`{shown}` is not known for `{}`; write one of {names}", value.name))
        })
    }
}

/// A list, each item read by `read`; nothing when one of them is wrong.
pub(super) fn list<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| {
        let items = value.items().or_else(|| value.wrong_type("a list in brackets"))?;
        // All are read before any is missed, so that every error is noted.
        let read: Vec<Option<T>> = items.iter().map(&read).collect();
        read.into_iter().collect()
    }
}

/// One item, or a list of them.
pub(super) fn one_or_more<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| match value.items() {
        Some(_) => list(&read)(value),
        None => read(value).map(|one| vec![one]),
    }
}

/// `address:port` to listen on.
pub(super) fn bind(value: &Value) -> Option<SocketAddr> {
    let written = text(value)?;
    written.parse().ok().or_else(|| {
        value.fail(format!(
            "`{}` is not an address to listen on; write it like \"127.0.0.1:2525\" or \"[::]:25\"",
            written.escape_debug()
        ))
    })
}

/// A network like `10.0.0.0/8`, or one address.
pub(super) fn network(value: &Value) -> Option<IpNet> {
    let written = text(value)?;
    let shown = written.escape_debug();
    let net = written.parse::<IpNet>().ok().or_else(|| written.parse::<IpAddr>().ok().map(IpNet::from));
    match net {
        Some(IpNet::V6(net)) if net.addr().to_ipv4_mapped().is_some() => {
            value.fail(format!("`{shown}` is an IPv4 network in IPv6 clothes; write it as IPv4"))
        }
        Some(net) => Some(net.trunc()),
        None => value.fail(format!(
            "`{shown}` is not a network; write it like \"10.0.0.0/8\", \"192.0.2.7\" or \"fd00::/8\""
        )),
    }
}

/// Networks of which there is at least one. Warned of where they are the whole world.
pub(super) fn networks(value: &Value) -> Option<Vec<IpNet>> {
    let networks = list(network)(value)?;
    if networks.is_empty() {
        return value
            .fail(format!("`{}` is empty, so nobody is let in; leave it out for the default", value.name));
    }
    if networks.iter().any(|net| net.prefix_len() == 0) {
        let text = "this lets in every address there is; each message that comes in is paid for";
        value.reader.warning(Some(value.span()), text.to_owned());
    }
    Some(networks)
}

/// A mail address.
pub(super) fn address(value: &Value) -> Option<MailAddress> {
    let written = text(value)?;
    MailAddress::parse(&written).map_err(|error| value.error(error.to_string())).ok()
}

/// A sender id.
pub(super) fn sender(value: &Value) -> Option<SenderId> {
    let written = value.item.get_ref().as_str().or_else(|| value.wrong_type("a text in quotes"))?;
    SenderId::new(written).map_err(|error| value.error(error.to_string())).ok()
}

/// A prefix of allowed numbers.
pub(super) fn prefix(value: &Value) -> Option<Prefix> {
    let written = text(value)?;
    Prefix::new(&written).map_err(|error| value.error(error.to_string())).ok()
}

/// A regular expression.
pub(super) fn pattern(value: &Value) -> Option<Pattern> {
    let written = text(value)?;
    Pattern::new(&written)
        .map_or_else(|error| value.fail_within(error.range.clone(), error.to_string()), Some)
}

/// `subject`, `body`, `both`, or a template.
pub(super) fn template(value: &Value) -> Option<Template> {
    let written = text(value)?;
    if !written.contains("{{") && !written.contains("{%") && !["subject", "body", "both"].contains(&&*written)
    {
        return value.fail(format!(
            "`{}` would send the same words for every message; write \"subject\", \"body\", \"both\" or a \
             template like \"{{{{ subject }}}}: {{{{ text }}}}\"",
            written.escape_debug()
        ));
    }
    Template::new(&written).map_or_else(|error| value.fail_within(error.range(), error.to_string()), Some)
}

/// A template of the human part of a report.
pub(super) fn report_template(value: &Value) -> Option<ReportTemplate> {
    let written = text(value)?;
    if !written.contains("recipients") {
        let text = "this template never names `recipients`, so that a report would not say what became of them; \
                    write like \"{% for one in recipients %}{{ one.address }}: {{ one.reason }}{% endfor %}\"";
        return value.fail(text.to_owned());
    }
    ReportTemplate::new(&written)
        .map_or_else(|error| value.fail_within(error.range(), error.to_string()), Some)
}

/// A path, relative to the configuration file.
pub(super) fn path(value: &Value) -> Option<PathBuf> {
    text(value).map(|written| value.reader.beside(&written))
}

/// The content of a file of certificates (PEM).
pub(super) fn certificates(value: &Value) -> Option<Vec<u8>> {
    let path = path(value)?;
    let shown = path.display();
    let content = match std::fs::metadata(&path) {
        Ok(found) if !found.is_file() => return value.fail(format!("`{shown}` is not a file")),
        Ok(found) if found.len() > MAX_FILE => {
            return value.fail(format!("`{shown}` is over 1 MiB; that is not a certificate"));
        }
        Ok(_) => std::fs::read(&path),
        Err(error) => Err(error),
    };
    let content = match content {
        Ok(content) => content,
        Err(error) => return value.fail(format!("`{shown}` cannot be read: {error}")),
    };
    let marker = b"-----BEGIN CERTIFICATE-----";
    if content.windows(marker.len()).any(|window| window == marker) {
        Some(content)
    } else {
        value.fail(format!("`{shown}` holds no certificate in PEM form"))
    }
}

/// The name of a listener, an account, a gateway or a rule.
pub(super) fn name(value: &Value) -> Option<String> {
    let written = text(value)?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if written.len() <= 64 && written.chars().all(good) {
        return Some(written);
    }
    let shown = written.escape_debug();
    value.fail(format!(
        "`{shown}` cannot be a name; use up to 64 letters, digits, dots, dashes and underscores"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_units_only() {
        assert_eq!(octets("10 MiB"), Some(10 * 1024 * 1024));
        assert_eq!(octets("64KiB"), Some(65536));
        assert_eq!(octets("1 GiB"), Some(1 << 30));
        assert_eq!(octets("7"), Some(7));
        for wrong in ["", "MiB", "10 MB", "1.5 MiB", "-1", "99999999999999999999", "99999999999 GiB"] {
            assert_eq!(octets(wrong), None, "{wrong}");
        }
    }
}
