//! How words are made: the keys that `[defaults]` and a `[[rule]]` have in common.

use std::collections::BTreeMap;

use super::reader::{Reader, Section, Value};
use super::values;
use crate::pattern::Pattern;
use crate::text::{Keep, Split, Transliteration};
use crate::wording::{Distilling, Template, Wording};

/// Most parts of one SMS (3GPP TS 23.040 clause 9.2.3.24.1: one octet counts them).
const MAX_PARTS: u64 = 255;
/// Most characters of the name of a placeholder.
const MAX_NAME: usize = 64;
/// Most characters of the value of a placeholder.
const MAX_VALUE: usize = 255;
/// Most characters of the mark that ends a text.
const MAX_MARK: usize = 32;
/// The keys read here.
pub(super) const KEYS: [&str; 7] =
    ["text", "max_parts", "keep", "split", "transliteration", "placeholders", "distill"];

/// What a section says about it; what it leaves open is `None`.
#[derive(Debug, Default)]
pub(super) struct Written {
    template: Option<Template>,
    max_parts: Option<u32>,
    keep: Option<Keep>,
    split: Option<Split>,
    transliteration: Option<Transliteration>,
    placeholders: Option<BTreeMap<String, String>>,
    distilling: WrittenDistilling,
}

/// What `distill` says.
#[derive(Debug, Default)]
struct WrittenDistilling {
    link_targets: Option<bool>,
    addressed_lines: Option<bool>,
    /// `Some(None)` turns the mark of the defaults off.
    end_mark: Option<Option<String>>,
    quotes: Option<bool>,
    signature: Option<bool>,
    disclaimers: Option<Vec<Pattern>>,
    tracking_links: Option<bool>,
    blank_space: Option<bool>,
}

/// What holds where nothing is written.
pub(super) fn usual() -> Wording {
    Wording::in_parts(3)
}

/// What `section` makes of `base`; `None` where it says nothing about it.
pub(super) fn read(reader: &Reader, section: &Section, base: &Wording) -> Option<Wording> {
    let written = Written::read(section);
    if !KEYS.iter().any(|key| section.has(key)) {
        return None;
    }
    let wording = written.over(base);
    let fitting = &wording.fitting;
    // Once, where it is written, and not again in each rule that changes neither.
    let here = ["split", "max_parts"].into_iter().find(|key| section.has(key));
    if let Some(key) = here.filter(|_| fitting.split == Split::Messages && fitting.max_parts == 1) {
        let text =
            "`split = \"messages\"` does nothing where `max_parts` is 1; raise it, or leave `split` out";
        reader.warning(section.place(key), text.to_owned());
    }
    Some(wording)
}

impl Written {
    fn read(section: &Section) -> Self {
        let keep = values::word(&[("start", Keep::Start), ("end", Keep::End)]);
        let split = values::word(&[("parts", Split::Parts), ("messages", Split::Messages)]);
        let transliteration = values::word(&[
            ("off", Transliteration::Off),
            ("auto", Transliteration::Auto),
            ("always", Transliteration::Always),
        ]);
        Self {
            template: section.optional("text", values::template),
            max_parts: section.optional("max_parts", parts),
            keep: section.optional("keep", keep),
            split: section.optional("split", split),
            transliteration: section.optional("transliteration", transliteration),
            placeholders: section.optional("placeholders", placeholders),
            distilling: WrittenDistilling::read(&section.section("distill")),
        }
    }

    /// `base` with what is written in its place.
    fn over(self, base: &Wording) -> Wording {
        let Self { template, max_parts, keep, split, transliteration, placeholders, distilling } = self;
        let mut wording = base.clone();
        let fitting = &mut wording.fitting;
        put(&mut fitting.max_parts, max_parts);
        put(&mut fitting.keep, keep);
        put(&mut fitting.split, split);
        put(&mut fitting.transliteration, transliteration);
        put(&mut fitting.placeholders, placeholders);
        put(&mut wording.template, template);
        distilling.put_over(&mut wording.distilling);
        wording
    }
}

impl WrittenDistilling {
    fn read(section: &Section) -> Self {
        Self {
            link_targets: section.optional("link_targets", values::flag),
            addressed_lines: section.optional("addressed_lines", values::flag),
            end_mark: section.optional("end_mark", end_mark),
            quotes: section.optional("quotes", values::flag),
            signature: section.optional("signature", values::flag),
            disclaimers: section.optional("disclaimers", values::list(disclaimer)),
            tracking_links: section.optional("tracking_links", values::flag),
            blank_space: section.optional("blank_space", values::flag),
        }
    }

    fn put_over(self, base: &mut Distilling) {
        let Self {
            link_targets,
            addressed_lines,
            end_mark,
            quotes,
            signature,
            disclaimers,
            tracking_links,
            blank_space,
        } = self;
        put(&mut base.link_targets, link_targets);
        put(&mut base.addressed_lines, addressed_lines);
        put(&mut base.end_mark, end_mark);
        put(&mut base.quotes, quotes);
        put(&mut base.signature, signature);
        put(&mut base.disclaimers, disclaimers);
        put(&mut base.tracking_links, tracking_links);
        put(&mut base.blank_space, blank_space);
    }
}

fn put<T>(place: &mut T, written: Option<T>) {
    if let Some(written) = written {
        *place = written;
    }
}

fn parts(value: &Value) -> Option<u32> {
    values::count(1..=MAX_PARTS)(value).and_then(|parts| u32::try_from(parts).ok())
}

/// A table of texts; nothing when one of them is wrong.
fn placeholders(value: &Value) -> Option<BTreeMap<String, String>> {
    let read: Vec<Option<(String, String)>> =
        value.section()?.entries().into_iter().map(|(name, span, value)| {
            let good = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(good) {
                let shown = name.escape_debug();
                let text = format!(
                    "`{shown}` cannot be the name of a placeholder; use up to {MAX_NAME} letters, digits, underscores \
                     and dashes"
                );
                value.reader.error(Some(span), text);
                return None;
            }
            let written = value.item.get_ref().as_str().or_else(|| value.wrong_type("a text in quotes"))?;
            let length = written.chars().count();
            if length > MAX_VALUE {
                return value.fail(format!(
                    "the value of `{name}` has {length} characters; the platform takes {MAX_VALUE}"
                ));
            }
            Some((name, written.to_owned()))
        }).collect();
    read.into_iter().collect()
}

/// A text, or `false` for none.
fn end_mark(value: &Value) -> Option<Option<String>> {
    if value.item.get_ref().as_bool() == Some(false) {
        return Some(None);
    }
    let Some(written) = value.item.get_ref().as_str() else {
        return value.wrong_type("a text in quotes, or false for no mark");
    };
    let good = (1..=MAX_MARK).contains(&written.chars().count())
        && !written.trim().is_empty()
        && !written.chars().any(char::is_control);
    if good {
        return Some(Some(written.to_owned()));
    }
    let shown = written.escape_debug();
    value.fail(format!(
        "`{shown}` cannot end a text; write 1 to {MAX_MARK} characters on one line, like \"$$\", or false for no mark"
    ))
}

/// A pattern that always finds something: what finds nothing between two letters removes nothing, and its
/// author meant something else.
fn disclaimer(value: &Value) -> Option<Pattern> {
    let pattern = values::pattern(value)?;
    let least = regex_syntax::parse(pattern.source()).ok().and_then(|tree| tree.properties().minimum_len());
    if least == Some(0) {
        return value.fail(format!(
            "`{}` also finds the empty text, so it is unclear what it is to remove; write what is always there, like \
             \"^This message is confidential.*\"",
            pattern.source().escape_debug()
        ));
    }
    Some(pattern)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ALL: &str = r#"
        text = "both"
        max_parts = 4
        keep = "end"
        split = "messages"
        transliteration = "always"
        placeholders = { plant = "Bologna", empty = "" }
        distill.link_targets = true
        distill.addressed_lines = true
        distill.end_mark = "$$"
        distill.quotes = false
        distill.signature = false
        distill.disclaimers = ["^confidential", "legal"]
        distill.tracking_links = false
        distill.blank_space = false
    "#;

    /// What a section with `written` makes of `base`, and every problem.
    fn over(base: &Wording, written: &str) -> (Option<Wording>, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let section = Section::top(&reader, document.get_ref());
        let read = read(&reader, &section, base);
        drop(section);
        (read, reader.problems().to_string())
    }

    fn shown(wording: &Wording) -> String {
        format!("{wording:?}")
    }

    #[test]
    fn each_key_reaches_its_setting() {
        let (wording, problems) = over(&usual(), ALL);
        assert_eq!(problems, "");
        let Wording { distilling, template, fitting } = wording.unwrap();
        assert!(matches!(template, Template::Both));
        let placeholders = [("empty", ""), ("plant", "Bologna")];
        assert_eq!(
            fitting,
            crate::text::Fitting {
                max_parts: 4,
                transliteration: Transliteration::Always,
                keep: Keep::End,
                split: Split::Messages,
                placeholders: placeholders.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            }
        );
        assert!(distilling.link_targets && distilling.addressed_lines);
        assert_eq!(distilling.end_mark.as_deref(), Some("$$"));
        assert!(!distilling.quotes && !distilling.signature);
        assert!(!distilling.tracking_links && !distilling.blank_space);
        let disclaimers: Vec<&str> = distilling.disclaimers.iter().map(Pattern::source).collect();
        assert_eq!(disclaimers, ["^confidential", "legal"]);
    }

    #[test]
    fn a_rule_changes_the_keys_that_it_writes_and_no_other() {
        type Change = fn(&mut Wording);

        let base = over(&usual(), ALL).0.unwrap();
        assert!(over(&base, "").0.is_none());
        assert_eq!(shown(&over(&usual(), "max_parts = 3").0.unwrap()), shown(&usual()));

        // Each line alone: the rest stays as the base has it.
        let alone: [(&str, Change); 14] = [
            ("text = \"subject\"", |w| w.template = Template::Subject),
            ("max_parts = 255", |w| w.fitting.max_parts = 255),
            ("keep = \"start\"", |w| w.fitting.keep = Keep::Start),
            ("split = \"parts\"", |w| w.fitting.split = Split::Parts),
            ("transliteration = \"off\"", |w| w.fitting.transliteration = Transliteration::Off),
            ("placeholders = {}", |w| w.fitting.placeholders.clear()),
            ("distill.link_targets = false", |w| w.distilling.link_targets = false),
            ("distill.addressed_lines = false", |w| w.distilling.addressed_lines = false),
            ("distill.end_mark = false", |w| w.distilling.end_mark = None),
            ("distill.quotes = true", |w| w.distilling.quotes = true),
            ("distill.signature = true", |w| w.distilling.signature = true),
            ("distill.disclaimers = []", |w| w.distilling.disclaimers.clear()),
            ("distill.tracking_links = true", |w| w.distilling.tracking_links = true),
            ("distill.blank_space = true", |w| w.distilling.blank_space = true),
        ];
        for (line, change) in alone {
            let mut expected = base.clone();
            change(&mut expected);
            assert_ne!(shown(&expected), shown(&base), "{line}");
            let (read, problems) = over(&base, line);
            assert_eq!((shown(&read.unwrap()), problems.as_str()), (shown(&expected), ""), "{line}");
        }
    }

    #[test]
    fn lengths_are_bounded_at_n_and_not_n_plus_one() {
        for (key, most) in [
            ("placeholders = { LONG = \"\" }", 64),
            ("placeholders = { a = \"LONG\" }", 255),
            ("distill.end_mark = \"LONG\"", 32),
        ] {
            let written = |length: usize, letter: &str| key.replace("LONG", &letter.repeat(length));
            assert_eq!(over(&usual(), &written(most, "a")).1, "", "{key}");
            assert_ne!(over(&usual(), &written(most + 1, "a")).1, "", "{key}");
        }
        // Characters, not octets.
        assert_eq!(over(&usual(), &format!("placeholders.a = \"{}\"", "è".repeat(255))).1, "");
        assert_eq!(over(&usual(), &format!("distill.end_mark = \"{}\"", "è".repeat(32))).1, "");
    }

    #[test]
    fn a_disclaimer_that_may_find_nothing_is_refused() {
        for wrong in ["x?", ".*", "^$", "a|", "\\\\b", "(confidential)*"] {
            let (_, problems) = over(&usual(), &format!("distill.disclaimers = [\"{wrong}\"]"));
            assert!(problems.contains("also finds the empty text"), "{wrong}: {problems}");
        }
        for good in ["a+", "^confidential.*", "(?s)--+ .*$"] {
            assert_eq!(over(&usual(), &format!("distill.disclaimers = [\"{good}\"]")).1, "", "{good}");
        }
    }

    #[test]
    fn messages_that_can_never_be_several_are_warned_of_where_they_are_written() {
        let warning = "`split = \"messages\"` does nothing";
        let (defaults, problems) = over(&usual(), "split = \"messages\"\nmax_parts = 1");
        assert!(problems.starts_with("FILE:1:9: warning") && problems.contains(warning), "{problems}");
        let defaults = defaults.unwrap();
        assert_eq!(over(&defaults, "keep = \"end\"").1, "", "a rule that changes neither");
        let several = over(&usual(), "split = \"messages\"").0.unwrap();
        assert!(over(&several, "max_parts = 1").1.contains(warning));
        assert_eq!(over(&several, "max_parts = 2").1, "");
    }
}
