//! Fields of HTTP requests: queries, forms, multipart and JSON bodies, in every charset and way of reading.

use std::collections::BTreeMap;

use sms_relay::http::fuzzing::{Seen, fields, is_private};
use sms_relay::profile::{BodyKind, Meaning, Names, Reading, Separators};

/// Longest sentence of a refusal in characters: all names of a meaning, and a few values of 40 characters, each escaped.
const SENTENCE: usize = 1500;
/// A field that no reading knows.
const NOTHING: &str = "zz-means-nothing";

/// How the rest of an input is read: words on its first line, such as `charset=gbk sep=;, twice json inside=params`; then
/// a line with the content type, one with the query, and the body.
fn parts(input: &[u8]) -> (Reading, &[u8], String, &[u8]) {
    let mut lines = input.splitn(4, |octet| *octet == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (words, content_type, query, body) = (next(), next(), next(), next());
    let mut reading = Reading { names: names(), ..Reading::default() };
    for word in String::from_utf8_lossy(words).split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("charset", label) => reading.charset = Some(label.to_owned()),
            ("sep", characters) => {
                let usable = |c: &char| !c.is_alphanumeric() && !"+-().".contains(*c);
                let characters: Vec<char> = characters.chars().chain([' ']).filter(usable).collect();
                reading.separators = Separators::Only(characters);
            }
            ("inside", name) => reading.inside = Some(name.to_owned()),
            ("twice", _) => reading.decode_twice = true,
            ("json", _) => reading.body = BodyKind::Json,
            ("form", _) => reading.body = BodyKind::Form,
            _ => {}
        }
    }
    // A query of a URI has no such octets.
    let query = query.iter().filter(|octet| octet.is_ascii_graphic()).map(|octet| char::from(*octet));
    (reading, content_type, query.collect(), body)
}

fn names() -> Names {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Names::new([
        (Meaning::To, owned(&["to", "number"])),
        (Meaning::Text, owned(&["text", "msg"])),
        (Meaning::From, owned(&["from"])),
        (Meaning::DeliverAt, owned(&["at"])),
        (Meaning::Lane, owned(&["lane"])),
        (Meaning::CallbackUrl, owned(&["cb"])),
        (Meaning::Username, owned(&["u", "user"])),
        (Meaning::Password, owned(&["p"])),
        (Meaning::ApiKey, owned(&["k"])),
        (Meaning::Session, owned(&["s"])),
        (Meaning::Charset, owned(&["_charset_"])),
        (Meaning::Id, owned(&["id"])),
    ])
}

/// What is read has the form that all that follows relies on, and is no larger than what was sent; a second time it is
/// the same, and so it is beside a field that means nothing; what answers may tell has no credential and no text.
/// Of a form in UTF-8 the parameters are those of a plain second reader.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let (reading, content_type, query, body) = parts(input);
    let found = fields(&reading, content_type, &query, body);
    assert_eq!(found, fields(&reading, content_type, &query, body), "a second time");
    let more = fields(&reading, content_type, &format!("{NOTHING}=1&{query}"), body);
    match &found {
        Ok(seen) => {
            check_seen(seen, &reading, query.len() + body.len());
            // Where the request has a field of that name already, the one in front hides it.
            if let Ok(mut more) = more
                && !seen.parameters.contains_key(NOTHING)
            {
                assert_eq!(more.parameters.remove(NOTHING).as_deref(), Some("1"));
                more.asked.remove(NOTHING);
                assert_eq!(&more, seen, "beside a field that means nothing");
            }
        }
        Err(error) => check_sentence(error),
    }
    let is_plain = reading.charset.is_none() && !reading.decode_twice && content_type.is_empty();
    if is_plain && reading.body == BodyKind::Form {
        let expected = second_reader(&query, body);
        if let (Ok(seen), Some(expected)) = (&found, expected) {
            assert_eq!(seen.parameters, expected);
        }
    }
}

/// What was read from a request of this many octets.
pub fn check_seen(seen: &Seen, reading: &Reading, octets: usize) {
    match &seen.to {
        Ok(found) => {
            assert!(!found.is_empty() && found.len() <= octets, "{} of {octets} octets", found.len());
            // A plus that had become a space is no larger than that; no charset takes more than thrice its octets.
            assert!(found.iter().map(String::len).sum::<usize>() <= 3 * octets + found.len());
            for to in found {
                assert!(!to.is_empty() && to.trim() == to && !to.contains(char::is_control), "{to:?}");
                let separates = match &reading.separators {
                    Separators::Any => to.contains([',', ';']),
                    Separators::Only(characters) => to.contains(characters.as_slice()),
                };
                assert!(!separates, "{to:?}");
            }
        }
        Err(error) => check_sentence(error),
    }
    match &seen.text {
        Ok(text) => {
            assert!(!text.trim().is_empty() && text.len() <= 3 * octets);
            assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
        }
        Err(error) => check_sentence(error),
    }
    for (meaning, line) in &seen.lines {
        match line {
            Ok(Some(line)) => {
                let is_line = !line.is_empty() && line.trim() == line && !line.contains(char::is_control);
                assert!(is_line && line.len() <= 3 * octets, "{meaning:?}: {line:?}");
            }
            Ok(None) => {}
            Err(error) => check_sentence(error),
        }
    }
    if let Err(error) = &seen.credentials {
        check_sentence(error);
    }
    assert!(seen.parameters.len() <= 512);
    for (name, value) in &seen.asked {
        assert!(!is_private(&reading.names, name), "{name:?} is told");
        assert_eq!(seen.parameters.get(name), Some(value));
    }
}

/// One line that shows little of what was sent.
pub fn check_sentence(sentence: &str) {
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
    assert!(sentence.chars().count() <= SENTENCE, "{sentence:?}");
}

/// The first value of each name, by the WHATWG's URL standard, section 5.1; `None` where more than this reader can
/// tell matters: a charset that the request declares, or too many fields.
fn second_reader(query: &str, body: &[u8]) -> Option<BTreeMap<String, String>> {
    let whole = [query.as_bytes(), b"&", body].concat();
    let mut found = BTreeMap::new();
    for pair in whole.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|octet| *octet == b'=').unwrap_or(pair.len());
        let name = String::from_utf8_lossy(&decoded(&pair[..at])).to_ascii_lowercase();
        if name == "_charset_" {
            return None;
        }
        if let Ok(value) = String::from_utf8(decoded(pair.get(at + 1..).unwrap_or_default())) {
            found.entry(name).or_insert(value);
        }
    }
    Some(found)
}

fn decoded(octets: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = octets;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|two| str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|octet| octet.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(octet) => {
                found.push(octet);
                rest = &after[2..];
            }
            None => {
                found.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    found
}
