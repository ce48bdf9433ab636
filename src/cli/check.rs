//! `sms-relay check`: every mistake of a configuration, and whether its tests pass.

use std::path::Path;

use jiff::Timestamp;

use super::Exit;
use crate::config::{self, Outcome};

pub(super) fn check(path: &Path) -> Exit {
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(problems) => {
            print!("{problems}");
            return Exit::Config;
        }
    };
    print!("{}", loaded.warnings);
    let Outcome { passed, failed, problems } = loaded.tests.run(&loaded.config, Timestamp::now());
    print!("{problems}");
    let counted = |count: usize| if count == 1 { "1 test".to_owned() } else { format!("{count} tests") };
    if failed > 0 {
        println!("{} passed, {failed} failed", counted(passed));
        return Exit::Config;
    }
    println!("{}: no error", path.display());
    if passed > 0 {
        println!("{} passed", counted(passed));
    }
    Exit::Fine
}
