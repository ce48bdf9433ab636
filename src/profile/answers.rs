//! What an API answers to what came of a request.

use std::collections::BTreeMap;

use super::outcome::Outcome;
use super::template::{Body, BodyError, Words};

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Given only where these parameters have these values, compared without regard to case.
    pub when: Vec<(String, String)>,
    /// Given only to a client that wants JSON: one that sent JSON, or accepts it by name.
    pub json_only: bool,
    /// The HTTP status; that of the outcome where there is none.
    pub status: Option<u16>,
    /// `Content-Type`.
    pub content_type: String,
    /// The octets.
    pub body: Body,
}

/// All answers of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<Outcome, Vec<Answer>>);

/// An answer on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The octets.
    pub body: String,
}

impl Answers {
    /// Answers by what they answer, in the order in which they are looked at.
    pub fn new(answers: impl IntoIterator<Item = (Outcome, Vec<Answer>)>) -> Self {
        Self(answers.into_iter().filter(|(_, answers)| !answers.is_empty()).collect())
    }

    /// Whether there is an answer of its own to `outcome` for every request.
    pub fn has(&self, outcome: Outcome) -> bool {
        let is_for_all = |answer: &Answer| answer.when.is_empty() && !answer.json_only;
        self.0.get(&outcome).is_some_and(|answers| answers.iter().any(is_for_all))
    }

    /// The answer to `outcome`: its own or that of what it stands for; `None` where the profile has neither.
    ///
    /// # Errors
    /// [`BodyError`] when its template fails on these words.
    pub fn reply(&self, outcome: Outcome, words: &Words<'_>) -> Result<Option<Reply>, BodyError> {
        let mut looked_at = Some(outcome);
        while let Some(now) = looked_at {
            if let Some(answer) = self.own(now, words.asked, words.json) {
                let reply = Reply {
                    status: answer.status.unwrap_or(outcome.status()),
                    content_type: answer.content_type.clone(),
                    body: answer.body.render(words)?,
                };
                return Ok(Some(reply));
            }
            looked_at = now.instead();
        }
        Ok(None)
    }

    /// Whether a request with these parameters, whose client wants `json` or not, would be told of each destination
    /// apart; `None` where there is no answer for it.
    pub fn tells_each(&self, asked: &BTreeMap<String, String>, json: bool) -> Option<bool> {
        self.own(Outcome::Accepted, asked, json).map(|answer| answer.body.tells_each())
    }

    fn own(&self, outcome: Outcome, asked: &BTreeMap<String, String>, json: bool) -> Option<&Answer> {
        let has = |(name, value): &(String, String)| {
            asked.get(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
        };
        let fits = |answer: &&Answer| (json || !answer.json_only) && answer.when.iter().all(has);
        self.0.get(&outcome)?.iter().find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(when: &[(&str, &str)], status: u16, body: &str) -> Answer {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Answer {
            when: when.iter().map(owned).collect(),
            json_only: false,
            status: Some(status),
            content_type: "text/plain".to_owned(),
            body: Body::new(body, "text/plain").unwrap(),
        }
    }

    fn reply(answers: &Answers, outcome: Outcome, asked: &[(&str, &str)]) -> Option<(u16, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let asked = asked.iter().map(owned).collect();
        let words = Words { reason: "why", ..Words::of(&asked) };
        answers.reply(outcome, &words).unwrap().map(|reply| (reply.status, reply.body))
    }

    #[test]
    fn an_outcome_has_its_own_answer_or_that_of_what_it_stands_for() {
        let answers = Answers::new([
            (Outcome::Refused, vec![answer(&[], 400, "no: {{ reason }}")]),
            (Outcome::MissingTo, vec![answer(&[], 400, "to")]),
            (Outcome::Unavailable, vec![answer(&[], 503, "later")]),
        ]);
        let body = |outcome| reply(&answers, outcome, &[]).map(|(_, body)| body);
        assert_eq!(body(Outcome::EmptyTo).as_deref(), Some("to"));
        assert_eq!(body(Outcome::MissingText).as_deref(), Some("no: why"));
        assert_eq!(body(Outcome::NoSession).as_deref(), Some("no: why"));
        assert_eq!(reply(&answers, Outcome::TooFast, &[]), Some((503, "later".to_owned())));
        assert_eq!(body(Outcome::Accepted), None);
        assert!(answers.has(Outcome::Refused) && !answers.has(Outcome::EmptyTo));
    }

    #[test]
    fn the_first_answer_whose_conditions_hold_is_given() {
        let xml = answer(&[("responsetype", "xml")], 200, "<xml/>");
        let answers = Answers::new([(Outcome::Accepted, vec![xml, answer(&[], 200, "OK")])]);
        let body = |asked: &[(&str, &str)]| reply(&answers, Outcome::Accepted, asked).unwrap().1;
        assert_eq!(body(&[("responsetype", "XML")]), "<xml/>");
        assert_eq!(body(&[("responsetype", "text")]), "OK");
        assert_eq!(body(&[]), "OK");
        assert!(answers.has(Outcome::Accepted));
        let each = answer(&[("responsetype", "xml")], 200, "{{ recipients|length }}");
        let answers = Answers::new([(Outcome::Accepted, vec![each, answer(&[], 200, "OK")])]);
        let asked = BTreeMap::from([("responsetype".to_owned(), "xml".to_owned())]);
        assert_eq!(answers.tells_each(&asked, false), Some(true));
        assert_eq!(answers.tells_each(&BTreeMap::new(), false), Some(false));
        assert_eq!(Answers::default().tells_each(&asked, false), None);
        let only_xml = Answers::new([(Outcome::Accepted, vec![answer(&[("r", "x")], 200, "")])]);
        assert!(!only_xml.has(Outcome::Accepted));
        assert_eq!(reply(&only_xml, Outcome::Accepted, &[]), None);
    }

    #[test]
    fn an_answer_may_be_for_those_who_want_json() {
        let json = Answer { json_only: true, ..answer(&[], 200, "{}") };
        let both = Answers::new([(Outcome::Refused, vec![json.clone(), answer(&[], 200, "no")])]);
        let asked = BTreeMap::new();
        let body = |answers: &Answers, json| {
            let words = Words { json, ..Words::of(&asked) };
            answers.reply(Outcome::Refused, &words).unwrap().map(|reply| reply.body)
        };
        assert_eq!(body(&both, true).as_deref(), Some("{}"));
        assert_eq!(body(&both, false).as_deref(), Some("no"));
        assert!(both.has(Outcome::Refused));
        let only_json = Answers::new([(Outcome::Refused, vec![json])]);
        assert!(!only_json.has(Outcome::Refused));
        assert_eq!(body(&only_json, false), None);
    }

    #[test]
    fn without_a_status_an_answer_has_that_of_what_came_of_the_request() {
        let plain = Answer { status: None, ..answer(&[], 0, "no") };
        let answers = Answers::new([(Outcome::Refused, vec![plain])]);
        let status = |outcome| reply(&answers, outcome, &[]).map(|(status, _)| status);
        assert_eq!(status(Outcome::Refused), Some(400));
        assert_eq!(status(Outcome::NotAllowed), Some(403));
        assert_eq!(status(Outcome::MediaType), Some(415));
    }
}
