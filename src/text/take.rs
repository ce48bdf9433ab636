//! How much of a text one SMS can take, from its beginning or from its end.
//!
//! A cut never leaves half a grapheme cluster (unless one cluster alone is longer than the whole SMS, or
//! than 1,000 octets: whoever writes that wants to be slow to read),
//! never half a pair, prefers the border of a word, and has an ellipsis of the encoding that it keeps.

use unicode_segmentation::UnicodeSegmentation;

use super::clusters::clusters;
use super::gsm;
use super::measure::{Packer, measure};
use super::transliterate::{self, Reach};
use crate::model::{Encoding, SmsText};

/// A cut moves at most this many grapheme clusters to the border of a word; longer words are cut
/// inside, rather than waste much of a part.
const STRETCH: usize = 30;
/// How the words are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// As they are, as far as they are GSM.
    Gsm,
    /// As they are.
    Ucs2,
    /// In GSM characters, as far as the reach goes.
    Rewritten(Reach),
}

impl Script {
    fn encoding(self) -> Encoding {
        match self {
            Self::Gsm | Self::Rewritten(_) => Encoding::Gsm7,
            Self::Ucs2 => Encoding::Ucs2,
        }
    }

    /// Appends a piece of `text`; false where this script does not have a character, with what stands
    /// in front of it appended.
    fn write(self, text: &str, start: usize, piece: &str, out: &mut String) -> bool {
        match self {
            Self::Gsm => {
                let known = piece.find(|c| gsm::encode(c).is_none());
                out.push_str(&piece[..known.unwrap_or(piece.len())]);
                known.is_none()
            }
            Self::Ucs2 => {
                out.push_str(piece);
                true
            }
            Self::Rewritten(reach) => transliterate::write(text, start..start + piece.len(), reach, out),
        }
    }
}

/// What stands around the words, and how much room there is for all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Stands in front of everything; GSM.
    pub(super) marker: &'a str,
    /// Whether an ellipsis stands in front of the words.
    pub(super) leading: bool,
    /// Whether an ellipsis stands behind the words when not all of them fit.
    pub(super) trailing: bool,
    /// At least 1.
    pub(super) max_parts: u32,
}

/// What an SMS took of a text.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// All that is sent, with the frame.
    pub(super) body: String,
    /// How many octets of the text.
    pub(super) source: usize,
    /// Whether that is all of it.
    pub(super) whole: bool,
    /// Whether it ended at a character that the script does not have.
    pub(super) stopped: bool,
    /// What the body takes.
    pub(super) parts: u32,
}

impl Taken {
    /// Whether more of the text survived, or as much in fewer parts.
    pub(super) fn is_better_than(&self, other: &Self) -> bool {
        (self.source, other.parts) > (other.source, self.parts)
    }
}

/// The words with encoding and parts as they are.
pub(super) fn measured(body: String) -> SmsText {
    let size = measure(&body);
    SmsText { body, encoding: size.encoding, parts: size.parts }
}

/// Most units of an ellipsis.
const ELLIPSIS: usize = 3;

/// Three full stops where the alphabet has no ellipsis.
pub(super) fn ellipsis(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gsm7 => "...",
        Encoding::Ucs2 => "…",
    }
}

/// A place in the text, and the place in the SMS that belongs to it.
#[derive(Clone, Copy)]
struct Place {
    source: usize,
    body: usize,
}

/// As much of the beginning of `text` as has room. Reads hardly further than that. `text` is clean.
pub(super) fn from_start(text: &str, script: Script, frame: Frame<'_>) -> Taken {
    let encoding = script.encoding();
    let mut body = String::from(frame.marker);
    if frame.leading {
        body.push_str(ellipsis(encoding));
    }
    let mut packer = Packer::new(encoding);
    packer.push_str(&body);
    let words_start = body.len();
    // With the ellipsis that stands behind words that are cut.
    let has_room = |packer: &Packer| {
        if packer.is_surely_within(frame.max_parts, ELLIPSIS) {
            return true;
        }
        let mut all = *packer;
        if frame.trailing {
            all.push_str(ellipsis(encoding));
        }
        all.parts() <= frame.max_parts
    };

    // The ends of the last visible cluster, of the last one that leaves room for the ellipsis, and of
    // the last whole word with the clusters seen since.
    let mut seen = words_start;
    let mut end = Place { source: 0, body: words_start };
    let mut word = None;
    let mut since_word = 0;
    let mut room = true;
    let mut stopped = false;
    let mut whole = true;
    for (start, cluster) in clusters(text) {
        let from = body.len();
        if !script.write(text, start, cluster, &mut body) {
            (stopped, whole) = (true, false);
            break;
        }
        if body.len() == from {
            continue;
        }
        let blank = body[from..].chars().all(char::is_whitespace);
        if blank && from == words_start {
            body.truncate(from);
            continue;
        }
        if blank && room && end.source > 0 {
            word = Some(end);
            since_word = 0;
        }
        packer.push_str(&body[from..]);
        if !packer.is_surely_within(frame.max_parts, 0) && packer.parts() > frame.max_parts {
            whole = false;
            break;
        }
        room = room && has_room(&packer);
        if room {
            since_word += 1;
        }
        if !blank {
            seen = body.len();
            if room {
                end = Place { source: start + cluster.len(), body: seen };
            }
        }
    }
    if whole {
        body.truncate(seen);
        let parts = measure(&body).parts;
        return Taken { body, source: text.len(), whole, stopped, parts };
    }
    let cut = match word {
        Some(word) if since_word <= STRETCH => word,
        Some(_) | None if end.source > 0 => end,
        Some(_) | None => {
            body.truncate(words_start);
            inside_a_cluster(text, script, &mut body, has_room)
        }
    };
    body.truncate(cut.body);
    if frame.trailing {
        body.push_str(ellipsis(encoding));
    }
    let parts = measure(&body).parts;
    Taken { body, source: cut.source, whole, stopped, parts }
}

/// For a first cluster that is longer than all parts together, such as a letter under a hundred
/// accents: as many of its characters as fit behind `body`.
fn inside_a_cluster(
    text: &str,
    script: Script,
    body: &mut String,
    has_room: impl Fn(&Packer) -> bool,
) -> Place {
    let mut packer = Packer::new(script.encoding());
    packer.push_str(body);
    let mut end = Place { source: 0, body: body.len() };
    for (start, character) in text.char_indices() {
        let next = start + character.len_utf8();
        let written = script.write(text, start, &text[start..next], body);
        packer.push_str(&body[end.body..]);
        if !written || !has_room(&packer) {
            break;
        }
        end = Place { source: next, body: body.len() };
    }
    end
}

/// As much of the end of `text` as fits into so many parts, behind an ellipsis. `text` is clean.
pub(super) fn from_end(text: &str, script: Script, max_parts: u32) -> Taken {
    let plain = Frame { marker: "", leading: false, trailing: false, max_parts };
    let all = from_start(text, script, plain);
    if all.whole {
        return all;
    }
    let behind_ellipsis = Frame { leading: true, ..plain };
    let tail = |start: usize| from_start(&text[start..], script, behind_ellipsis);
    let (start, stopped) = earliest_start(text, script, max_parts, |start| tail(start).whole);
    let mut taken = tail(start);
    if start == text.len() {
        // Not even the last cluster: nothing is taken.
        taken.body.clear();
    }
    Taken { source: text.len() - start, whole: false, stopped: stopped || all.stopped, ..taken }
}

/// Where the end of a text begins that is as long as `fits` allows, and whether it was `script` that
/// allowed no more. At a word's beginning when one is near, and always at a cluster's, unless one
/// alone is too long. `fits` says of a start whether the text from there fits; it does so of all
/// starts behind one that fits, and of none that leaves more than `max_parts` parts of visible
/// clusters.
pub(super) fn earliest_start(
    text: &str,
    script: Script,
    max_parts: u32,
    fits: impl Fn(usize) -> bool,
) -> (usize, bool) {
    let most = usize::try_from(max_parts).unwrap_or(usize::MAX).saturating_mul(160);
    let mut scratch = String::new();
    let mut stopped = false;
    // From the end.
    let mut starts = Vec::new();
    for (start, cluster) in text.grapheme_indices(true).rev() {
        scratch.clear();
        if !script.write(text, start, cluster, &mut scratch) {
            stopped = true;
            break;
        }
        if !scratch.chars().all(char::is_whitespace) {
            starts.push(start);
        }
        if starts.len() > most {
            break;
        }
    }
    let fitting = starts.partition_point(|&start| fits(start));
    let Some(last) = fitting.checked_sub(1) else {
        return (inside_the_last_cluster(text, script, fits), stopped);
    };
    let begins_word = |start: usize| text[..start].ends_with(char::is_whitespace);
    let near = starts[..=last].iter().rev().take(STRETCH).copied().find(|&start| begins_word(start));
    (near.unwrap_or(starts[last]), stopped)
}

/// For a last cluster that is longer than all parts together: as many of its characters as fit.
fn inside_the_last_cluster(text: &str, script: Script, fits: impl Fn(usize) -> bool) -> usize {
    let mut scratch = String::new();
    let mut is_written = |&(start, character): &(usize, char)| {
        scratch.clear();
        script.write(text, start, &text[start..start + character.len_utf8()], &mut scratch)
    };
    let written = text.char_indices().rev().take_while(|one| is_written(one));
    let starts: Vec<usize> = written.map(|(start, _)| start).collect();
    // Not one after the other: each look costs what fits.
    let fitting = starts.partition_point(|&start| fits(start));
    fitting.checked_sub(1).map_or(text.len(), |last| starts[last])
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn clusters_are_those_of_unicode_up_to_their_bound_and_then_pieces() {
        let text = "a\n👨\u{200D}👩🇮🇹🇫🇷🇩 e\u{301}न्न\u{600}x é";
        assert!(clusters(text).eq(text.grapheme_indices(true)));
        assert_eq!(clusters("").next(), None);
        let longest = |text: &str| clusters(text).map(|(_, cluster)| cluster.len()).max();
        assert_eq!(longest(&format!("xy{}z", "\u{301}".repeat(499))), Some(999));
        assert_eq!(longest(&"न्".repeat(10_000)), Some(999), "whole characters");
    }

    #[test]
    fn the_end_of_an_endless_cluster_is_found_by_few_looks() {
        let text = "न्".repeat(20_000);
        let looks = Cell::new(0);
        let fits = |start: usize| {
            looks.set(looks.get() + 1);
            text.len() - start <= 12_345
        };
        assert_eq!(text.len() - inside_the_last_cluster(&text, Script::Ucs2, fits), 12_345);
        assert!(looks.get() <= 20, "{}", looks.get());
    }
}
