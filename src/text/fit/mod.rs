//! From any words to SMS of at most so many parts in all.

mod messages;
mod placeholders;

pub use placeholders::fill;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::clean::clean;
use super::measure::{Size, measure};
use super::take::{Frame, Script, Taken, from_end, from_start, measured};
use super::transliterate::{Reach, shows_something};
use crate::model::{Encoding, SmsText};

/// How a text is fitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// Most parts of all its SMS together; 1 to 255. 0 counts as 1.
    pub max_parts: u32,
    /// What becomes of characters outside the GSM alphabet.
    pub transliteration: Transliteration,
    /// What of a text that is too long is kept.
    pub keep: Keep,
    /// How a text of several parts is sent.
    pub split: Split,
    /// Values that the platform will put in place of `{name}`; the parts are those of the result. A text
    /// that is too long is cut with the values in their places. Names with braces are never found.
    pub placeholders: BTreeMap<String, String>,
}

impl Fitting {
    /// At most so many parts, and otherwise as without configuration.
    pub fn in_parts(max_parts: u32) -> Self {
        Self {
            max_parts,
            transliteration: Transliteration::Auto,
            keep: Keep::Start,
            split: Split::Parts,
            placeholders: BTreeMap::new(),
        }
    }
}

/// What becomes of characters outside the GSM alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transliteration {
    /// They stay.
    Off,
    /// Typographic and accented Latin characters are written otherwise where that pays:
    ///
    /// - when the text fits either way: if all of it is GSM then, and takes fewer parts;
    /// - when it has to be cut: if more of it is kept then, or as much in fewer parts. Only what stands
    ///   before any other character (Cyrillic, emoji) can be kept so.
    ///
    /// Otherwise nothing changes.
    Auto,
    /// All are written otherwise, as [`to_gsm`](super::to_gsm) does, except where that costs: when the
    /// text as it is takes fewer parts, or when it has to be cut and more of it is kept as it is. Then
    /// nothing changes. Ideographs and emoji are longer by sound and name than in UCS-2.
    Always,
}

/// What of a text that is too long is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Its beginning; an ellipsis stands at the end.
    Start,
    /// Its end; an ellipsis stands at the beginning.
    End,
}

/// How a text of several parts is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// As one SMS that the phone puts together.
    Parts,
    /// As several SMS of one part each, marked `1/3`, each in the encoding that it needs.
    Messages,
}

/// Fits `text` into at most `max_parts` parts: [cleaned](clean), [transliterated](Transliteration),
/// whole when it fits, otherwise cut with an ellipsis. The SMS in order; none when there is nothing that
/// a phone could show.
///
/// Cutting may drop every character outside the GSM alphabet: of the GSM text and the UCS-2 text that
/// fit, the one with more words is taken. The cost is linear in `text`.
pub fn fit(text: &str, fitting: &Fitting) -> Vec<SmsText> {
    let text = clean(text);
    if !shows_something(&text) {
        return Vec::new();
    }
    if fitting.placeholders.is_empty() {
        return fit_clean(text, fitting);
    }
    let replaced = placeholders::replace(&text, fitting);
    let mut fitted = fit_clean(clean(&replaced), fitting);
    match fitted.as_mut_slice() {
        // What the platform makes of it is what we would send ourselves.
        [only] if only.body == replaced => only.body = text.into_owned(),
        pieces => {
            for piece in pieces {
                let body = std::mem::take(&mut piece.body);
                *piece = measured(placeholders::settle(body, &fitting.placeholders));
            }
        }
    }
    fitted
}

fn fit_clean(text: Cow<'_, str>, fitting: &Fitting) -> Vec<SmsText> {
    let max_parts = fitting.max_parts.clamp(1, 255);
    let whole_within = match fitting.split {
        Split::Parts => max_parts,
        Split::Messages => 1,
    };
    if text.is_empty() {
        return Vec::new();
    }
    if let Some(Size { encoding, parts, .. }) = gsm_within(&text, whole_within) {
        return vec![SmsText { body: text.into_owned(), encoding, parts }];
    }
    let fitted = match fitting.split {
        Split::Parts => vec![measured(one(&text, fitting, max_parts).body)],
        Split::Messages => {
            let alone = one(&text, fitting, 1);
            if alone.whole || max_parts == 1 {
                vec![measured(alone.body)]
            } else {
                messages::split(&text, fitting, max_parts)
            }
        }
    };
    let fitted: Vec<SmsText> = fitted.into_iter().filter(|sms| !sms.body.is_empty()).collect();
    if fitted.is_empty() && fitting.transliteration != Transliteration::Off {
        // All of it vanishes when it is written otherwise, as a lone degree sign does.
        return fit_clean(text, &Fitting { transliteration: Transliteration::Off, ..fitting.clone() });
    }
    fitted
}

/// The size of a text of which nothing is to be changed. Does not read one that is too long anyway.
fn gsm_within(text: &str, max_parts: u32) -> Option<Size> {
    // No GSM character has more than 3 octets.
    let longest = usize::try_from(max_parts).unwrap_or(usize::MAX).saturating_mul(3 * 160);
    if text.len() > longest {
        return None;
    }
    Some(measure(text)).filter(|size| size.encoding == Encoding::Gsm7 && size.parts <= max_parts)
}

/// One SMS.
fn one(text: &str, fitting: &Fitting, max_parts: u32) -> Taken {
    let most_in_ucs2 = usize::try_from(max_parts).unwrap_or(usize::MAX).saturating_mul(70);
    let is_beyond_ucs2 = |taken: &Taken| {
        let kept = match fitting.keep {
            Keep::Start => &text[..taken.source],
            Keep::End => &text[text.len() - taken.source..],
        };
        kept.chars().map(char::len_utf16).sum::<usize>() > most_in_ucs2
    };
    best(fitting.transliteration, |script| taken(text, fitting.keep, script, max_parts), is_beyond_ucs2)
}

fn taken(text: &str, keep: Keep, script: Script, max_parts: u32) -> Taken {
    match keep {
        Keep::Start => {
            from_start(text, script, Frame { marker: "", leading: false, trailing: true, max_parts })
        }
        Keep::End => from_end(text, script, max_parts),
    }
}

/// The best of what can be taken; the rule of [`Transliteration`]. UCS-2 is not tried where more is kept
/// without it than it could hold.
fn best(
    transliteration: Transliteration,
    take: impl Fn(Script) -> Taken,
    is_beyond_ucs2: impl Fn(&Taken) -> bool,
) -> Taken {
    let gsm = take(Script::Gsm);
    if !gsm.stopped {
        return gsm;
    }
    let rewritten = match transliteration {
        Transliteration::Off => None,
        Transliteration::Auto => Some(take(Script::Rewritten(Reach::Latin))),
        Transliteration::Always => Some(take(Script::Rewritten(Reach::All))),
    };
    if let Some(rewritten) = &rewritten
        && rewritten.source > gsm.source
        && is_beyond_ucs2(rewritten)
    {
        return rewritten.clone();
    }
    let plain = or_ucs2(gsm, &take);
    match (transliteration, rewritten) {
        (Transliteration::Auto, Some(latin)) if latin.is_better_than(&plain) => latin,
        (Transliteration::Always, Some(all)) if !plain.is_better_than(&all) => all,
        _ => plain,
    }
}

/// What can be taken without changing a character: GSM unless UCS-2 keeps more. It is `stopped` when the
/// end of the GSM text was not for want of room.
fn as_it_is(take: impl Fn(Script) -> Taken) -> Taken {
    let gsm = take(Script::Gsm);
    if gsm.stopped { or_ucs2(gsm, take) } else { gsm }
}

/// Of the two that which keeps more.
fn or_ucs2(gsm: Taken, take: impl Fn(Script) -> Taken) -> Taken {
    let ucs2 = take(Script::Ucs2);
    if gsm.source >= ucs2.source { gsm } else { Taken { stopped: true, ..ucs2 } }
}

#[cfg(test)]
mod tests;
