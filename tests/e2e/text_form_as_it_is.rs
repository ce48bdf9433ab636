//! What a form gives is meant for the phone: nothing is left out of it, but it is written in characters that
//! save a part as everything is.

use crate::support::{World, run, tool};

#[test]
fn a_form_keeps_its_quotes_and_dashes_and_is_transliterated() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let text = "On Mon, 3 Mar 2025 at 10:11, Jo wrote:\n> 41 °C – “open”  the window…\n\n\
        https://example.com/?utm_source=a\n-- \nFacility";
    let url = format!("http://{}/sms", relay.http);
    let field = format!("text={text}");
    let form =
        ["--silent", "--fail", "--user", "pbx:swordfish", "-d", "to=oncall", "--data-urlencode", &field];
    let (code, printed) = run("curl", &[&form[..], &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    world.expect_texts(&["On Mon, 3 Mar 2025 at 10:11, Jo wrote:\n> 41 C - \"open\"  the window...\n\n\
        https://example.com/?utm_source=a\n-- \nFacility"]);
    let accepted = &world.emulator.accepted()[0];
    assert_eq!((accepted.encoding.as_str(), accepted.parts), ("gsm7", 1));
    assert!(relay.terminate().success());
}
