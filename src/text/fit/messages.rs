//! One text as several SMS of one part each, `1/3 ` in front of each.
//!
//! The pieces are cut at words; put together they are the text again but for the white space at the
//! cuts. Each is as long as it can be, and its own encoding decides how long that is.

use super::{Fitting, Frame, Keep, Script, Taken, Transliteration, as_it_is, from_start, measured};
use crate::model::SmsText;
use crate::text::take::earliest_start;
use crate::text::transliterate::Reach;

/// The pieces of a text, without markers.
struct Pieces {
    words: Vec<String>,
    /// How many octets of the text they hold.
    source: usize,
}

impl Pieces {
    fn is_better_than(&self, other: &Self) -> bool {
        (self.source, other.words.len()) > (other.source, self.words.len())
    }
}

/// At most `max` messages, 2 to 255. For texts that do not fit into one.
pub(super) fn split(text: &str, fitting: &Fitting, max: u32) -> Vec<SmsText> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let pieces = |transliteration| Splitter { text, transliteration, max }.split(fitting.keep);
    let plain = pieces(Transliteration::Off);
    let pieces = match fitting.transliteration {
        Transliteration::Off => plain,
        Transliteration::Auto => {
            let latin = pieces(Transliteration::Auto);
            if latin.is_better_than(&plain) { latin } else { plain }
        }
        Transliteration::Always => {
            let all = pieces(Transliteration::Always);
            if plain.is_better_than(&all) { plain } else { all }
        }
    };
    let count = pieces.words.len();
    let mark = |(at, words): (usize, String)| match count {
        1 => measured(words),
        _ => measured(format!("{}{words}", marker(at + 1, count))),
    };
    pieces.words.into_iter().enumerate().map(mark).collect()
}

fn marker(number: usize, of: usize) -> String {
    format!("{number}/{of} ")
}

/// The greatest number with as many digits as this one: its marker is as long.
fn widest(number: usize) -> usize {
    [9, 99].into_iter().find(|&widest| number <= widest).unwrap_or(999)
}

#[derive(Clone, Copy)]
struct Splitter<'a> {
    text: &'a str,
    transliteration: Transliteration,
    max: usize,
}

impl Splitter<'_> {
    fn split(self, keep: Keep) -> Pieces {
        // A longer marker may need one message more, whose number may be longer.
        let mut of = 9;
        while of < self.max {
            let pieces = self.run(0, of, keep);
            if pieces.words.len() <= of && pieces.source == self.text.len() {
                return pieces;
            }
            of = widest(of + 1);
        }
        let pieces = self.run(0, of, keep);
        if keep == Keep::Start || pieces.source == self.text.len() {
            return pieces;
        }
        self.of_the_end(of)
    }

    fn of_the_end(self, of: usize) -> Pieces {
        let script = match self.transliteration {
            Transliteration::Off | Transliteration::Auto => Script::Ucs2,
            Transliteration::Always => Script::Rewritten(Reach::All),
        };
        let run = |start: usize| self.run(start, of, Keep::End);
        let parts = u32::try_from(self.max).unwrap_or(u32::MAX);
        let (start, _) =
            earliest_start(self.text, script, parts, |start| run(start).source == self.text.len() - start);
        run(start)
    }

    /// The text from `start` in at most `max` messages, with markers as wide as those of `of` messages.
    /// An ellipsis in front of what begins later, and at the end of what does not fit if the start is
    /// kept.
    fn run(self, start: usize, of: usize, keep: Keep) -> Pieces {
        let mut words = Vec::new();
        let mut rest = &self.text[start..];
        while !rest.is_empty() && words.len() < self.max {
            let number = words.len() + 1;
            let marker = marker(number, of);
            let frame = Frame {
                marker: &marker,
                leading: start > 0 && number == 1,
                trailing: keep == Keep::Start && number == self.max,
                max_parts: 1,
            };
            let mut taken = self.take(rest, frame);
            if taken.source == 0 {
                break;
            }
            rest = rest[taken.source..].trim_start();
            let piece = taken.body.split_off(marker.len());
            if !piece.is_empty() {
                words.push(piece);
            }
        }
        let source = self.text.len() - start - rest.len();
        Pieces { words, source }
    }

    /// As much as one message can take; of two that take the same, the one that changes nothing.
    fn take(self, rest: &str, frame: Frame<'_>) -> Taken {
        let take = |script| from_start(rest, script, frame);
        match self.transliteration {
            Transliteration::Off => as_it_is(take),
            Transliteration::Auto => {
                let plain = as_it_is(take);
                if !plain.stopped {
                    return plain;
                }
                let latin = take(Script::Rewritten(Reach::Latin));
                if latin.source > plain.source { latin } else { plain }
            }
            Transliteration::Always => take(Script::Rewritten(Reach::All)),
        }
    }
}
