//! The reading of `/sms` for tests of this module, from the file that describes it; the configuration, which reads such
//! files, stands above.

use std::sync::{Arc, LazyLock};

use crate::profile::{Action, Answers, Endpoint, Meaning, Methods, Names, Profile, Reading, UnaskedSender};

pub(super) static GENERIC: LazyLock<Reading> = LazyLock::new(|| {
    let file: toml::Table = include_str!("../config/profiles/sms.toml").parse().unwrap();
    let written = &file["endpoint"].as_array().unwrap()[0]["names"];
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let names = Meaning::ALL.into_iter().filter_map(|meaning| {
        let names = written.get(meaning.as_str())?;
        let several = names.as_array().map(|names| names.iter().map(text).collect());
        Some((meaning, several.unwrap_or_else(|| vec![text(names)])))
    });
    let unasked_sender = UnaskedSender::Refused;
    Reading { names: Names::new(names), unasked_sender, raw_request_line: true, ..Reading::default() }
});

/// `/sms` without its answers.
pub(super) fn profile(allow_get: bool) -> Arc<Profile> {
    let endpoint = Endpoint {
        action: Action::Send,
        methods: Methods { get: allow_get, post: true },
        paths: vec!["/sms".to_owned()],
        with: Vec::new(),
        reading: GENERIC.clone(),
        answers: Answers::default(),
    };
    Arc::new(Profile { name: "sms".to_owned(), endpoints: vec![endpoint] })
}
