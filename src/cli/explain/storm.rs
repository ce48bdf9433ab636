//! What becomes of an SMS in a storm, for people and for programs.

use humantime::format_duration;
use serde_json::{Value, json};

use super::human::shortened;
use crate::intake::{Exempt, ExplainedStorm};
use crate::model::{Limit, LimitScope, LimitStep};

/// A line for everything that it has to pass; none where storms are off and it is nothing special.
pub(super) fn lines(storm: &ExplainedStorm) -> Vec<String> {
    let passage = &storm.passage;
    let mut lines = Vec::new();
    match storm.exempt {
        // Where nothing folds, the lane says enough.
        Some(Exempt::Critical) if passage.is_empty() => {}
        Some(exempt) => lines.push(format!("never folds nor waits for a limit: {}", exempt.words())),
        None => {}
    }
    if let (Some(window), Some(key)) = (storm.window(), &storm.similar_key) {
        let (window, key) = (format_duration(window), shortened(key));
        lines.push(format!("folds for {window} with what is similar: \"{key}\""));
    }
    if let Some(digest) = &passage.digest {
        lines.push(format!("told together with others, every {}", format_duration(digest.every)));
    }
    for limit in &passage.limits {
        let whose = match limit.scope {
            LimitScope::Destination => "this phone".to_owned(),
            LimitScope::Source => shortened(&limit.key),
        };
        let steps: Vec<String> = limit.steps.iter().map(step).collect();
        lines.push(format!("limit of {whose}: {}", steps.join(", ")));
    }
    let pairing = &passage.pairing;
    match &storm.pair_key {
        Some(key) if pairing.own.is_some() => {
            lines.push(format!("a problem, paired by \"{}\"", shortened(key)))
        }
        Some(key) => lines.push(format!("a recovery, ends what is held for \"{}\"", shortened(key))),
        None if !pairing.ends.is_empty() => {
            lines.push("answers other mails: those that are still held for this phone are ended".to_owned());
        }
        None => {}
    }
    if let Some(problem) = &storm.problem {
        lines.push(format!("a key was not used: {}", shortened(problem)));
    }
    lines
}

fn step(step: &LimitStep) -> String {
    format!("{} in {}", step.most, format_duration(step.within))
}

/// The same for programs.
pub(super) fn object(storm: &ExplainedStorm) -> Value {
    let passage = &storm.passage;
    let limit = |limit: &Limit| {
        let scope = match limit.scope {
            LimitScope::Destination => "destination",
            LimitScope::Source => "source",
        };
        let steps = limit.steps.iter();
        let steps = steps.map(|step| json!({ "most": step.most, "within_seconds": step.within.as_secs() }));
        json!({ "scope": scope, "key": limit.key, "steps": steps.collect::<Vec<_>>() })
    };
    json!({
        "exempt": storm.exempt.map(Exempt::as_str),
        "similar_key": storm.similar_key,
        "similar_window_seconds": storm.window().map(|window| window.as_secs()),
        "digest_every_seconds": passage.digest.as_ref().map(|digest| digest.every.as_secs()),
        "limits": passage.limits.iter().map(limit).collect::<Vec<_>>(),
        "pair_key": storm.pair_key,
        "may_be_ended": passage.pairing.own.is_some(),
        "may_end": passage.pairing.ends.len(),
        "summary_parts": passage.summary.parts,
        "problem": storm.problem,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Digest, Pairing, Passage, Similar};

    fn all() -> ExplainedStorm {
        let limit = |scope, key: &str| Limit {
            key: key.to_owned(),
            scope,
            steps: vec![
                LimitStep { most: 1, within: Duration::from_secs(60) },
                LimitStep { most: 5, within: Duration::from_secs(900) },
            ],
        };
        ExplainedStorm {
            exempt: None,
            similar_key: Some("disk # full".to_owned()),
            pair_key: Some("disk 3".to_owned()),
            problem: Some("it failed".to_owned()),
            passage: Passage {
                similar: Some(Similar { key: "x".to_owned(), window: Duration::from_secs(600) }),
                digest: Some(Digest { key: "y".to_owned(), every: Duration::from_secs(900) }),
                limits: vec![
                    limit(LimitScope::Destination, "+393471234567"),
                    limit(LimitScope::Source, "account shop"),
                ],
                pairing: Pairing { own: Some("z".to_owned()), ends: Vec::new() },
                ..Passage::default()
            },
        }
    }

    #[test]
    fn where_nothing_folds_there_is_nothing_to_say() {
        assert_eq!(lines(&ExplainedStorm::default()), [""; 0]);
        let exempt = |exempt| ExplainedStorm { exempt: Some(exempt), ..ExplainedStorm::default() };
        assert_eq!(lines(&exempt(Exempt::Critical)), [""; 0]);
        assert_eq!(
            lines(&exempt(Exempt::OneTimePassword)),
            ["never folds nor waits for a limit: it brings a one-time password"]
        );
    }

    #[test]
    fn everything_that_it_has_to_pass_has_its_line() {
        assert_eq!(
            lines(&all()),
            [
                "folds for 10m with what is similar: \"disk # full\"",
                "told together with others, every 15m",
                "limit of this phone: 1 in 1m, 5 in 15m",
                "limit of account shop: 1 in 1m, 5 in 15m",
                "a problem, paired by \"disk 3\"",
                "a key was not used: it failed",
            ]
        );
        let mut recovery = all();
        recovery.passage.pairing = Pairing { own: None, ends: vec!["z".to_owned()] };
        assert_eq!(lines(&recovery)[4], "a recovery, ends what is held for \"disk 3\"");
        recovery.pair_key = None;
        assert!(lines(&recovery)[4].starts_with("answers other mails"));
        recovery.exempt = Some(Exempt::Critical);
        assert_eq!(lines(&recovery)[0], "never folds nor waits for a limit: it is critical");
    }

    #[test]
    fn programs_are_told_the_same() {
        let steps = json!([{ "most": 1, "within_seconds": 60 }, { "most": 5, "within_seconds": 900 }]);
        assert_eq!(
            object(&all()),
            json!({
                "exempt": null,
                "similar_key": "disk # full",
                "similar_window_seconds": 600,
                "digest_every_seconds": 900,
                "limits": [
                    { "scope": "destination", "key": "+393471234567", "steps": steps },
                    { "scope": "source", "key": "account shop", "steps": steps },
                ],
                "pair_key": "disk 3",
                "may_be_ended": true,
                "may_end": 0,
                "summary_parts": 2,
                "problem": "it failed",
            })
        );
    }
}
