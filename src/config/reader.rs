//! The file as written: sections that are asked for their keys, and that report what nobody
//! asked for.
//!
//! Unlike a derived deserialiser, which stops at the first error, a section notes each problem and
//! goes on. What could not be read is `None`, and the problem is already noted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::overrides::Overriding;
use super::problem::{Problem, Problems, Severity, Spot, masks_of_unparsed, may_be_secret};

/// Most syntax errors that are told: behind an unclosed bracket every line is one.
const MAX_SYNTAX_ERRORS: usize = 3;

/// One file while it is read.
pub(super) struct Reader<'a> {
    file: &'a Path,
    source: &'a str,
    notes: RefCell<Vec<Note>>,
    masks: RefCell<Vec<Range<usize>>>,
    keys: RefCell<BTreeSet<String>>,
    leaves_secrets: bool,
    kept: Option<Kept<'a>>,
}

/// What holds of overrides that cannot be taken: what these have of the same file.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a>(pub(super) Option<&'a Overriding>);

struct Note {
    severity: Severity,
    span: Option<Range<usize>>,
    text: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a Path, source: &'a str) -> Self {
        let empty = RefCell::default;
        let (masks, keys) = (RefCell::default(), RefCell::default());
        Self { file, source, notes: empty(), masks, keys, leaves_secrets: false, kept: None }
    }

    /// The same, and what is secret is not looked up.
    pub(super) fn leaving_secrets(self) -> Self {
        Self { leaves_secrets: true, ..self }
    }

    /// The same, and overrides that cannot be taken are no error.
    pub(super) fn keeping_overrides(self, kept: Kept<'a>) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// What holds of overrides that cannot be taken; nothing where they are an error.
    pub(super) fn kept_overrides(&self) -> Option<Kept<'a>> {
        self.kept
    }

    /// Whether what is secret is not looked up.
    pub(super) fn leaves_secrets(&self) -> bool {
        self.leaves_secrets
    }

    /// The parsed document, or every syntax error.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Problems> {
        let (document, mut errors) = DeTable::parse_recoverable(self.source);
        if errors.is_empty() {
            self.mask_secrets(document.get_ref(), false);
            return Ok(document);
        }
        *self.masks.borrow_mut() = masks_of_unparsed(self.source);
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        let mut lines = BTreeSet::new();
        for error in errors {
            if lines.len() == MAX_SYNTAX_ERRORS {
                break;
            }
            let span = error.span().unwrap_or_default();
            // One slip often gives several errors behind it on its line.
            if lines.insert(self.source[..self.source.floor_char_boundary(span.start)].matches('\n').count())
            {
                self.error(Some(span), format!("this is not valid TOML: {}", error.message()));
            }
        }
        Err(self.problems())
    }

    /// A problem of the file's content.
    pub(super) fn error(&self, span: Option<Range<usize>>, text: String) {
        self.notes.borrow_mut().push(Note { severity: Severity::Error, span, text });
    }

    /// Something suspicious.
    pub(super) fn warning(&self, span: Option<Range<usize>>, text: String) {
        self.notes.borrow_mut().push(Note { severity: Severity::Warning, span, text });
    }

    /// Whether an error lies within `span`.
    pub(super) fn is_wrong(&self, span: &Range<usize>) -> bool {
        self.notes.borrow().iter().any(|note| {
            note.severity == Severity::Error
                && note.span.as_ref().is_some_and(|own| own.start < span.end && span.start < own.end)
        })
    }

    /// Never shows `span`.
    pub(super) fn mask(&self, span: Range<usize>) {
        self.masks.borrow_mut().push(span);
    }

    /// The file, as it was named.
    pub(super) fn file(&self) -> &Path {
        self.file
    }

    /// The place of `span`, to be kept.
    pub(super) fn spot(&self, span: &Range<usize>) -> Spot {
        Spot::new(self.source, span, &self.masks.borrow())
    }

    /// Everything noted so far, in the order of the file; what has no place comes last.
    pub(super) fn problems(&self) -> Problems {
        let (notes, masks) = (self.notes.borrow(), self.masks.borrow());
        let mut notes: Vec<&Note> = notes.iter().collect();
        notes.sort_by_key(|note| note.span.as_ref().map_or(usize::MAX, |span| span.start));
        let problem = |note: &&Note| Problem {
            severity: note.severity,
            file: self.file.to_owned(),
            place: note.span.as_ref().map(|span| Spot::new(self.source, span, &masks)),
            text: note.text.clone(),
            more: String::new(),
        };
        Problems::new(notes.iter().map(problem).collect())
    }

    /// Every key that was asked for, with its sections before it: `smtp.listener.bind`.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.keys.borrow().clone()
    }

    /// A path of the file, relative to the file's own directory.
    pub(super) fn beside(&self, written: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(written)
    }

    fn mask_secrets(&self, table: &DeTable, inside: bool) {
        for (key, value) in table {
            let names_a_place = matches!(key.get_ref().as_ref(), "file" | "env" | "credential");
            let secret = !names_a_place && (inside || may_be_secret(key.get_ref()));
            self.mask_value(value, secret);
        }
    }

    fn mask_value(&self, value: &Spanned<DeValue>, secret: bool) {
        match value.get_ref() {
            DeValue::Table(table) => self.mask_secrets(table, secret),
            DeValue::Array(items) => items.iter().for_each(|item| self.mask_value(item, secret)),
            DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
                if secret {
                    self.mask(value.span());
                }
            }
            DeValue::Boolean(_) => {}
        }
    }
}

/// A table of the file, or the place where one could be. When it goes out of scope, the keys that
/// nobody asked for are noted as errors: a check that cannot be forgotten.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    path: String,
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    asked: RefCell<Vec<&'static str>>,
    /// Whether unknown keys are told already, or none can be unknown.
    told: Cell<bool>,
}

impl<'a> Section<'a> {
    /// The top of the file.
    pub(super) fn top(reader: &'a Reader<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            reader,
            path: String::new(),
            table: Some(table),
            span: None,
            asked: RefCell::default(),
            told: Cell::default(),
        }
    }

    /// Whether it is written at all.
    pub(super) fn is_written(&self) -> bool {
        self.table.is_some()
    }

    /// Its header, or the inline table.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// The value of `key`, if it is written.
    pub(super) fn value(&self, key: &'static str) -> Option<Value<'a>> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.reader.keys.borrow_mut().insert(path.clone());
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        let item = self.table?.get(key)?;
        Some(Value { reader: self.reader, name: key, path, item })
    }

    /// Where `key` is written, or else the section.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        let item = self.table.and_then(|table| table.get(key));
        item.map(Spanned::span).or_else(|| self.span())
    }

    /// Whether `key` is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// `key` as `read` understands it; `None` when it is missing or wrong.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Option<T> {
        self.value(key).and_then(|value| read(&value))
    }

    /// `key` as `read` understands it; `default` when it is missing or wrong.
    pub(super) fn or<T>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// `key` as `read` understands it; an error when it is missing.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.error(format!("`{key}` is missing{}; write it like {key} = {example}", self.within()));
        }
        self.optional(key, read)
    }

    /// The section `key`, written or not.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        self.value(key).and_then(|value| value.section()).unwrap_or_else(|| Section {
            reader: self.reader,
            path: if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) },
            table: None,
            span: None,
            asked: RefCell::default(),
            told: Cell::default(),
        })
    }

    /// The section `[key]`, written or not, or the sections `[[key]]`; and whether it is a list of them.
    pub(super) fn one_or_more(&self, key: &'static str) -> (Vec<Section<'a>>, bool) {
        let is_list =
            self.table.and_then(|table| table.get(key)).is_some_and(|item| item.get_ref().is_array());
        match is_list {
            true => (self.sections(key), true),
            false => (vec![self.section(key)], false),
        }
    }

    /// The sections `[[key]]` in order.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.item.get_ref() else {
            value.error(format!(
                "`{}` is a list of sections; write its header as [[{}]]",
                value.path, value.path
            ));
            return Vec::new();
        };
        items.iter().filter_map(|item| Value { item, ..value.clone() }.section()).collect()
    }

    /// All keys with their values in the order of the file, for a section with free names. None is
    /// unknown then.
    pub(super) fn entries(&self) -> Vec<(String, Range<usize>, Value<'a>)> {
        let Some(table) = self.table else { return Vec::new() };
        self.told.set(true);
        let value = |item| Value { reader: self.reader, name: "", path: self.path.clone(), item };
        let mut entries: Vec<_> =
            table.iter().map(|(key, item)| (key.get_ref().to_string(), key.span(), value(item))).collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// Notes an error about the whole section.
    pub(super) fn error(&self, text: String) {
        self.reader.error(self.span(), text);
    }

    /// ` in [section]`, or nothing at the top.
    pub(super) fn within(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in [{}]", self.path) }
    }

    /// The spans of all that is written in it, keys and values.
    pub(super) fn written_spans(&self) -> Vec<Range<usize>> {
        let entries = self.table.into_iter().flatten();
        entries.map(|(key, value)| key.span().start..value.span().end.max(key.span().end)).collect()
    }

    /// Notes the keys that nobody asked for, once all known ones were.
    pub(super) fn tell_unknown(&self) {
        if self.told.replace(true) {
            return;
        }
        let asked = self.asked.borrow();
        for (key, value) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if asked.contains(&name) {
                continue;
            }
            let hint = match nearest(name, &asked) {
                Some(near) => {
                    if may_be_secret(near) {
                        self.reader.mask(value.span());
                    }
                    format!("did you mean `{near}`?")
                }
                None => format!("known here: {}", asked.join(", ")),
            };
            let name = name.escape_debug();
            self.reader.error(Some(key.span()), format!("unknown key `{name}`{}; {hint}", self.within()));
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        self.tell_unknown();
    }
}
/// One value of the file.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// Its key; empty where the names are free.
    pub(super) name: &'static str,
    path: String,
    pub(super) item: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(super) fn span(&self) -> Range<usize> {
        self.item.span()
    }

    /// Its place, to be kept.
    pub(super) fn spot(&self) -> Spot {
        self.reader.spot(&self.span())
    }

    /// Notes an error about it.
    pub(super) fn error(&self, text: String) {
        self.reader.error(Some(self.span()), text);
    }

    /// Notes an error about it and has no value.
    pub(super) fn fail<T>(&self, text: String) -> Option<T> {
        self.error(text);
        None
    }

    /// The same about a part of a text, in octets of the text. The whole value is marked where
    /// the text is not written literally, since escapes shift its octets.
    pub(super) fn fail_within<T>(&self, part: Option<Range<usize>>, text: String) -> Option<T> {
        let span = self.span();
        let written = self.reader.source.get(span.clone()).unwrap_or_default();
        let literal = self.item.get_ref().as_str().and_then(|text| written.find(text));
        let narrowed = part.zip(literal).map(|(part, at)| {
            let base = span.start + at;
            base + part.start..base + part.end
        });
        self.reader.error(Some(narrowed.unwrap_or(span)), text);
        None
    }

    /// Says that it should have been `wanted`.
    pub(super) fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.item.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let name = if self.name.is_empty() { "this".to_owned() } else { format!("`{}`", self.name) };
        self.fail(format!("{name} must be {wanted}, not {found}"))
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Value<'a>>> {
        match self.item.get_ref() {
            DeValue::Array(items) => Some(items.iter().map(|item| Value { item, ..self.clone() }).collect()),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => None,
        }
    }

    /// It as a section.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let DeValue::Table(table) = self.item.get_ref() else {
            return self.wrong_type("a section");
        };
        Some(Section {
            reader: self.reader,
            path: self.path.clone(),
            table: Some(table),
            span: Some(self.span()),
            asked: RefCell::default(),
            told: Cell::default(),
        })
    }
}

/// The known word that `name` was probably meant to be: at most a third of it is different.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let most = (name.chars().count() / 3).max(1);
    known
        .iter()
        .map(|word| (distance(&name.to_lowercase(), word), *word))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, word)| word)
}

/// How many letters have to be put in, taken out or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = ["sender", "subject", "networks", "password"];
        assert_eq!(nearest("sendr", &known), Some("sender"));
        assert_eq!(nearest("network", &known), Some("networks"));
        assert_eq!(nearest("Pasword", &known), Some("password"));
        assert_eq!(nearest("lifetime", &known), None);
        assert_eq!(nearest("x", &known), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
