//! `sms-relay check`: every mistake of a configuration.

use std::path::Path;

use super::Exit;
use crate::config;

pub(super) fn check(path: &Path) -> Exit {
    match config::load(path) {
        Ok(loaded) => {
            print!("{}", loaded.warnings);
            println!("{}: no error", path.display());
            Exit::Fine
        }
        Err(problems) => {
            print!("{problems}");
            Exit::Config
        }
    }
}
