//! Mails that name their destinations and their words in their text, by lines `to:` and `text:`, as
//! UPS management cards write them.
//!
//! Such cards know how a provider of SMS wants its mails and let their owner write that down, so what
//! comes is mostly this, with `:` or `=`, in any case, with or without blanks:
//! ```text
//! user: ups
//! password: secret
//! to: +393471234567, oncall
//! text: Utility power failure
//! ```
//! - `text:` begins the words, which go on to the end of the mail. It does so only behind a line `to:`, or
//!   where nothing but lines `key: value` stands in front; any other is a line of an alert. What stands
//!   in front of it, passwords too, is not words; but where no line `to:` stands anywhere, other lines
//!   `key: value` there are an alert's, and stay with all the rest but the account.
//! - `to:` lines count in front of `text:`. Behind it they are words, unless there is none in front: then those
//!   count that end the mail, as some providers show it in their examples.
//! - Without `text:`, the `to:` lines among the lines `key: value` that begin the mail count, and the rest is
//!   words, but for a password there and the user's name that goes with it. A mail that quotes the header
//!   of another further down names no destination by that.

/// What such a text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// The destinations as written, in order, already separated; empty where no line names any.
    pub to: Vec<&'a str>,
    /// The words: what stands behind `text:` to the end; without such a line the text without its
    /// `to:` lines.
    pub text: String,
}

/// Longest key of a line `key: value`, in octets.
const MAX_KEY: usize = 24;

/// Reads the lines of `text`. Linear.
pub fn read(text: &str) -> Addressed<'_> {
    let mut to = Vec::new();
    // Where the first line ends that is no `key: value`; from there on only `text:` matters.
    let mut head_end = None;
    let mut to_in_head = 0;
    for (start, line) in lines(text) {
        match Line::read(line) {
            Line::To(value) => to.extend(destinations(value)),
            Line::Text(value) if head_end.is_none() || !to.is_empty() => {
                // The value is a piece of the line, and the words go on behind it.
                let words = &text[start + line.len() - value.len()..];
                let addressed = with_words(words, to);
                if addressed.to.is_empty() && has_other_keys(&text[..start]) {
                    let words = without_account(&text[..start]) + &text[start..];
                    return Addressed { to: Vec::new(), text: words.trim().to_owned() };
                }
                return addressed;
            }
            Line::Text(_) | Line::Other if head_end.is_none() => {
                head_end = Some(start);
                to_in_head = to.len();
            }
            Line::Text(_) | Line::Password | Line::User | Line::Key | Line::Blank | Line::Other => {}
        }
    }
    let head_end = head_end.unwrap_or_else(|| {
        to_in_head = to.len();
        text.len()
    });
    to.truncate(to_in_head);
    if to.is_empty() {
        return Addressed { to, text: text.to_owned() };
    }
    let (head, rest) = text.split_at(head_end);
    let mut words = without_account(head);
    words.push_str(rest);
    Addressed { to, text: words.trim().to_owned() }
}

fn with_words<'a>(words: &'a str, mut to: Vec<&'a str>) -> Addressed<'a> {
    let mut words = words.trim();
    if to.is_empty() {
        let end = tail(words);
        to.extend(lines(&words[end..]).flat_map(|(_, line)| match Line::read(line) {
            Line::To(value) => destinations(value).collect(),
            Line::Text(_) | Line::Password | Line::User | Line::Key | Line::Blank | Line::Other => Vec::new(),
        }));
        if !to.is_empty() {
            words = words[..end].trim_end();
        }
    }
    Addressed { to, text: words.to_owned() }
}

/// Whether it says more than whom and whose: a list of an alert, which has an entry `text:`.
fn has_other_keys(head: &str) -> bool {
    lines(head).any(|(_, line)| matches!(Line::read(line), Line::Key))
}

/// Where the lines begin that end `words` and are about destinations and accounts only.
fn tail(words: &str) -> usize {
    let mut start = words.len();
    loop {
        let line_start = words[..start].trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1);
        match Line::read(&words[line_start..start]) {
            // The first line is the one behind `text:`.
            Line::To(_) | Line::Password | Line::User | Line::Blank if line_start > 0 => start = line_start,
            Line::To(_)
            | Line::Password
            | Line::User
            | Line::Blank
            | Line::Text(_)
            | Line::Key
            | Line::Other => {
                return start;
            }
        }
    }
}

/// The lines without `to:`, and without the account that a password gives away.
fn without_account(head: &str) -> String {
    let has_password = lines(head).any(|(_, line)| matches!(Line::read(line), Line::Password));
    let mut kept = String::with_capacity(head.len());
    for line in head.split_inclusive('\n') {
        match Line::read(line) {
            Line::To(_) | Line::Password => {}
            Line::User if has_password => {}
            Line::User | Line::Text(_) | Line::Key | Line::Blank | Line::Other => {
                kept.push_str(line);
            }
        }
    }
    kept
}

/// One line of such a mail.
enum Line<'a> {
    To(&'a str),
    Text(&'a str),
    Password,
    User,
    /// Any other `key: value`.
    Key,
    Blank,
    Other,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        let start = line.trim_start();
        if start.is_empty() {
            return Self::Blank;
        }
        let Some(end) = start.bytes().take(MAX_KEY + 1).position(|byte| matches!(byte, b':' | b'=')) else {
            return Self::Other;
        };
        let key = start[..end].trim_end();
        let value = &start[end + 1..];
        let is = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        let in_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if key.is_empty() || !key.bytes().all(in_key) || value.starts_with("//") {
            // No key, or the scheme of a link.
            Self::Other
        } else if is(&["to"]) {
            Self::To(value)
        } else if is(&["text"]) {
            Self::Text(value)
        } else if is(&["password", "pass", "passwd", "pwd", "api_id", "apikey", "api_key", "token"]) {
            Self::Password
        } else if is(&["user", "username", "login", "account"]) {
            Self::User
        } else {
            Self::Key
        }
    }
}

/// A number is written with blanks in it, so only these separate.
fn destinations(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', ';']).map(str::trim).filter(|written| !written.is_empty())
}

/// The lines of `text` without their ends, and where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let here = start;
        start += line.len() + 1;
        (here, line)
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn check(text: &str, to: &[&str], words: &str) {
        let read = read(text);
        assert_eq!((read.to.as_slice(), read.text.as_str()), (to, words), "{text:?}");
    }

    #[test]
    fn cards_name_destination_and_words() {
        for (text, to, words) in [
            (
                "to: +393471234567\ntext: Utility power failure",
                &["+393471234567"][..],
                "Utility power failure",
            ),
            ("To:0039347;oncall\r\nTEXT:On battery\r\n", &["0039347", "oncall"], "On battery"),
            ("  to = +39 347 123, +44 7700 900\n text =  Low", &["+39 347 123", "+44 7700 900"], "Low"),
            ("to: 1\nTo: 2\nto:\n\ntext: a\n\nb: c\n", &["1", "2"], "a\n\nb: c"),
            ("subject: UPS\nto: 1\ntext:\nOn battery\n", &["1"], "On battery"),
            // All that stands in front of the words is not words, and a password least.
            ("user:ups\npassword:secret\napi_id:77\nto:+39347\ntext:Bypass on", &["+39347"], "Bypass on"),
            ("Hello,\nto: 1\npass=secret\ntext: x", &["1"], "x"),
            // Behind the words' beginning all is words.
            ("to: 1\ntext: a\nto: 2\ntext: b\npassword: c", &["1"], "a\nto: 2\ntext: b\npassword: c"),
            ("to: 1\ntext:", &["1"], ""),
        ] {
            check(text, to, words);
        }
    }

    #[test]
    fn destinations_may_end_the_mail_where_none_stands_in_front() {
        for (text, to, words) in [
            ("text: three phones\nto: 1\nto: 2\n\nto: 3\n", &["1", "2", "3"][..], "three phones"),
            ("password: p\ntext: a\nb\nuser: u\npassword: p\nto: 1", &["1"], "a\nb"),
            ("text: a\nto: 1\nb", &[], "a\nto: 1\nb"),
            ("text: a\npassword: 1234", &[], "a\npassword: 1234"),
            ("text: to: 1", &[], "to: 1"),
            // An alert's list.
            ("Host: web1\nText: Disk full\nState: down", &[], "Host: web1\nText: Disk full\nState: down"),
            ("Host: web1\nText: full\nto: 1", &["1"], "full"),
            ("user: u\npassword: p\nfrom: UPS\ntext: On battery", &[], "from: UPS\ntext: On battery"),
            ("user: u\npassword: p\n\ntext: On battery", &[], "On battery"),
        ] {
            check(text, to, words);
        }
    }

    #[test]
    fn without_words_by_name_the_rest_is_words() {
        for (text, to, words) in [
            ("to: 1\nUtility power failure", &["1"][..], "Utility power failure"),
            ("\nto: 1, 2\n\nOn battery\nto: nobody", &["1", "2"], "On battery\nto: nobody"),
            ("Host: ups1\nTo: 1\nState: on battery", &["1"], "Host: ups1\nState: on battery"),
            ("user: u\npassword: p\nto: 1\nOn battery", &["1"], "On battery"),
            ("User: bob\nto: 1\nlocked out", &["1"], "User: bob\nlocked out"),
            ("to: 1", &["1"], ""),
        ] {
            check(text, to, words);
        }
    }

    #[test]
    fn other_mails_stay_as_they_are() {
        for text in [
            "",
            "\n",
            "Virus in a mail\nFrom: a@example.com\nTo: b@example.com\nFound: EICAR",
            "The display says\ntext: E-17",
            "user: root\npassword: expired",
            "https://example.com/to:1",
            "tomorrow: nothing\ntotal: 3\nto 1",
            "to the one who reads this: hello",
            "è: à",
        ] {
            check(text, &[], text);
        }
    }

    #[test]
    fn long_texts_are_read_in_a_blink() {
        let megabyte = |line: &str| line.repeat((1 << 20) / line.len());
        for text in [
            megabyte("to: 1\n"),
            megabyte("to:,;\n"),
            format!("text: a\n{}", megabyte("to: 1\n")),
            format!("text: a\n{}", megabyte("\n")),
            megabyte("text: a\n"),
            megabyte(":"),
            megabyte("a"),
        ] {
            let begun = Instant::now();
            read(&text);
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", &text[..20]);
        }
    }
}
