//! Tells of those who are silent, and of those who were heard of again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::silence::{self, News, Told};
use super::telling::{Text, Tried, filled, mail};
use super::words::{self, Item};
use super::{AGAIN, Expectation, GATHERED, LISTENER, SHORTEST_WAIT, Settings, State, TOLD, Vigil, json};
use crate::model::Source;
use crate::retry::later;
use crate::spool::{Heard, SpoolError};
use crate::wording::{OwnTemplate, OwnWords};

/// What is told together.
struct Group<'a> {
    tell: &'a [String],
    text: Option<&'a OwnTemplate>,
    items: Vec<Item>,
}

impl Vigil {
    /// Tells who is silent and who was heard of again; when there may be news next.
    pub(super) async fn tell_news(
        &self,
        state: &mut State,
        settings: &Settings,
        heard: &BTreeMap<Source, Heard>,
        now: Timestamp,
    ) -> Result<Timestamp, SpoolError> {
        let mut next = Timestamp::MAX;
        let mut news: [Vec<(&Expectation, &Heard, Duration)>; 2] = Default::default();
        for one in &settings.expected {
            let Some(heard) = heard.get(&one.source) else { continue };
            let told = state.told.get(&one.source.key()).copied();
            match silence::news(heard, one.within, told, now) {
                Some(News::Silent(silent)) => news[0].push((one, heard, silent)),
                Some(News::Again(silent)) => news[1].push((one, heard, silent)),
                None if silence::is_silent(heard, one.within, now) => {}
                None => next = next.min(silence::due(heard, one.within)),
            }
        }
        for (place, news) in news.into_iter().enumerate().filter(|(_, news)| !news.is_empty()) {
            let free_at = state.told_at[place].filter(|at| *at <= now).map(|at| later(at, GATHERED));
            if let Some(free_at) = free_at.filter(|at| *at > now) {
                next = next.min(free_at);
                continue;
            }
            for group in self.grouped(&news, place) {
                let mut told = state.told.clone();
                for item in &group.items {
                    let key = item.source.key();
                    match heard.get(&item.source).filter(|_| place == 0) {
                        Some(heard) => drop(told.insert(key, Told::of(heard))),
                        None => drop(told.remove(&key)),
                    }
                }
                // Of those who are no more in the configuration nothing is kept.
                told.retain(|key, _| settings.expected.iter().any(|one| one.source.key() == *key));
                match self.tell(settings, &group, place == 0, &json(&told), now).await? {
                    Tried::Told => state.told = told,
                    Tried::Later => return Ok(later(now, AGAIN)),
                    // Tried again with the next text: somebody may have mended the rules, or the night may be over.
                    Tried::Untold => {}
                }
            }
            state.told_at[place] = Some(now);
            // Its silence begins anew.
            next = next.min(later(now, SHORTEST_WAIT));
        }
        Ok(next)
    }

    fn grouped<'a>(&self, news: &[(&'a Expectation, &Heard, Duration)], place: usize) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (one, heard, silent) in news {
            let last = heard.at.filter(|_| place == 0).map(|at| at.to_zoned(self.zone.clone()));
            let item = Item { source: one.source.clone(), silent: *silent, last };
            let text = one.text.as_ref().filter(|_| place == 0);
            let same = |group: &&mut Group<'_>| {
                text.is_none() && group.text.is_none() && group.tell == one.tell.as_slice()
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.items.push(item),
                None => groups.push(Group { tell: &one.tell, text, items: vec![item] }),
            }
        }
        groups
    }

    /// Tells of a group by text and mail and notes it.
    async fn tell(
        &self,
        settings: &Settings,
        group: &Group<'_>,
        is_silence: bool,
        note: &str,
        now: Timestamp,
    ) -> Result<Tried, SpoolError> {
        for item in &group.items {
            let (source, silent) = (item.source.to_string(), words::spelled(item.silent));
            match is_silence {
                true => tracing::warn!(source, silent, "nothing was heard for too long"),
                false => tracing::info!(source, silent, "heard again"),
            }
        }
        let mail = |untold: Option<&str>| {
            let (subject, text) = match is_silence {
                true => words::silent_mail(&group.items, untold),
                false => words::again_mail(&group.items, untold),
            };
            mail(settings, &subject, &text, now)
        };
        let text = match (is_silence, group.text, group.items.as_slice()) {
            (true, Some(template), [one, ..]) => {
                let words = OwnWords {
                    name: &one.source.name,
                    kind: one.source.kind.as_str(),
                    silent: &words::spelled(one.silent),
                    now: now.to_zoned(self.zone.clone()),
                };
                filled(template, &words, || words::silent_text(&group.items))
            }
            (true, _, items) => words::silent_text(items),
            (false, _, items) => words::again_text(items),
        };
        let told = Text { to: group.tell, text, listener: LISTENER, key: TOLD, note };
        self.tell_or_mail(told, mail, now).await
    }
}
