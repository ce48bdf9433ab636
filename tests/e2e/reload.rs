//! SIGHUP takes new rules, aliases and credentials without dropping a connection; a faulty file
//! changes nothing and says why.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Smtp, World, run, tool};

/// The reply to a recipient, on a connection that stays open.
fn recipient(smtp: &mut Smtp, to: &str) -> String {
    smtp.command("RSET").unwrap();
    smtp.command("MAIL FROM:<a@example.com>").unwrap();
    smtp.command(&format!("RCPT TO:<{to}>")).unwrap()
}

#[test]
fn aliases_and_rules_change_under_an_open_connection() {
    let mut world = World::new();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let unknown = "550 5.1.1 `night` is not a phone number, and there is no alias of that name";
    assert_eq!(recipient(&mut smtp, "night@sms.local"), unknown);

    let aliases = world.configuration().replace("[aliases]", "[aliases]\nnight = \"+393470000009\"");
    let path = world.write();
    fs::write(&path, &aliases).unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for_log("reloaded", |line| line["message"] == "reloaded: rules, aliases and credentials");
    assert!(recipient(&mut smtp, "night@sms.local").starts_with("250 2.1.5 "));

    fs::write(&path, aliases.replace("night = ", "night : ")).unwrap();
    relay.signal(Signal::HUP);
    let told = "not reloaded: the old rules stay until the configuration is right";
    relay.wait_for_log("not reloaded", |line| line["message"] == told);
    let problem = relay.find_log(|line| line["line"].is_number() && line["column"].is_number());
    assert!(problem.is_some(), "the place of the mistake is in the log");
    assert!(recipient(&mut smtp, "night@sms.local").starts_with("250 2.1.5 "));

    world.rules = "[[rule]]\nname = \"closed\"\nwhen.recipient = \"oncall\"\nrefuse = \"the line is closed\""
        .to_owned();
    fs::write(&path, world.configuration()).unwrap();
    relay.signal(Signal::HUP);
    let mut reloads = 0;
    relay.follow_log("reloaded twice", |line| {
        reloads += usize::from(line["message"] == "reloaded: rules, aliases and credentials");
        reloads == 2
    });
    let refused = "550 5.7.1 the line is closed";
    assert_eq!(recipient(&mut smtp, "oncall@sms.local"), refused);
    assert_eq!(recipient(&mut smtp, "night@sms.local"), unknown);
    assert!(relay.terminate().success());
}

#[test]
fn a_password_file_is_read_again() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    let file = world.directory.path().join("shop.password");
    let password = |words: &str| {
        fs::write(&file, words).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    };
    password("first-secret\n");
    world.extra = "[[http.account]]\nname = \"shop\"\nnetworks = [\"127.0.0.0/8\"]\npassword = { file = \"shop.password\" }".to_owned();
    let relay = world.start();
    let status = |password: &str| {
        let url = format!("http://{}/sms", relay.http);
        let user = format!("shop:{password}");
        run(
            "curl",
            &[
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-u",
                &user,
                "-d",
                "to=oncall",
                "-d",
                "text=x",
                &url,
            ],
        )
        .1
    };
    assert_eq!((status("first-secret"), status("second-secret")), ("200".to_owned(), "401".to_owned()));
    password("second-secret\n");
    relay.signal(Signal::HUP);
    relay.wait_for_log("reloaded", |line| line["message"] == "reloaded: rules, aliases and credentials");
    assert_eq!((status("first-secret"), status("second-secret")), ("401".to_owned(), "200".to_owned()));
    assert!(relay.terminate().success());
}
