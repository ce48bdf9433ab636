//! Real mails of public projects, read and compared with what those projects, or several
//! independent parsers, say of them. The mails stand beside the package (or where `REAL_MAILS`
//! points) and are not part of it; without them the test says so and passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What we read differently, on purpose or for want of a later piece of work: file, field, why.
/// An entry that starts to match fails the test, so that this list stays true.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("cpython__msg_41.eml", "text", "a multipart without a boundary: its words are sent rather than refused"),
    ("imaptools__double_fields.eml", "text", "the only part is HTML: expected is plain text, we read both"),
    ("mime4j__missing-boundary.eml", "text", "a multipart without its boundary: its words are sent"),
    ("mime4j__mt_double-bound.eml", "text", "the parts are HTML: expected is plain text, we read both"),
    ("mime4j__mt_multi-badnames.eml", "text", "the first text part is empty: we take the next"),
    (
        "mimekit__issue1130.eml",
        "text",
        "delsp=yes is taken at its word (RFC 3676 section 4.1), the sender errs",
    ),
    ("mime4j__mt_uu-zeegee.eml", "text", "uuencoded files are cut out of the text and named"),
    ("rspamd__freemailcc.eml", "text", "a multipart without its boundary: its words are sent"),
    ("stalwart__legacy_049.eml", "text", "uuencoded files are cut out of the text and named"),
    ("stalwart__malformed_004.eml", "text", "a multipart without its boundary: sent raw rather than refused"),
];

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `found` is what is expected, or one of the other readings that are accepted.
fn agrees(expect: &Value, field: &str, found: &str) -> bool {
    let accepted = expect[format!("{field}_accept")].as_array().into_iter().flatten();
    let found = folded(found);
    let whole = accepted.chain([&expect[field]]).filter_map(Value::as_str).any(|text| folded(text) == found);
    let part = expect[format!("{field}_contains")].as_str();
    whole || part.is_some_and(|text| found.contains(&folded(text)))
}

#[test]
fn real_mails_are_read_as_their_projects_say() {
    let folder = std::env::var_os("REAL_MAILS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/mails"), PathBuf::from);
    let Ok(list) = std::fs::read_to_string(folder.join("expected.jsonl")) else {
        println!("SKIPPED: no mails at {}; this test checked nothing", folder.display());
        return;
    };
    let exceptions: BTreeMap<(&str, &str), &str> =
        EXCEPTIONS.iter().map(|(file, field, why)| ((*file, *field), *why)).collect();
    assert_eq!(exceptions.len(), EXCEPTIONS.len(), "an exception is listed twice");
    let mut strict = BTreeMap::from([("subject", (0, 0)), ("text", (0, 0)), ("html", (0, 0))]);
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for line in list.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        let mail = sms_relay::mail::read(&std::fs::read(folder.join(file)).unwrap());
        let name = file.trim_start_matches("files/");
        let expect = &entry["expect"];
        let words: Vec<&str> =
            expect["html_words"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let subject = mail.subject.as_deref().unwrap_or_default();
        let checks = [
            ("subject", entry["grade"]["subject"] == "strict", agrees(expect, "subject", subject), subject),
            ("text", entry["grade"]["text"] == "strict", agrees(expect, "text", &mail.text), &mail.text),
            ("html", !words.is_empty(), words.iter().all(|word| mail.text.contains(word)), &mail.text),
        ];
        for (field, applies, matches, found) in checks {
            if !applies {
                continue;
            }
            let counted = strict.get_mut(field).unwrap();
            counted.1 += 1;
            counted.0 += usize::from(matches);
            match (matches, exceptions.get(&(name, field))) {
                (true, None) => {}
                (false, Some(_)) => seen.push((name.to_owned(), field)),
                (true, Some(why)) => {
                    wrong.push(format!("{name}: the {field} matches now; remove its exception ({why})"));
                }
                (false, None) => wrong.push(format!(
                    "{name}: {field}\n  expected {}\n  found    {found:?}",
                    if field == "html" { &expect["html_words"] } else { &expect[field] }
                )),
            }
        }
    }
    for (field, (matched, all)) in &strict {
        println!("{field}: {matched} of {all} as expected");
    }
    for (file, field) in exceptions.keys() {
        if !seen.iter().any(|(f, d)| f == file && d == field) && !wrong.iter().any(|w| w.starts_with(file)) {
            wrong.push(format!("{file}: the exception for its {field} is about nothing"));
        }
    }
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong.join("\n"));
}
