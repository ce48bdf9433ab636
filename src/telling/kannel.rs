//! Kannel's delivery reports: the client's own URL, its escapes filled in.
//!
//! The escapes are those of Kannel's user guide ("Parameters (Escape Codes)"), with the values that Kannel has for a report. What it has only for
//! a message that a phone has sent, or never knew, is empty here as there; what is no escape stays as it is. A URL that holds
//! percent-encoded octets which look like an escape (`%C3`) is changed by Kannel, too: its clients write `%%C3`.

use reqwest::Url;

use super::target::{TargetError, target, target_of_any_length};
use crate::model::{Encoding, KannelEvent};
use crate::spool::Telling;

/// Most characters of a value: a reason may be long, and a URL may name it often.
const MAX_VALUE: usize = 160;
/// Most octets of a URL that is filled in.
const MAX_FILLED: usize = 8 * 1024;

/// A URL that cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FillError {
    /// It is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Filled in, it would lead to another host than the one that was allowed.
    #[error("there is an escape in its host")]
    Elsewhere,
    /// It is too long.
    #[error("it is longer than {MAX_FILLED} octets with its values")]
    TooLong,
}

/// The URL to GET, for `event` of the SMS.
///
/// # Errors
/// [`FillError`].
pub(super) fn url(telling: &Telling, event: KannelEvent) -> Result<Url, FillError> {
    let pattern = telling.to.url.as_str();
    let allowed = target(pattern)?;
    let filled = fill(pattern, |escape| value(telling, event, escape));
    if filled.len() > MAX_FILLED {
        return Err(FillError::TooLong);
    }
    let url = target_of_any_length(&filled)?;
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    if place(&url) == place(&allowed) { Ok(url) } else { Err(FillError::Elsewhere) }
}

/// What an escape stands for, encoded; `None` for what is none.
fn value(telling: &Telling, event: KannelEvent, escape: char) -> Option<String> {
    let sms = &telling.sms;
    Some(match escape {
        'd' => event.bit().to_string(),
        // The report's text, which Kannel puts an acknowledgement before where it is the SMSC's answer.
        'A' | 'b' => encoded(&reply(telling, event)),
        'a' => reply(telling, event).split_whitespace().map(encoded).collect::<Vec<_>>().join("+"),
        // A report comes from the phone and goes to the sender of the SMS.
        'p' | 'q' => encoded(sms.destination.as_str()),
        'P' | 'Q' => encoded(sms.sender.as_str()),
        't' => telling.ended_at.strftime("%Y-%m-%d+%H:%M:%S").to_string(),
        'T' => telling.ended_at.as_second().to_string(),
        'I' | 'F' => telling.id.to_string(),
        'n' => encoded(&telling.to.account),
        'R' => encoded(&telling.to.url),
        'c' => match sms.text.encoding {
            Encoding::Gsm7 => "0".to_owned(),
            Encoding::Ucs2 => "2".to_owned(),
        },
        'C' => match sms.text.encoding {
            Encoding::Gsm7 => "UTF-8".to_owned(),
            Encoding::Ucs2 => "UTF-16BE".to_owned(),
        },
        // Neither was asked for, as Kannel says it.
        'm' | 'M' => "-1".to_owned(),
        'B' | 'D' | 'f' | 'i' | 'k' | 'o' | 'O' | 'r' | 's' | 'S' | 'u' | 'v' | 'V' => String::new(),
        '%' => "%".to_owned(),
        _ => return None,
    })
}

/// What the platform said of it, or else why it is so.
fn reply(telling: &Telling, event: KannelEvent) -> String {
    let said = telling.cause.diagnostic.as_ref().unwrap_or(&telling.cause.text);
    let said: String = said.chars().take(MAX_VALUE).collect();
    match event {
        KannelEvent::Rejected => format!("NACK/{said}"),
        KannelEvent::Delivered | KannelEvent::NotDelivered => said,
    }
}

fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Replaces each escape of `pattern` by its value. `%#group#name#`, a value of the SMSC's own, is always empty.
fn fill(pattern: &str, value: impl Fn(char) -> Option<String>) -> String {
    let mut filled = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('%') {
        filled.push_str(before);
        let Some(escape) = behind.chars().next() else {
            filled.push('%');
            rest = behind;
            continue;
        };
        rest = &behind[escape.len_utf8()..];
        if escape == '#' {
            rest = rest.splitn(3, '#').nth(2).unwrap_or(rest);
            continue;
        }
        match value(escape) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(['%', escape]),
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::super::turns::tests::telling;
    use super::*;
    use crate::model::{Cause, EnhancedStatus, KannelMask, TellStyle};

    fn told(url: &str) -> Telling {
        let mut told = telling("", 3);
        told.to.url = url.to_owned();
        told.to.style = TellStyle::Kannel(KannelMask::from_bits(31).unwrap());
        told.cause.diagnostic = Some("code 6: Unbekannt, für+immer".to_owned());
        told
    }

    fn filled(pattern: &str, event: KannelEvent) -> String {
        let told = told("http://a.example/?u=%d");
        fill(pattern, |escape| value(&told, event, escape))
    }

    #[test]
    fn each_escape_has_its_value_or_none() {
        let reply = "code+6%3A+Unbekannt%2C+f%C3%BCr%2Bimmer";
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV-3";
        for (escape, value) in [
            ("%d", "2"),
            ("%A", reply),
            ("%b", reply),
            ("%a", reply),
            ("%p", "%2B393471234567"),
            ("%q", "%2B393471234567"),
            ("%P", "Shop"),
            ("%Q", "Shop"),
            ("%t", "2023-11-14+22:13:20"),
            ("%T", "1700000000"),
            ("%I", id),
            ("%F", id),
            ("%n", "shop"),
            ("%R", "http%3A%2F%2Fa.example%2F%3Fu%3D%25d"),
            ("%c", "0"),
            ("%C", "UTF-8"),
            ("%m", "-1"),
            ("%M", "-1"),
            ("%%", "%"),
            ("%%d", "%d"),
            ("%%%d", "%2"),
            ("%#smpp#my_param#", ""),
            ("%#smpp#my_param#/%d", "/2"),
            ("%#smpp", "smpp"),
            // None of Kannel's.
            ("%20%3D%", "%20%3D%"),
            ("%\u{fc}%x", "%\u{fc}%x"),
            ("d", "d"),
            ("", ""),
        ] {
            assert_eq!(filled(escape, KannelEvent::NotDelivered), value, "{escape}");
        }
        for empty in "BDfikoOrsSuvV".chars() {
            assert_eq!(filled(&format!("<%{empty}>"), KannelEvent::NotDelivered), "<>", "{empty}");
        }
        assert_eq!(filled("%d %A", KannelEvent::Rejected), format!("16 NACK%2F{reply}"));
        assert_eq!(filled("%d", KannelEvent::Delivered), "1");
    }

    #[test]
    fn without_words_of_the_platform_the_reason_stands_there() {
        let mut told = told("http://a.example/%c/%C?%A");
        told.cause = Cause::new(EnhancedStatus::UNDELIVERABLE, "x".repeat(MAX_VALUE + 1));
        told.sms.text.encoding = Encoding::Ucs2;
        let read = url(&told, KannelEvent::NotDelivered).unwrap();
        assert_eq!(read.as_str(), format!("http://a.example/2/UTF-16BE?{}", "x".repeat(MAX_VALUE)));
    }

    #[test]
    fn the_host_is_the_one_that_was_allowed() {
        let call = |url: &str| super::url(&told(url), KannelEvent::Delivered).map(String::from);
        assert_eq!(
            call("https://a.example:8443/%d/%P?id=7&s=%d&to=%p#%t").unwrap(),
            "https://a.example:8443/1/Shop?id=7&s=1&to=%2B393471234567"
        );
        for (elsewhere, error) in [
            ("http://%61%d.example/", FillError::Target(TargetError::NotHttp)),
            // Read as it stands, this is a name of the Internet in other letters.
            ("http://a%D0%B0.example/", FillError::Elsewhere),
            ("http://%P.example/", FillError::Target(TargetError::NotHttp)),
            ("http://a.example:%d/", FillError::Target(TargetError::NotHttp)),
            ("http://a.example:%d@b.example/", FillError::Target(TargetError::Credentials)),
            ("file:///%d", FillError::Target(TargetError::NotHttp)),
        ] {
            assert_eq!(call(elsewhere), Err(error), "{elsewhere}");
        }
        // Every escape in it is encoded, so that no value ends the host or begins another.
        let mut told = told("http://a.example/%A");
        told.cause.diagnostic = Some("@b.example:1/?#\r\nHost: c\\".to_owned());
        let read = super::url(&told, KannelEvent::Delivered).unwrap();
        assert_eq!((read.host_str(), read.port(), read.query()), (Some("a.example"), None, None));
        assert_eq!(read.path(), "/%40b.example%3A1%2F%3F%23%0D%0AHost%3A+c%5C");
    }

    #[test]
    fn a_url_has_a_length_before_and_behind() {
        let call = |url: &str| super::url(&told(url), KannelEvent::Delivered).map(String::from);
        let start = "http://a.example/";
        // Each id has 28 octets.
        let filled = |octets: usize| {
            let (ids, rest) = ((octets - start.len()) / 28, (octets - start.len()) % 28);
            format!("{start}{}{}", "%I".repeat(ids), "x".repeat(rest))
        };
        assert_eq!(call(&filled(MAX_FILLED)).unwrap().len(), MAX_FILLED);
        assert_eq!(call(&filled(MAX_FILLED + 1)), Err(FillError::TooLong));
        let long = format!("{start}{}", "x".repeat(2049 - start.len()));
        assert_eq!(call(&long), Err(FillError::Target(TargetError::TooLong)));
    }
}
