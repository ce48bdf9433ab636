//! Rotas: mail to whoever is on call, and the command that tells who it is.

use rustix::process::Signal;

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
    let config = world.directory.path().join("relay.toml");
    let password = format!("PBX_PASSWORD={}", "swordfish");
    let all = [
        &["-S", &password, env!("CARGO_BIN_EXE_sms-relay"), "oncall", "--config", config.to_str().unwrap()][..],
        arguments,
    ];
    run("env", &all.concat())
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
    // A file that is wrong changes nothing.
    std::fs::write(&overrides, "2000-01-01 .. 2199-12-31\n").unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for_log("what is wrong", |line| {
        line.to_string().contains("duty.overrides:1:25: nobody is named")
    });
    assert_eq!(reached(&relay.post(&[("to", "duty"), ("text", "three")])), "+393478888888");
}
