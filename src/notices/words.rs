//! The words of a mail to the operator.

use std::collections::BTreeMap;

use crate::spool::{Topic, Word};

/// Most characters of a subject.
const MAX_SUBJECT: usize = 120;
/// Most notices of one subject that a mail has in full; of the others it tells the number.
const MOST_IN_FULL: usize = 5;
/// Most subjects about budgets that one mail has in full.
const MOST_BUDGETS: usize = 20;
/// Most subjects about limits that one mail has in full: in a storm each phone's limit is one.
const MOST_LIMITS: usize = 5;

/// Subject and text of the mail that tells all of these, of which there is at least one: those of budgets first, each in
/// the order in which they happened.
pub(super) fn mail(words: &[Word]) -> (String, String) {
    let mut by_subject: BTreeMap<(Topic, &str), Vec<&Word>> = BTreeMap::new();
    for word in words {
        by_subject.entry((word.topic, word.about.as_str())).or_default().push(word);
    }
    let mut subjects: Vec<((Topic, &str), Vec<&Word>)> = by_subject.into_iter().collect();
    subjects.sort_by_key(|((topic, _), words)| (*topic, words.first().map(|word| word.seq)));
    let first = subjects.first().map_or("", |((_, about), _)| about);
    let more = match subjects.len() {
        0 | 1 => String::new(),
        2 => ", and another notice".to_owned(),
        count => format!(", and {} other notices", count - 1),
    };
    let short: String = first.chars().take(MAX_SUBJECT).collect();
    let subject = format!("SMS relay: {short}{more}");
    let mut text = String::new();
    for (topic, most, what) in
        [(Topic::Budget, MOST_BUDGETS, "budgets"), (Topic::Limit, MOST_LIMITS, "limits")]
    {
        let of: Vec<&Vec<&Word>> =
            subjects.iter().filter(|((of, _), _)| *of == topic).map(|(_, words)| words).collect();
        for words in of.iter().take(most) {
            for word in words.iter().take(MOST_IN_FULL) {
                text.push_str(&format!("{}\n{}\n\n", word.at.strftime("%Y-%m-%d %H:%M:%S UTC"), word.words));
            }
            if words.len() > MOST_IN_FULL {
                text.push_str(&format!(
                    "{} more of these; the log has them.\n\n",
                    words.len() - MOST_IN_FULL
                ));
            }
        }
        let further: usize = of.iter().skip(most).map(|words| words.len()).sum();
        if further > 0 {
            text.push_str(&format!("{further} more of other {what}; the log has them.\n\n"));
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
        let topic = if about.contains("limit") { Topic::Limit } else { Topic::Budget };
        Word { seq, topic, at, about: about.to_owned(), words: words.to_owned() }
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
    fn a_flood_of_many_subjects_is_counted() {
        let about = |n: i64| format!("the limit of {n} is reached");
        let flood = |count| -> Vec<Word> {
            (1..=count).map(|n| word(n, &about(n), &format!("Limit {n}."))).collect()
        };
        let (subject, text) = mail(&flood(4000));
        assert_eq!(subject, "SMS relay: the limit of 1 is reached, and 3999 other notices");
        assert!(text.contains("Limit 5.") && !text.contains("Limit 6."), "{text}");
        assert!(text.contains("\n3995 more of other limits; the log has them."), "{text}");
        assert!(!mail(&flood(5)).1.contains("more of other"));
        // A budget comes before them, whenever it was reached.
        let mut words = flood(4000);
        words.push(word(4001, "budget b holds SMS", "Budget."));
        let (subject, text) = mail(&words);
        assert_eq!(subject, "SMS relay: budget b holds SMS, and 4000 other notices");
        assert!(text.find("Budget.") < text.find("Limit 1."), "{text}");
        let many: Vec<Word> = (1..=21).map(|n| word(n, &format!("budget {n}"), &format!("B{n}."))).collect();
        let text = mail(&many).1;
        assert!(
            text.contains("B20.") && !text.contains("B21.") && text.contains("\n1 more of other budgets;")
        );
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
