//! The words of a mail to the operator.

use std::collections::BTreeMap;

use crate::spool::Word;

/// Most characters of a subject.
const MAX_SUBJECT: usize = 120;
/// Most notices of one subject that a mail has in full; of the others it tells the number.
const MOST_IN_FULL: usize = 5;

/// Subject and text of the mail that tells all of these, of which there is at least one, in their order.
pub(super) fn mail(words: &[Word]) -> (String, String) {
    let mut by_subject: BTreeMap<&str, Vec<&Word>> = BTreeMap::new();
    for word in words {
        by_subject.entry(&word.about).or_default().push(word);
    }
    let mut subjects: Vec<(&str, Vec<&Word>)> = by_subject.into_iter().collect();
    subjects.sort_by_key(|(_, words)| words.first().map(|word| word.seq));
    let first = subjects.first().map_or("", |(about, _)| about);
    let more = match subjects.len() {
        0 | 1 => String::new(),
        2 => ", and another notice".to_owned(),
        count => format!(", and {} other notices", count - 1),
    };
    let short: String = first.chars().take(MAX_SUBJECT).collect();
    let subject = format!("SMS relay: {short}{more}");
    let mut text = String::new();
    for (_, words) in &subjects {
        for word in words.iter().take(MOST_IN_FULL) {
            text.push_str(&format!("{}\n{}\n\n", word.at.strftime("%Y-%m-%d %H:%M:%S UTC"), word.words));
        }
        if words.len() > MOST_IN_FULL {
            text.push_str(&format!("{} more of these; the log has them.\n\n", words.len() - MOST_IN_FULL));
        }
    }
    text.push_str("`sms-relay queue show ID` tells of an SMS until when it is held.\n");
    (subject, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(seq: i64, about: &str, words: &str) -> Word {
        let at = jiff::Timestamp::from_second(1_800_000_000 + seq).unwrap();
        Word { seq, at, about: about.to_owned(), words: words.to_owned() }
    }

    #[test]
    fn one_mail_tells_everything_in_the_order_in_which_it_happened() {
        let (subject, text) =
            mail(&[word(1, "b is full", "B."), word(2, "a is full", "A."), word(3, "b is full", "C.")]);
        assert_eq!(subject, "SMS relay: b is full, and another notice");
        let places =
            ["08:00:01 UTC\nB.\n", "08:00:03 UTC\nC.\n", "08:00:02 UTC\nA.\n"].map(|one| text.find(one));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
        let (subject, _) = mail(&[word(1, "a", ""), word(2, "b", ""), word(3, "c", "")]);
        assert_eq!(subject, "SMS relay: a, and 2 other notices");
    }

    #[test]
    fn a_flood_of_one_kind_is_counted() {
        let words: Vec<Word> = (1..=7).map(|n| word(n, "a limit bites", &format!("Limit {n}."))).collect();
        let (subject, text) = mail(&words);
        assert_eq!(subject, "SMS relay: a limit bites");
        assert!(text.contains("Limit 5.") && !text.contains("Limit 6."), "{text}");
        assert!(text.contains("2 more of these; the log has them."), "{text}");
        let (_, text) = mail(&words[..5]);
        assert!(!text.contains("more of these"), "{text}");
    }
}
