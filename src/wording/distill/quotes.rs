//! Quoted replies, and the lines that introduce them.
//!
//! - Lines that begin with `>` go where an [attribution] introduces them, in front or as their first, and once one was
//!   introduced, so do the later quotes of the same mail: runs of lines with `> `, `>>` or `>` alone. Without an
//!   attribution nothing tells a quote from a threshold (`> 90 % used`), a prompt, or the differences that a
//!   nightly job mails, so they stay.
//! - What an Outlook puts under a reply goes to the end of the text: see [`super::reply`].
//! - A forwarded mail stays: it is what the mail is about. Where one's own words are no more than a signature
//!   all of it stays, quoted or not; the caller sees to that.

use super::attribution;
use super::edit::Edit;
use super::reply;
use super::words::lines;

/// Most blank lines between an attribution and its quote.
const MAX_GAP: usize = 2;

/// What goes, in order; empty where nothing is quoted.
pub(super) fn edits(text: &str) -> Vec<Edit> {
    let end = reply::start(text).unwrap_or(text.len());
    let mut edits = blocks(&text[..end]);
    if end < text.len() {
        // Not two edits where a quote stands right in front.
        match edits.last_mut() {
            Some(last) if last.range.end == end => last.range.end = text.len(),
            Some(_) | None => edits.push(Edit::cut(end..text.len())),
        }
    }
    edits
}

fn blocks(text: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    if !text.contains('>') {
        return edits;
    }
    // The last two lines that are not blank, if nothing stands between them, and the blank lines since.
    let mut before = attribution::Before::default();
    let mut gap = 0;
    let mut behind_quote = false;
    // Where the quote began that goes on, and where its last line ended.
    let mut open: Option<(usize, usize)> = None;
    for (start, line) in lines(text) {
        let end = (start + line.len() + 1).min(text.len());
        if line.trim().is_empty() {
            gap += 1;
            continue;
        }
        let quoted = line.trim_start().starts_with('>');
        if let Some((_, block_end)) = open.as_mut().filter(|_| quoted) {
            *block_end = end;
        } else if quoted {
            let introduced = if gap <= MAX_GAP { before.attribution(text) } else { None };
            // Only the first line of a quote may do so itself.
            let introduces_itself = || (!behind_quote || gap > 0) && attribution::begins(&text[start..]);
            let introduced = introduced.or_else(|| introduces_itself().then_some(start));
            if introduced.is_some() || !edits.is_empty() && is_quote(line) {
                open = Some((introduced.unwrap_or(start), end));
            }
        } else if let Some((block_start, block_end)) = open.take() {
            edits.push(Edit::cut(block_start..block_end));
        }
        if quoted {
            before = attribution::Before::default();
        } else {
            before.push(start..start + line.len(), gap > 0);
        }
        behind_quote = quoted;
        gap = 0;
    }
    edits.extend(open.map(|(start, end)| Edit::cut(start..end)));
    edits
}

/// As mailers write one: no word right behind the sign.
fn is_quote(line: &str) -> bool {
    let behind = line.trim_start().as_bytes().get(1);
    behind.is_none_or(|byte| *byte == b'>' || byte.is_ascii_whitespace())
}

#[cfg(test)]
#[path = "quotes_tests.rs"]
mod tests;
