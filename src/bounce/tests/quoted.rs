//! Whatever is quoted, a report has the header fields, parts and recipients that it is to have, and no other.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Pieces of what somebody could try.
fn evil() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\r\n\r\n".to_owned()),
        Just("Bcc: victim@example.com".to_owned()),
        Just("Final-Recipient: rfc822; victim@example.com".to_owned()),
        Just(format!("--=_{MAIL}")),
        Just(format!("--=_{MAIL}--")),
        Just("Content-Type: text/html".to_owned()),
        Just("=?utf-8?Q?=0D=0ABcc:_victim?=".to_owned()),
        Just(" ".to_owned()),
        Just("\u{2028}\u{85}\0\u{1b}[2J".to_owned()),
        Just("a".repeat(1100)),
        "\\PC{0,20}",
        any::<String>(),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// The fields of a header section or block, without folding.
fn names(block: &str) -> Vec<&str> {
    let starts = |line: &&str| !line.starts_with([' ', '\t']);
    block.split("\r\n").filter(starts).map(|line| line.split(':').next().unwrap_or_default()).collect()
}

const HEADER: [&str; 10] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
];
const MESSAGE: [&str; 5] =
    ["Reporting-MTA", "Original-Envelope-Id", "Received-From-MTA", "Arrival-Date", "X-Relay-Queue-Id"];
const RECIPIENT: [&str; 10] = [
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Final-Log-ID",
    "Will-Retry-Until",
    "X-Relay-Message-Id",
];

proptest! {
    #[test]
    fn nothing_quoted_adds_a_field_a_part_or_a_recipient(
        words in vec(evil(), 10),
        human in proptest::option::of(evil()),
        action in proptest::sample::select(Action::ALL.to_vec()),
        operator: bool,
    ) {
        let mut world = World::new();
        world.client.helo = Some(words[0].clone());
        world.client.listener = words[1].clone();
        world.original.subject = Some(words[2].clone());
        world.original.envid = Some(words[3].clone());
        world.human = human;
        let cause = Cause::new(EnhancedStatus::new(5, 7, 1), &*words[4]).with_diagnostic(&*words[5]);
        let orcpt = Orcpt { kind: words[6].clone(), address: words[7].clone() };
        let texts = [words[8].as_str(), words[9].as_str()];
        let one = ReportedRecipient {
            address: &words[9],
            orcpt: Some(&orcpt),
            texts: &texts,
            cause: &cause,
            platform: Some(&words[0]),
            ..world.recipient(1, "", action)
        };
        let audience = if operator { Audience::Operator } else { Audience::Sender };
        let mail = world.report_to(audience, &[one]);

        let (header, _) = mail.split_once("\r\n\r\n").unwrap();
        prop_assert_eq!(names(header), HEADER);
        let boundary = format!("--=_{MAIL}");
        let borders = mail.split("\r\n").filter(|line| line.starts_with(&boundary)).count();
        prop_assert_eq!(borders, 4, "three parts and an end: {}", mail);
        let machine = mail.split(&format!("\r\n{boundary}")).nth(2).unwrap().trim_start_matches("\r\n");
        let blocks: Vec<&str> = machine.trim_end_matches("\r\n").split("\r\n\r\n").skip(1).collect();
        prop_assert_eq!(blocks.len(), 2, "{}", machine);
        prop_assert_eq!(names(blocks[0]), MESSAGE);
        let known = names(blocks[1]);
        prop_assert!(known.iter().all(|name| RECIPIENT.contains(name)), "{:?}", known);
        prop_assert!(known.iter().enumerate().all(|(at, name)| !known[..at].contains(name)), "{:?}", known);
    }
}
