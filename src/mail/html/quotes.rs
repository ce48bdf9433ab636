//! Which words of an HTML mail are quoted from another mail, as programs that answer mails mark it.

use super::scan::Tag;

/// Quotes in quotes are marked up to this depth; deeper ones like these.
const MARKS: [&str; 4] = ["", "> ", "> > ", "> > > "];

/// The quotes that are open. One without its end tag ends with the division that it began in, as browsers have
/// it, and one that has neither goes on: what a mail that was cut off ends with is a quote.
#[derive(Default)]
pub(super) struct Quotes {
    /// Of each whether it is of another mail, and how many divisions are open around it.
    open: Vec<(bool, usize)>,
    /// How many of them are of other mails.
    depth: usize,
    divisions: usize,
}

impl Quotes {
    /// A `<blockquote>` begins; whether it holds another mail. One without a mark of that indents.
    pub(super) fn open(&mut self, tag: &Tag<'_>) -> bool {
        let cites = tag.attributes().any(|(name, value)| {
            (name.eq_ignore_ascii_case("type") && value.eq_ignore_ascii_case("cite"))
                || (name.eq_ignore_ascii_case("class")
                    && value.split_ascii_whitespace().any(|class| class == "gmail_quote"))
        });
        self.open.push((cites, self.divisions));
        self.depth += usize::from(cites);
        cites
    }

    /// The last one ends; whether it held another mail.
    pub(super) fn close(&mut self) -> bool {
        let cites = self.open.pop().is_some_and(|(cites, _)| cites);
        self.depth -= usize::from(cites);
        cites
    }

    /// A `<div>` begins or ends; whether a quote of another mail ends with it.
    pub(super) fn division(&mut self, closing: bool) -> bool {
        if !closing {
            self.divisions += 1;
            return false;
        }
        self.divisions = self.divisions.saturating_sub(1);
        let mut cited = false;
        while self.open.last().is_some_and(|(_, around)| *around > self.divisions) {
            cited |= self.close();
        }
        cited
    }

    /// What a line begins with.
    pub(super) fn mark(&self) -> &'static str {
        MARKS[self.depth.min(MARKS.len() - 1)]
    }
}
