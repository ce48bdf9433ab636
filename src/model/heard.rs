//! Who is to be heard of, and what is remembered with what is accepted.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What kind of name it is that is to be heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A rule.
    Rule,
    /// An account of either door.
    Account,
    /// A network of the SMTP door.
    Network,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rule, Self::Account, Self::Network];

    /// The word used in the spool, the metrics and the words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Account => "account",
            Self::Network => "network",
        }
    }
}

/// A name of the configuration that mails and forms come by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// What it names.
    pub kind: SourceKind,
    /// The name.
    pub name: String,
}

impl Source {
    /// A rule, an account or a network by its name.
    pub fn new(kind: SourceKind, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }

    /// The form in which the spool keeps it: `account:ups`. No name has a colon.
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.name)
    }
}

/// A text that is no [`Source::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no rule, account or network")]
pub struct SourceError;

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(key: &str) -> Result<Self, SourceError> {
        let (kind, name) = key.split_once(':').ok_or(SourceError)?;
        let kind = SourceKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(SourceError)?;
        Ok(Self::new(kind, name))
    }
}

impl fmt::Display for Source {
    /// `account ups`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// What is remembered in the commit by which a submission is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Who was heard of by it, each once; only those who are expected.
    pub heard: Vec<Source>,
    /// Keys and their values, for a part of the program that has to know after a crash that it was accepted.
    pub notes: Vec<(String, String)>,
}
