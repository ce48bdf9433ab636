//! Rotas: mail to whoever is on call, and the command that tells who it is.

use crate::support::World;
use crate::support::client::run;

/// The configuration of the manual, and what it says the command prints.
fn manual() -> (String, String, String) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/oncall.md")).unwrap();
    let block = |fence: &str| {
        let begin = page.find(fence).unwrap() + fence.len();
        page[begin..begin + page[begin..].find("```").unwrap()].to_owned()
    };
    let printed = block("```console\n").split_once('\n').unwrap().1.to_owned();
    (block("```toml\n"), block("```text\n"), printed)
}

fn oncall(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    looking(world, "oncall", arguments)
}

/// A command of somebody who may not read the secrets: the variable that holds one is not set.
fn looking(world: &World, command: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let config = world.directory.path().join("relay.toml");
    let all = [&[command, "--config", config.to_str().unwrap()][..], arguments];
    run(env!("CARGO_BIN_EXE_sms-relay"), &all.concat())
}

#[test]
fn the_manual_s_rotas_say_who_it_is() {
    let mut world = World::new();
    let (rotas, overrides, printed) = manual();
    world.extra.push_str(rotas.split_once("\n\n").unwrap().1);
    world.otherwise.push(("[aliases]", rotas.split_once("\n\n").unwrap().0.to_owned()));
    std::fs::write(world.directory.path().join("duty.overrides"), overrides).unwrap();
    world.write();
    let at = |time: &str| oncall(&world, &["--at", time]);
    assert_eq!(at("2026-11-20T12:00:00+01:00"), (Some(0), printed));
    assert_eq!(
        oncall(&world, &["DUTY", "--at", "2026-12-25T12:00:00+01:00"]),
        (
            Some(0),
            "duty: bruno (+393470000002) until Sun 2026-12-27 09:00+01:00, line 2 of the overrides\n"
                .to_owned()
        )
    );
    let (exit, told) = looking(&world, "explain", &["--to", "weekly", "--text", "Fire"]);
    assert!(exit == Some(0) && told.contains("Fire"), "{told}");
    let (exit, told) = looking(&world, "check", &[]);
    assert!(exit == Some(78) && told.contains("environment variable `PBX_PASSWORD` is not set"), "{told}");
    let unknown = "`night` is no rota; there are: duty, weekly\n".to_owned();
    assert_eq!(oncall(&world, &["night"]), (Some(64), unknown));
}

#[test]
fn mail_to_a_rota_reaches_who_is_on_call_and_overrides_count_from_a_reload_on() {
    let mut world = World::new();
    world.extra.push_str(
        "[[rota]]\nname = \"duty\"\nturns = [\"oncall\"]\nfrom = \"2026-01-05\"\nhandover = \"Mon 09:00\"\n\
         overrides = \"duty.overrides\"\n",
    );
    let overrides = world.directory.path().join("duty.overrides");
    std::fs::write(&overrides, "# nobody is away\n").unwrap();
    let relay = world.start();
    let reached =
        |id: &str| relay.fate_when(id, "delivered")["messages"][0]["phone"].as_str().unwrap().to_owned();
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "one")])), "+393471234567");
    std::fs::write(&overrides, "2000-01-01 .. 2199-12-31 +393478888888\n").unwrap();
    relay.reload();
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "two")])), "+393478888888");
    // A file that is wrong changes nothing, and keeps nothing else from being taken.
    std::fs::write(&overrides, "2000-01-01 .. 2199-12-31\n").unwrap();
    world.extra.push_str(
        "[[rota]]\nname = \"other\"\nturns = [\"duty\"]\nfrom = \"2026-01-05\"\nhandover = \"Mon 09:00\"\n",
    );
    world.write();
    relay.reload();
    relay.wait_for_log("what is wrong", |line| {
        line["line"] == 1 && line.to_string().contains("nobody is named")
    });
    assert_eq!(reached(&relay.post(&[("to", "other"), ("text", "three")])), "+393478888888");
}

#[test]
fn overrides_are_taken_in_by_themselves_and_a_wrong_file_changes_nothing() {
    const CHANGED: &str = "the overrides of the rotas have changed and hold from now on";
    let mut world = World::new();
    world.extra.push_str(
        "[[rota]]\nname = \"duty\"\nturns = [\"oncall\"]\nfrom = \"2026-01-05\"\nhandover = \"Mon 09:00\"\n\
         overrides = \"duty.overrides\"\n",
    );
    let overrides = world.directory.path().join("duty.overrides");
    std::fs::write(&overrides, "").unwrap();
    let relay = world.start();
    let reached =
        |id: &str| relay.fate_when(id, "delivered")["messages"][0]["phone"].as_str().unwrap().to_owned();
    let always = |who: &str| std::fs::write(&overrides, format!("2000-01-01 .. 2199-12-31 {who}\n")).unwrap();
    always("+393478888888");
    // Half edited, and nobody's business.
    std::fs::write(world.directory.path().join("relay.toml"), "[[rule").unwrap();
    relay.wait_for_message(CHANGED);
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "one")])), "+393478888888");
    always("nobody");
    let told =
        relay.wait_for_log("the line", |line| line["line"] == 1 && line.to_string().contains("`nobody`"));
    assert!(told["file"].as_str().unwrap().ends_with("duty.overrides"), "{told}");
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "two")])), "+393478888888");
    let seen = relay.log().len();
    always("+393477777777");
    relay.wait_for_next(seen, CHANGED);
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "three")])), "+393477777777");
    // A reload of everything reads them too.
    world.write();
    std::fs::remove_file(&overrides).unwrap();
    relay.wait_for_log("that it is gone", |line| line.to_string().contains("No such file"));
    std::fs::write(&overrides, "").unwrap();
    relay.reload();
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "four")])), "+393471234567");
}
