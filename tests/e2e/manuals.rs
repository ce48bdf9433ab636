//! `docs/storms.md`, `docs/budgets.md` and `docs/deadmen.md` are true: `check` takes their configuration without a word, their
//! commands print what stands beneath them, and their metrics are there.

use sms_relay::spool::Spool as _;

use crate::support::client::{run, tool};
use crate::support::{Relay, World};

const STORMS: &str = include_str!("../../docs/storms.md");
const BUDGETS: &str = include_str!("../../docs/budgets.md");
const DEADMEN: &str = include_str!("../../docs/deadmen.md");

/// The fenced blocks with this word behind their fence.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let inside = page.split("```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// All of them are looked at by a test.
fn has_no_other_blocks(page: &'static str, known: usize) {
    assert_eq!(page.split("```").skip(1).step_by(2).count(), known);
}

/// What stands in backticks and begins like this, once.
fn inline(page: &'static str, beginning: &str) -> &'static str {
    let mut found = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    found.find(|code| code.starts_with(beginning)).unwrap_or_else(|| panic!("`{beginning}` is not there"))
}

/// A world with the configuration of a manual.
fn with(configuration: &str) -> World {
    let mut world = World::new();
    world.with_metrics();
    world.extra.push_str(configuration);
    if configuration.contains("\"office\"") {
        world.otherwise.push(("[aliases]", "[aliases]\noffice = \"+393470000003\"".to_owned()));
    }
    world.write();
    world
}

/// Types a command of a manual.
fn typed(world: &World, line: &str) -> (Option<i32>, String) {
    let config = world.directory.path().join("relay.toml");
    let line = line.replacen("sms-relay", env!("CARGO_BIN_EXE_sms-relay"), 1);
    let line = line.replace("relay.toml", config.to_str().unwrap());
    run("env", &["PBX_PASSWORD=swordfish", "sh", "-c", &line])
}

fn is_taken(world: &World, tests: usize) {
    let (code, printed) = typed(world, "sms-relay check --config relay.toml");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("relay.toml: no error\n"), "{printed}");
    assert!(tests == 0 || printed.contains(&format!("{tests} tests passed\n")), "{printed}");
}

/// The metrics of a manual's table are those of a relay with its configuration.
fn has_its_metrics(page: &'static str, relay: &Relay, least: usize) {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `sms_relay_")?.split_once(['`', '{']));
    let names: Vec<String> = rows.map(|(name, _)| format!("sms_relay_{name}")).collect();
    assert!(names.len() >= least, "{names:?}");
    for name in names {
        let family = name.strip_suffix("_total").unwrap_or(&name);
        relay.look_until(|| {
            let (_, metrics) = relay.get("/metrics");
            let there = metrics.contains(&format!("# TYPE {family} "));
            if there { Ok(()) } else { Err(format!("there is no {name} in:\n{metrics}")) }
        });
    }
}

#[test]
fn storms_fold_as_the_manual_explains() {
    has_no_other_blocks(STORMS, 3);
    let world = with(&blocks(STORMS, "toml").concat());
    is_taken(&world, 3);
    let console = blocks(STORMS, "console");
    let [console] = console.as_slice() else { panic!("{console:?}") };
    let (line, printed) = console.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
    let (code, explained) = typed(&world, line);
    assert_eq!(code, Some(0), "{explained}");
    assert!(explained.contains(printed), "{printed}\nis not in:\n{explained}");
}

#[test]
fn problem_and_recovery_are_paired_as_the_manual_of_storms_writes_it() {
    let pair = inline(STORMS, "pair = {");
    let test = |name: &str, subject: &str, expected: &str| {
        format!(
            "[[test]]\nname = \"{name}\"\nfrom = \"a@example.com\"\nto = \"oncall@sms.local\"\nsubject = \"{subject}\"\n\
             text = \"x\"\n{expected}\n"
        )
    };
    let key = "expect.pair_key = \"disk C\"";
    let world = with(&format!(
        "[storm]\n{pair}\n{}{}{}",
        test("problem", "PROBLEM: disk C", &format!("{key}\nexpect.recovery = false")),
        test("recovery", "OK: disk C", &format!("{key}\nexpect.recovery = true")),
        test("neither", "hello", "expect.pair_key = false\nexpect.recovery = false"),
    ));
    is_taken(&world, 3);
    // The short form takes any answer for one.
    is_taken(&with(&format!("[storm]\n{}\n", inline(STORMS, "pair = true"))), 0);
    let usual = "[storm]\nper_destination = \"usual\"\n";
    let explain = "sms-relay explain --config relay.toml --to oncall --text x";
    let (_, explained) = typed(&with(usual), explain);
    let steps = STORMS.split_once("`\"usual\"` is ").unwrap().1.split_once('.').unwrap().0;
    assert!(
        explained.contains(&format!("limit of this phone: {}\n", steps.replace(" and ", ", "))),
        "{explained}"
    );
}

#[test]
fn budgets_are_counted_where_the_manual_says() {
    has_no_other_blocks(BUDGETS, 1);
    let world = with(blocks(BUDGETS, "toml")[0]);
    is_taken(&world, 0);
    let relay = world.start();
    relay.fate_when(&relay.post(&[("to", "oncall"), ("text", "one")]), "delivered");
    has_its_metrics(BUDGETS, &relay, 4);
    relay.wait_for_metric("sms_relay_budget_spent{budget=\"all\"}", 1.0);
    assert!(relay.terminate().success());
    // A figure that the alert of the manual needs has the labels that it names.
    let alert = inline(BUDGETS, "sms_relay_budget_spent / ");
    assert!(alert.contains("ignoring(level)") && alert.contains("{level=\"hold\"}"), "{alert}");
    if tool("sqlite3") {
        let spool = world.directory.path().join("spool");
        let line = inline(BUDGETS, "sqlite3 ");
        let (code, printed) = run("sh", &["-c", &format!("cd {} && {line}", spool.display())]);
        assert_eq!(code, Some(0), "{printed}");
        let day = printed.lines().find(|line| line.starts_with("day:parts:all|"));
        assert!(day.is_some_and(|day| day.ends_with("|1")), "{printed}");
        assert!(printed.contains("month:money:forms|"), "{printed}");
    }
}

#[test]
fn who_is_silent_shows_where_the_manual_says() {
    has_no_other_blocks(DEADMEN, 3);
    let world = with(&blocks(DEADMEN, "toml").concat());
    is_taken(&world, 0);
    let (_, explained) = typed(
        &world,
        "sms-relay explain --config relay.toml --from ups@example.com --to oncall --subject 'self-test passed'",
    );
    assert!(explained.contains("dropped: a heartbeat"), "{explained}");
    world.with_spool(async |spool| {
        // A test that was looked at once has figures.
        let known =
            "{\"at\":\"2026-01-05T08:00:00Z\",\"last\":{\"at\":\"2026-01-05T08:00:05Z\",\"failure\":null}}";
        spool.set_note("heartbeat:weekly".to_owned(), known.to_owned()).await.unwrap();
    });
    let relay = world.start();
    relay.mail_with("Subject: self-test passed\r\n", "oncall@sms.local", "ok");
    has_its_metrics(DEADMEN, &relay, 5);
    assert!(relay.terminate().success());
}
