//! Which gateways' messages somebody looks after: those that are configured, and those that are gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Line, Lines};
use crate::model::{Cause, Reason};

/// How often the names are asked for. One comes up by a reload mostly, and then they are asked for at once.
const EVERY: Duration = Duration::from_secs(60);

/// What was found when the names of all gateways that have messages were last asked for.
#[derive(Default)]
pub struct Roll {
    seen: Option<(Arc<Vec<Line>>, Instant)>,
    missing: Vec<String>,
    has_nameless: bool,
}

impl Roll {
    /// Whether it need not be made anew: the gateways are the same, and it is young.
    pub fn is_current(&self, lines: &Lines) -> bool {
        self.seen.as_ref().is_some_and(|(seen, at)| Arc::ptr_eq(seen, &lines.all()) && at.elapsed() < EVERY)
    }

    /// Makes it anew from the names of all gateways that have messages. Returns the gateways that were configured
    /// the last time and are not now.
    pub fn call(&mut self, lines: &Lines, names: Vec<String>) -> Vec<String> {
        let all = lines.all();
        let is_there = |name: &str| all.iter().any(|line| line.gateway.name() == name);
        let before = self.seen.take().map(|(before, _)| before).unwrap_or_default();
        let gone = before.iter().map(|line| line.gateway.name()).filter(|name| !is_there(name));
        let gone = gone.map(str::to_owned).collect();
        self.has_nameless = names.iter().any(String::is_empty);
        self.missing = names.into_iter().filter(|name| !name.is_empty() && !is_there(name)).collect();
        self.seen = Some((all, Instant::now()));
        gone
    }

    /// Gateways that have messages and are not configured any more.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// By which names the spool knows the messages of `line`: the first one also looks after those of the
    /// time before gateways had names.
    pub fn names<'a>(&self, line: &'a Line, is_first: bool) -> impl Iterator<Item = &'a str> + use<'a> {
        [Some(line.gateway.name()), (is_first && self.has_nameless).then_some("")].into_iter().flatten()
    }
}

/// Why nobody can be asked about what went by a gateway that is gone.
pub fn gone(gateway: &str) -> Cause {
    let text = format!("its gateway `{gateway}` is not configured any more, so nobody can be asked");
    Reason::GatewayFault.told(text)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::gateway::lines::tests::{line_settings, named};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_is_gone_is_told_once_and_its_messages_stay_known() {
        let lines = Lines::new(vec![(named("a"), line_settings()), (named("b"), line_settings())]);
        let mut roll = Roll::default();
        assert!(!roll.is_current(&lines));
        assert_eq!(roll.call(&lines, words(&["", "b", "old"])), [""; 0]);
        assert!(roll.is_current(&lines));
        assert_eq!(roll.missing(), ["old"]);
        let all = lines.all();
        assert_eq!(roll.names(&all[0], true).collect::<Vec<_>>(), ["a", ""]);
        assert_eq!(roll.names(&all[1], false).collect::<Vec<_>>(), ["b"]);
        lines.swap(vec![(named("b"), line_settings())], Timestamp::UNIX_EPOCH);
        assert!(!roll.is_current(&lines), "a reload makes it old at once");
        assert_eq!(roll.call(&lines, words(&["a", "b", "old"])), ["a"]);
        assert_eq!(roll.missing(), ["a", "old"]);
        assert_eq!(roll.names(&lines.all()[0], true).collect::<Vec<_>>(), ["b"]);
        assert_eq!(roll.call(&lines, words(&["a", "b", "old"])), [""; 0]);
    }
}
