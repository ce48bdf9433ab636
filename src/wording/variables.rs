//! Values for the variables of a template that the platform holds, made of templates of ours.

use std::collections::BTreeMap;

use super::{Groups, Source, Template};

/// Most characters of one value; a longer one is cut. What WhatsApp takes for one variable.
pub const MAX_VALUE: usize = 1024;

/// The variables of a template that the platform approved beforehand, each with what fills it.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Template>);

/// What came of them for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// By name; at most [`MAX_VALUE`] characters each.
    pub values: BTreeMap<String, String>,
    /// Why a value could not be made as its template says; it is then made of subject and text.
    pub problem: Option<String>,
}

impl Variables {
    /// These, by name.
    pub fn new(variables: BTreeMap<String, Template>) -> Self {
        Self(variables)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The named groups that they use.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.values().flat_map(Template::groups).map(String::as_str)
    }

    /// The values for one recipient; the arguments are those of
    /// [`Wording::compose`](super::Wording::compose).
    pub fn fill(&self, source: &Source<'_>, distilled: &str, to: &str, groups: &Groups) -> Filled {
        let mut filled = Filled::default();
        for (name, template) in &self.0 {
            let (value, problem) = template.render(source, distilled, to, groups);
            if let Some(problem) = problem {
                filled.problem.get_or_insert_with(|| format!("variable `{name}`: {problem}"));
            }
            filled.values.insert(name.clone(), value.chars().take(MAX_VALUE).collect());
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::mail::Headers;
    use crate::model::{Client, Door};

    fn filled(templates: &[(&str, &str)], subject: &str, text: &str) -> Filled {
        let client = Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: None,
        };
        let source = Source {
            subject,
            text,
            text_with_links: None,
            is_mail: true,
            from: "",
            from_name: "",
            client: &client,
            headers: Headers::default(),
            attachments: &[],
            received_at: &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC),
        };
        let one = |(name, template): &(&str, &str)| ((*name).to_owned(), Template::new(template).unwrap());
        let variables = Variables::new(templates.iter().map(one).collect());
        variables.fill(&source, text, "oncall", &Groups::new())
    }

    #[test]
    fn each_is_filled_by_its_template_and_cut_at_n_characters() {
        let templates = [("host", "{{ subject | upper }}"), ("text", "{{ text }}"), ("plant", "Bologna")];
        let made = filled(&templates, "srv1", "è".repeat(MAX_VALUE).as_str());
        let lengths: Vec<usize> = made.values.values().map(|value| value.chars().count()).collect();
        assert_eq!((made.values["host"].as_str(), made.values["plant"].as_str()), ("SRV1", "Bologna"));
        assert_eq!((lengths, made.problem), (vec![4, 7, MAX_VALUE], None));
        let made = filled(&templates, "srv1", "è".repeat(MAX_VALUE + 1).as_str());
        assert_eq!(made.values["text"].chars().count(), MAX_VALUE);
    }

    #[test]
    fn one_that_fails_is_made_of_subject_and_text_and_says_so() {
        let made = filled(&[("host", "{{ json.host }}")], "Fire", "in hall 3");
        assert_eq!(made.values["host"], "Fire\nin hall 3");
        let problem = made.problem.unwrap();
        assert!(problem.starts_with("variable `host`: the template failed"), "{problem}");
    }
}
