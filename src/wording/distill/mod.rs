//! What is left out of a mail's text before it becomes an SMS, step by step, each by name and off
//! where told.
//!
//! No step may leave nothing: one that would is passed over, since an SMS with a signature is better than none.
//! Blanks and rules are nothing. `addressed_lines`, `end_mark`, `quotes`, `signature`, `tracking_links` and
//! `blank_space` are passed over each as a whole, of `disclaimers` each pattern by itself; `quotes` also where
//! no more than a signature would be left, since then the mail is somebody's `see below`.
//!
//! - `quotes`, with `attribution`, `reply` and `header`: what people answered to
//! - `signature`, `disclaimers`, `blank_space`: what their names say
//! - `tracking_links`, with `trackers` and `unwrap`: links
//! - `edit`: how pieces are taken out and noted
//! - `words`: what counts as nothing

mod attribution;
mod blank_space;
mod disclaimers;
mod edit;
mod header;
mod quotes;
mod reply;
mod signature;
#[cfg(test)]
mod tests;
mod trackers;
mod tracking_links;
mod unwrap;
mod words;

use std::borrow::Cow;

use self::edit::Edit;
use self::words::says_nothing;
use super::addressed::{self, Addressed};

use crate::pattern::Pattern;

/// Which steps are taken. The fields stand in the order of the steps.
#[derive(Clone, Debug)]
pub struct Distilling {
    /// Keep the targets of HTML's links in the text.
    pub link_targets: bool,
    /// Lines `to:` go, and of a text with a line `text:` only what follows it stays.
    pub addressed_lines: bool,
    /// The text ends in front of this mark.
    pub end_mark: Option<String>,
    /// Quoted replies and the line that introduces them go.
    pub quotes: bool,
    /// What stands behind `-- ` goes.
    pub signature: bool,
    /// What these find goes, up to 1,000 places of each.
    pub disclaimers: Vec<Pattern>,
    /// Links that only follow the reader go, and of the others the parts that do.
    pub tracking_links: bool,
    /// Runs of blanks become one, blank lines go.
    pub blank_space: bool,
}

impl Default for Distilling {
    /// What no alert loses a word by: quotes, signatures, tracking links and blank space.
    fn default() -> Self {
        Self {
            link_targets: false,
            addressed_lines: false,
            end_mark: None,
            quotes: true,
            signature: true,
            disclaimers: Vec::new(),
            tracking_links: true,
            blank_space: true,
        }
    }
}

/// A text without what was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distilled<'a> {
    /// What stays.
    pub text: Cow<'a, str>,
    /// What went, in the order of the steps; at most 50.
    pub removed: Vec<Removed>,
}

/// What one step took out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The step.
    pub step: Step,
    /// The words, at most the first 200 characters of each piece; of addressed lines the
    /// destinations; empty for blank space.
    pub words: String,
}

/// A step, by the key that turns it on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `addressed_lines`.
    AddressedLines,
    /// `end_mark`.
    EndMark,
    /// `quotes`.
    Quotes,
    /// `signature`.
    Signature,
    /// `disclaimers`.
    Disclaimers,
    /// `tracking_links`.
    TrackingLinks,
    /// `blank_space`.
    BlankSpace,
}

impl Step {
    /// The key in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddressedLines => "addressed_lines",
            Self::EndMark => "end_mark",
            Self::Quotes => "quotes",
            Self::Signature => "signature",
            Self::Disclaimers => "disclaimers",
            Self::TrackingLinks => "tracking_links",
            Self::BlankSpace => "blank_space",
        }
    }
}

impl<'a> Distilled<'a> {
    /// The text as it is.
    pub fn whole(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), removed: Vec::new() }
    }
}

impl Distilling {
    /// Takes the steps, each on what the one before it left. Linear in `text`.
    pub fn distill<'a>(&self, text: &'a str) -> Distilled<'a> {
        let mut distilled = Distilled::whole(text);
        if self.addressed_lines {
            let Addressed { to, text } = addressed::read(&distilled.text);
            if text != distilled.text && !says_nothing(&text) {
                // No more than the destinations: a password may stand beside them.
                let words = to.join(", ");
                distilled.replace(Step::AddressedLines, text, &words);
            }
        }
        if let Some(at) = self.end_mark.as_deref().and_then(|mark| mark_in(&distilled.text, mark)) {
            let cut = Edit::cut(at..distilled.text.len());
            distilled.edit(Step::EndMark, &[cut], says_nothing);
        }
        if self.quotes {
            let edits = quotes::edits(&distilled.text);
            distilled.edit(Step::Quotes, &edits, signature::says_nothing_else);
        }
        if self.signature {
            let edits = signature::edits(&distilled.text);
            distilled.edit(Step::Signature, &edits, says_nothing);
        }
        for pattern in &self.disclaimers {
            let edits = disclaimers::edits(pattern, &distilled.text);
            distilled.edit(Step::Disclaimers, &edits, says_nothing);
        }
        if self.tracking_links {
            let edits = tracking_links::edits(&distilled.text);
            distilled.edit(Step::TrackingLinks, &edits, says_nothing);
        }
        if self.blank_space
            && let Some(text) = blank_space::without(&distilled.text).filter(|text| !says_nothing(text))
        {
            distilled.replace(Step::BlankSpace, text, "");
        }
        distilled
    }
}

/// Where the mark stands; an empty one stands nowhere.
fn mark_in(text: &str, mark: &str) -> Option<usize> {
    if mark.is_empty() { None } else { text.find(mark) }
}
