//! How urgent an SMS is.

use std::fmt;
use std::str::FromStr;

/// A lane of the way out. Messages overtake each other between lanes, never within one to the same
/// phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Goes before everything else.
    Critical,
    /// The usual one.
    #[default]
    Normal,
    /// May wait for everything else.
    Bulk,
}

impl Lane {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Normal, Self::Bulk];

    /// The word used in the configuration, the spool and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }

    /// Its place in [`Lane::ALL`].
    pub fn index(self) -> usize {
        match self {
            Self::Critical => 0,
            Self::Normal => 1,
            Self::Bulk => 2,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|lane| lane.as_str() == text);
        found.ok_or_else(|| format!("`{}` is not a lane", text.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_read_and_written_alike_and_sorted_by_urgency() {
        for (at, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.as_str().parse::<Lane>().unwrap(), lane);
            assert_eq!(lane.index(), at);
        }
        assert!(Lane::Critical < Lane::Normal && Lane::Normal < Lane::Bulk);
        assert!("urgent".parse::<Lane>().is_err());
    }
}
