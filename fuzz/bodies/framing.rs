//! Heads of HTTP requests on one connection: where each ends, and whether its length can be trusted.

use sms_relay::http::fuzzing::heads;

use super::pieces::cuts;

/// Octets of a line that the scanner keeps.
const KEPT: usize = 64;

/// The verdicts are the same however the octets are cut, and those of a plain second reader; a beginning has a
/// beginning of them; nothing is told behind one that refuses. A sentence is one line and shows nothing of the head.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let (whole, is_between) = heads([input]);
    for pieces in cuts(input) {
        assert_eq!(heads(pieces), (whole.clone(), is_between));
    }
    let (beginning, _) = heads([&input[..input.len() / 2]]);
    assert!(whole.starts_with(&beginning), "{beginning:?} is no beginning of {whole:?}");
    let verdicts: Vec<bool> = whole.iter().map(Result::is_ok).collect();
    assert_eq!((verdicts, is_between), second_reader(input));
    for error in whole.iter().filter_map(|verdict| verdict.as_ref().err()) {
        assert!(!error.contains(char::is_control) && error.len() < 100, "{error:?}");
    }
    let refused = whole.iter().position(Result::is_err);
    assert!(refused.is_none_or(|at| at + 1 == whole.len()), "{whole:?}");
}

/// Whether each head is good, and whether all has been read to its end.
fn second_reader(input: &[u8]) -> (Vec<bool>, bool) {
    let mut verdicts = Vec::new();
    let mut rest = input;
    loop {
        // Empty lines before a request line count for nothing.
        while let Some(after) = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")) {
            rest = after;
        }
        let Some((lines, after)) = head(rest) else { return (verdicts, rest.is_empty()) };
        let has_fragment = lines.first().is_some_and(|line| line.contains(&b'#'));
        let mut is_good = !has_fragment && lines.iter().all(|line| line.ends_with(b"\r\n"));
        let (mut lengths, mut codings) = (Vec::new(), 0);
        for line in &lines[1..] {
            let content = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
            let kept = &content[..content.len().min(KEPT)];
            let Some(colon) = kept.iter().position(|octet| *octet == b':') else { continue };
            let (name, value) = (kept[..colon].to_ascii_lowercase(), kept[colon + 1..].trim_ascii());
            let is_whole = kept.len() == content.len();
            if name == b"content-length" {
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let number: Option<u64> = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                lengths.push(number.filter(|_| digits && is_whole));
            } else if name == b"transfer-encoding" {
                codings += 1;
                is_good &= is_whole && value.eq_ignore_ascii_case(b"chunked");
            }
        }
        is_good &= lengths.len() + codings <= 1 && lengths.iter().all(Option::is_some);
        verdicts.push(is_good);
        if !is_good || codings > 0 {
            return (verdicts, false);
        }
        let length = usize::try_from(lengths.into_iter().flatten().next().unwrap_or(0)).unwrap_or(usize::MAX);
        match after.get(length..) {
            Some(behind) => rest = behind,
            None => return (verdicts, false),
        }
    }
}

/// The lines of the first head with their ends, and what follows the empty one; `None` where there is none yet.
fn head(input: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut lines = Vec::new();
    let mut rest = input;
    loop {
        let end = rest.iter().position(|octet| *octet == b'\n')? + 1;
        let (line, after) = rest.split_at(end);
        lines.push(line);
        rest = after;
        if matches!(line, b"\r\n" | b"\n") {
            return Some((lines, rest));
        }
    }
}
