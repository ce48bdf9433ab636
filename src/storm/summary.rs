//! What a summary says.

use std::collections::HashMap;

use jiff::Zoned;
use unicode_segmentation::UnicodeSegmentation;

/// What stands for what was cut off; an SMS has no character for it that costs one place only.
const ELLIPSIS: &str = "...";
/// Characters that each of many ones gets before more of them are named.
const FAIR_SHARE: usize = 24;
/// Characters at most of what all of many begin with: a longer one takes too much from what is different.
const COMMON_BEGINNING: usize = 24;

/// The words of the first of similar ones and how many came after it: `link down +37 similar, 14:02-14:09`. The dates
/// are there if it went on over midnight, and there is one time if it was over within a minute. Where all of it does not fit,
/// the words are shortened, never the count; if not even the count fits, it is returned all the same.
///
/// `fits` must take whatever is a shorter form of something that it took.
pub fn of_similar(first: &str, count: u64, from: &Zoned, to: &Zoned, fits: impl Fn(&str) -> bool) -> String {
    let first = first.trim();
    let told = if count == 0 { String::new() } else { format!("+{count} similar, {}", span(from, to)) };
    let gap = if first.is_empty() || told.is_empty() { "" } else { " " };
    let whole = format!("{first}{gap}{told}");
    if fits(&whole) {
        return whole;
    }
    let ends: Vec<usize> = ends_of_characters(first).collect();
    let words = |characters: usize| {
        let kept = characters.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
        format!("{}{ELLIPSIS}{gap}{told}", first[..kept].trim_end())
    };
    most(1, ends.len(), |characters| fits(&words(characters))).map_or(told.clone(), words)
}

/// One of many, or several that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// What it says; only its first line is told.
    pub words: &'a str,
    /// How many said so; none of them is told if it is 0.
    pub count: u64,
}

/// How many there were and as much of what each says as fits: `12 alerts 14:02-14:15: disk full on srv1; link down (x3);
/// +8 more`. `count` is that of all, also of those that are not among `told`.
///
/// What all begin with is said once, or not at all if it is long. As many as can be are named, in the order in which they
/// are given, each with its fair share of the room; those that say exactly the same are named once. If nothing
/// fits but the number and the times, there is nothing else; they are always there.
///
/// `fits` must take whatever is a shorter form of something that it took; it is asked about 40 times at most.
pub fn of_many(
    told: &[Told<'_>],
    count: u64,
    from: &Zoned,
    to: &Zoned,
    fits: impl Fn(&str) -> bool,
) -> String {
    let bare = format!("{count} alert{} {}", if count == 1 { "" } else { "s" }, span(from, to));
    let items = Items::of(told);
    let write = |named: usize, share: usize| items.write(&bare, count, named, share);
    let (all, longest) = (items.named.len(), items.longest());
    if all == 0 {
        return bare;
    }
    let whole = write(all, longest);
    if fits(&whole) {
        return whole;
    }
    let fair = FAIR_SHARE.min(longest);
    let named =
        if fits(&write(all, fair)) { Some(all) } else { most(1, all - 1, |named| fits(&write(named, fair))) };
    let (named, least) = named.map_or((1, 1), |named| (named, fair));
    match most(least, longest, |share| fits(&write(named, share))) {
        Some(share) => write(named, share),
        None => bare,
    }
}

/// What many say, made ready to be named.
struct Items<'a> {
    /// What all begin with and is said once; empty, or with a blank at its end.
    common: &'a str,
    /// What is different about each, in the order given, with how many said so.
    named: Vec<(&'a str, u64)>,
}

impl<'a> Items<'a> {
    fn of(told: &[Told<'a>]) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut named: Vec<(&str, u64)> = Vec::new();
        for told in told {
            let line = told.words.trim().lines().next().unwrap_or("").trim_end();
            if line.is_empty() || told.count == 0 {
                continue;
            }
            let place = *places.entry(line).or_insert(named.len());
            match named.get_mut(place) {
                Some((_, count)) => *count = count.saturating_add(told.count),
                None => named.push((line, told.count)),
            }
        }
        let begins = common_beginning(&named);
        let (common, _) = named.first().map_or(("", 0), |(line, _)| (&line[..begins], 0));
        for (line, _) in &mut named {
            *line = &line[begins..];
        }
        let is_short = common.graphemes(true).take(COMMON_BEGINNING + 1).count() <= COMMON_BEGINNING;
        Self { common: if is_short { common } else { "" }, named }
    }

    /// Characters of the longest.
    fn longest(&self) -> usize {
        self.named.iter().map(|(line, _)| line.graphemes(true).count()).max().unwrap_or(0)
    }

    /// The first `named` ones, each with `share` characters at most and the ellipsis.
    fn write(&self, bare: &str, count: u64, named: usize, share: usize) -> String {
        let mut text = format!("{bare}: {}", self.common);
        let mut rest = count;
        for (place, (line, times)) in self.named.iter().take(named).enumerate() {
            if place > 0 {
                text.push_str("; ");
            }
            match ends_of_characters(line).nth(share.saturating_sub(1)) {
                Some(end) if end < line.len() => {
                    text.push_str(line[..end].trim_end());
                    text.push_str(ELLIPSIS);
                }
                _ => text.push_str(line),
            }
            if *times > 1 {
                text.push_str(&format!(" (x{times})"));
            }
            rest = rest.saturating_sub(*times);
        }
        if rest > 0 {
            text.push_str(&format!("; +{rest} more"));
        }
        text
    }
}

/// Octets that all lines have at their beginning, up to the end of a word; 0 for one line, and never all of a line.
fn common_beginning(lines: &[(&str, u64)]) -> usize {
    let [(first, _), rest @ ..] = lines else { return 0 };
    if rest.is_empty() {
        return 0;
    }
    let mut same = first.len();
    for (line, _) in rest {
        same = first.bytes().zip(line.bytes()).take(same).take_while(|(one, other)| one == other).count();
    }
    // A blank is one octet and never part of another character, so that this is a border.
    first.as_bytes()[..same].iter().rposition(|octet| *octet == b' ').map_or(0, |blank| blank + 1)
}

/// The octet after each character as a reader counts them.
fn ends_of_characters(text: &str) -> impl Iterator<Item = usize> {
    text.grapheme_indices(true).map(|(start, character)| start + character.len())
}

/// The largest number from `least` to `largest` that `is_fine`, if those that are come before those that are not.
fn most(least: usize, largest: usize, is_fine: impl Fn(usize) -> bool) -> Option<usize> {
    if least > largest || !is_fine(least) {
        return None;
    }
    let (mut fine, mut above) = (least, largest);
    while fine < above {
        let middle = fine + (above - fine).div_ceil(2);
        if is_fine(middle) {
            fine = middle;
        } else {
            above = middle - 1;
        }
    }
    Some(fine)
}

/// From when to when, as the clock of the first one's time zone shows it: `14:02-14:09`, `14:02` within a minute,
/// `22 Nov 23:50-23 Nov 00:10` over midnight, with the zones `02:50 CEST-02:10 CET` when the clock was changed between.
fn span(from: &Zoned, to: &Zoned) -> String {
    let (from, to) = if to < from { (to, from) } else { (from, to) };
    let to = &to.with_time_zone(from.time_zone().clone());
    let is_one_day = from.date() == to.date();
    let is_one_zone = from.offset() == to.offset();
    let format = match (is_one_day, is_one_zone) {
        (true, true) => "%H:%M",
        (true, false) => "%H:%M %Z",
        (false, true) => "%-d %b %H:%M",
        (false, false) => "%-d %b %H:%M %Z",
    };
    let (first, last) = (from.strftime(format).to_string(), to.strftime(format).to_string());
    if first == last { first } else { format!("{first}-{last}") }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
