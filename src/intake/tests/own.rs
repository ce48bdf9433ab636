//! What the relay itself has to say.

use super::*;
use crate::model::Lane;
use crate::spool::SqliteSpool;

/// What becomes of a text to a phone for which this is done, and of the next one, which is for another phone, too.
async fn said(action: Action) -> Result<SubmissionId, Refusal> {
    let guard = tempfile::tempdir().unwrap();
    let kept = crate::spool::sqlite::Settings { directory: guard.path().to_owned(), min_free_octets: 1 };
    let spool = Arc::new(SqliteSpool::open(kept).unwrap());
    let when = Conditions {
        recipient: Some(Pattern::new("^\\+393280000001$").unwrap().into()),
        ..Conditions::default()
    };
    let parts = Parts { rules: vec![Rule { name: "night".to_owned(), when, action }], ..parts() };
    let intake = intake_with(spool.clone(), parts.build().unwrap());
    let own = |to: &str| Own {
        listener: "expect".to_owned(),
        to: vec![to.to_owned()],
        text: "Nothing was heard".to_owned(),
        lane: Lane::Critical,
        is_reported: true,
        mails: Vec::new(),
        notes: Box::new(|_| vec![("told".to_owned(), "yes".to_owned())]),
    };
    let told = intake.submit_own(own("+393280000001"), now()).await;
    let noted = spool.note("told".to_owned()).await.unwrap();
    assert_eq!(noted.is_some(), told.is_ok(), "nothing is noted of what is not sent");
    intake.submit_own(own("ops"), now()).await.unwrap();
    told
}

#[tokio::test]
async fn what_no_phone_would_get_is_not_taken() {
    let simulated = Action::Send(SendAction { simulation: true, ..SendAction::default() });
    for (action, why) in [
        (Action::Drop { reason: "it is night".to_owned() }, "it is night"),
        (Action::Refuse { reason: "not at night".to_owned() }, "not at night"),
        (simulated, "the rule `night` only simulates it"),
    ] {
        let refusal = said(action).await.unwrap_err();
        assert!(refusal.text.contains(why), "{refusal}");
        assert_eq!(refusal.kind, RefusalKind::NotAllowed);
    }
    said(Action::Send(SendAction::default())).await.unwrap();
}
