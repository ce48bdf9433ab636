//! `sms-relay check`: every mistake of a configuration.

use std::path::Path;

use super::Exit;
use crate::config::Config;

pub(super) fn check(path: &Path) -> Exit {
    match Config::load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                print!("{warning}");
            }
            println!("{}: no error, {} warning(s)", path.display(), loaded.warnings.len());
            Exit::Fine
        }
        Err(problems) => {
            print!("{problems}");
            Exit::Config
        }
    }
}
