//! The platform's key comes from a file, the environment or a systemd credential, or it is Basic.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Smtp, World};

/// One mail reaches a platform that lets nobody else in.
fn sends_with(world: &mut World, credentials: &str, environment: &[(&str, &str)]) {
    world.otherwise.push(("credentials = \"emulator\"", credentials.to_owned()));
    let relay = world.start_with(environment);
    let mut client = Smtp::connect(relay.smtp).unwrap();
    Smtp::queued(&client.mail("ups@example.com", "oncall@sms.local", "Subject: x\r\n\r\ntext").unwrap());
    world.wait_for_platform("the text", |record| record.total() == 1);
    assert_eq!(world.emulator.requests().unauthorized, 0);
    assert!(relay.terminate().success());
}

fn secret(world: &World, name: &str, mode: u32, words: &str) {
    let path = world.directory.path().join(name);
    std::fs::write(&path, words).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_in_a_file_that_only_its_owner_reads() {
    let mut world = World::new();
    secret(&world, "api.key", 0o600, "emulator\n");
    sends_with(&mut world, "api_key = { file = \"api.key\" }", &[]);
}

#[test]
fn a_key_in_the_environment() {
    let mut world = World::new();
    sends_with(&mut world, "api_key = { env = \"PLATFORM_KEY\" }", &[("PLATFORM_KEY", "emulator")]);
}

#[test]
fn a_key_as_a_systemd_credential() {
    let mut world = World::new();
    let directory = world.directory.path().join("credentials");
    std::fs::create_dir(&directory).unwrap();
    secret(&world, "credentials/api-key", 0o400, "emulator");
    let environment = [("CREDENTIALS_DIRECTORY", directory.to_str().unwrap())];
    sends_with(&mut world, "api_key = { credential = \"api-key\" }", &environment);
}

#[test]
fn a_user_name_and_a_password() {
    let mut world = World::with_platform(|settings| {
        settings.api_key = None;
        settings.basic = Some(("relay".to_owned(), "open sesame".into()));
    });
    secret(&world, "password", 0o600, "open sesame\n");
    sends_with(&mut world, "basic = { username = \"relay\", password = { file = \"password\" } }", &[]);
}
