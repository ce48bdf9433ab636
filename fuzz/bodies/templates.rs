//! Templates as operators may write them, filled in with what anybody may send.
//!
//! The template stands up to the first blank line, then a line is the subject, and the rest the text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sms_relay::mail::{Attachment, Headers};
use sms_relay::model::{Client, Door};
use sms_relay::text::{Fitting, fit};
use sms_relay::wording::{Distilling, Groups, Source, Template, Wording};

/// Octets that a template may print.
const MAX_OUTPUT: usize = 256 * 1024;
const TO: &str = "oncall";

/// A template is one, or wrong at a place inside it. One that is taken gives words that are not blank, within the
/// bound, or else the subject and the text, and says so. The same words come out a second time, and what is
/// sent is those words, fitted.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (template, words) = input.split_once("\n\n").unwrap_or((&input, "a subject\na text"));
    let (subject, text) = words.split_once('\n').unwrap_or((words, ""));
    match Template::new(template) {
        Ok(taken) => check_rendering(&taken, template, subject, text),
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.trim().is_empty(), "an error without words");
            if let Some(range) = error.range() {
                // `get` wants a range within the template that cuts no character.
                assert!(template.get(range.clone()).is_some(), "{range:?} is no place in {template:?}");
            }
        }
    }
}

fn check_rendering(taken: &Template, template: &str, subject: &str, text: &str) {
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: "192.0.2.7".parse().unwrap(),
        helo: Some("ups1".to_owned()),
        account: None,
    };
    let attachments =
        [Attachment { name: Some("scan.pdf".to_owned()), media_type: "application/pdf".to_owned() }];
    // A group that took no part is absent, and a template may name it all the same.
    let every = taken.groups().iter().map(|name| (name.clone(), text.to_owned()));
    for groups in [Groups::new(), every.collect::<BTreeMap<_, _>>()] {
        let source = Source {
            subject,
            text,
            text_with_links: None,
            is_mail: true,
            from: "ups1@example.com",
            from_name: "Café UPS",
            client: &client,
            headers: Headers::new(b"Subject: x\r\nX-Priority: =?utf-8?q?=C3=A8?= 1\r\n"),
            attachments: &attachments,
            received_at: &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC),
        };
        let wording = Wording {
            distilling: Distilling::default(),
            template: taken.clone(),
            fitting: Fitting::in_parts(3),
        };
        let composed = wording.compose(&source, text, TO, &groups);
        assert!(composed.words == composed.words.trim(), "blank space around {:?}", composed.words);
        let both = [subject.trim(), text.trim()].join("\n");
        match (&composed.template_problem, taken) {
            (Some(problem), Template::Custom(_)) => {
                assert!(!problem.trim().is_empty(), "a problem without words");
                assert_eq!(composed.words, both.trim(), "what is sent when {template:?} fails");
            }
            (Some(problem), Template::Subject | Template::Body | Template::Both) => {
                panic!("{taken:?} cannot fail: {problem}")
            }
            (None, Template::Custom(_)) => {
                assert!(
                    !composed.words.is_empty() && composed.words.len() <= MAX_OUTPUT,
                    "{:?}",
                    composed.words
                );
            }
            (None, Template::Both) => assert_eq!(composed.words, both.trim()),
            (None, Template::Subject | Template::Body) => {
                let one = [subject.trim(), text.trim()].contains(&composed.words.as_str());
                assert!(one && composed.words.is_empty() == both.trim().is_empty(), "{:?}", composed.words);
            }
        }
        assert_eq!(composed.texts, fit(&composed.words, &wording.fitting), "what is sent is not the words");
        assert_eq!(composed, wording.compose(&source, text, TO, &groups), "other words the second time");
    }
}
