//! A start that cannot work ends at once, with the exit code of sysexits(3) that tells why, and one
//! line in the log that says what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{World, run, tool};

/// Why the relay did not start.
fn reason(log: &[Value]) -> String {
    let line = log.iter().find(|line| line["message"] == "the relay did not start");
    line.unwrap_or_else(|| panic!("{log:#?}"))["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_port_in_use_is_69() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut world = World::new();
    let bind = |door: &str| format!("name = \"{door}\"\nbind = \"{address}\"");
    world.otherwise = vec![("name = \"mail\"\nbind = \"127.0.0.1:0\"", bind("mail"))];
    let (code, log) = world.start_in_vain();
    let advice = "stop the program that listens there or choose another port";
    let expected = format!(
        "SMTP listener `mail` cannot listen on {address}: Address already in use (os error 98); {advice}"
    );
    assert_eq!((code, reason(&log)), (Some(69), expected));

    world.otherwise = vec![("name = \"forms\"\nbind = \"127.0.0.1:0\"", bind("forms"))];
    let (code, log) = world.start_in_vain();
    let expected = format!(
        "HTTP listener `forms` cannot listen on {address}: Address already in use (os error 98); free the address or change it"
    );
    assert_eq!((code, reason(&log)), (Some(69), expected));
}

#[test]
fn a_spool_that_cannot_be_made_is_73() {
    let world = World::new();
    let spool = world.directory.path().join("spool");
    std::fs::write(&spool, "a file").unwrap();
    let (code, log) = world.start_in_vain();
    let expected = format!("the spool cannot be used: `{}` is not a directory", spool.display());
    assert_eq!((code, reason(&log)), (Some(73), expected));
    assert_eq!(std::fs::read_to_string(&spool).unwrap(), "a file");

    std::fs::remove_file(&spool).unwrap();
    std::fs::create_dir(&spool).unwrap();
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, log) = world.start_in_vain();
    let shown = spool.display();
    let expected = format!(
        "the spool cannot be used: everybody may write to its directory `{shown}`; run `chmod o-rwx {shown}`"
    );
    assert_eq!((code, reason(&log)), (Some(73), expected));
}

#[test]
fn a_second_relay_on_the_same_spool_is_refused() {
    let world = World::new();
    let first = world.start();
    let (code, log) = world.start_in_vain();
    let expected = format!(
        "the spool cannot take anything now: another sms-relay (process {}) uses `{}`; stop it, or give this one a directory of its own",
        first.pid().as_raw_nonzero(),
        world.directory.path().join("spool").display()
    );
    assert_eq!((code, reason(&log)), (Some(69), expected));
    assert!(first.terminate().success());
    assert!(world.start().terminate().success());
}

#[test]
fn a_key_file_that_is_missing_or_open_to_everybody_is_78() {
    let mut world = World::new();
    world.otherwise.push(("credentials = \"emulator\"", "api_key = { file = \"api.key\" }".to_owned()));
    let key = world.directory.path().join("api.key");
    let shown = key.display();
    let failed = |world: &World| {
        let (code, log) = world.start_in_vain();
        let first = log[0].as_str().unwrap().to_owned();
        (code, first.split_once("error: ").unwrap().1.to_owned())
    };
    let missing = format!("the secret in `{shown}` cannot be read: No such file or directory (os error 2)");
    assert_eq!(failed(&world), (Some(78), missing));
    std::fs::write(&key, "hunter2\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!(
        "the secret in `{shown}` is open to every user of this machine (mode 0644); run: chmod 0600 {shown}"
    );
    assert_eq!(failed(&world), (Some(78), open));
}

/// Runs the program as a user who may do nothing; `None` where that cannot be had.
fn as_nobody(directory: &Path, arguments: &[&str]) -> Option<(Option<i32>, String)> {
    if !tool("setpriv") {
        return None;
    }
    // A copy, for the original may lie where nobody may go.
    let program = directory.join("sms-relay");
    std::fs::copy(env!("CARGO_BIN_EXE_sms-relay"), &program).unwrap();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "env", "PBX_PASSWORD=swordfish"];
    let nobody: &[&str] = if rustix::process::geteuid().is_root() { &nobody } else { &nobody[3..] };
    Some(run("setpriv", &[nobody, &[program.to_str().unwrap()], arguments].concat()))
}

#[test]
fn what_its_user_may_not_read_or_write_is_told() {
    let mut world = World::new();
    world.otherwise.push(("credentials = \"emulator\"", "api_key = { file = \"api.key\" }".to_owned()));
    let config = world.write();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    let key = world.directory.path().join("api.key");
    std::fs::write(&key, "hunter2\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o000)).unwrap();
    let arguments = ["run", "--config", config.to_str().unwrap()];
    let Some((code, printed)) = as_nobody(world.directory.path(), &arguments) else { return };
    let unreadable =
        format!("error: the secret in `{}` cannot be read: Permission denied (os error 13)", key.display());
    assert_eq!(code, Some(78), "{printed}");
    assert!(printed.contains(&unreadable), "{printed}");

    world.otherwise = vec![("directory = \"spool\"", "directory = \"locked/spool\"".to_owned())];
    world.write();
    let locked = world.directory.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    let Some((code, printed)) = as_nobody(world.directory.path(), &arguments) else { return };
    let unwritable = format!(
        "the spool cannot be used: its directory `{}` cannot be used: Permission denied (os error 13)",
        locked.join("spool").display()
    );
    assert_eq!(code, Some(73), "{printed}");
    assert!(printed.contains(&unwritable), "{printed}");
}
