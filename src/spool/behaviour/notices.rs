//! What the operator is to be told.

use super::super::{Spool, SpoolError};
use super::{at, operator};
use crate::model::{MailId, MailKind, OutgoingMail, ReversePath};

/// A mail to the operator.
pub(in crate::spool) fn mail(now: i64) -> OutgoingMail {
    OutgoingMail {
        id: MailId::new(at(now)),
        about: None,
        kind: MailKind::Notice,
        reverse_path: ReversePath::Null,
        recipient: operator(),
        bytes: b"Subject: budgets\r\n\r\nSpent.\r\n".to_vec(),
        expires_at: at(now + 1000),
    }
}

pub(in crate::spool) async fn nothing_to_tell_is_nothing(spool: &dyn Spool) {
    assert_eq!(spool.notices(9).await.unwrap(), []);
    spool.close_notices(Vec::new(), Some(mail(1)), at(1)).await.unwrap();
    assert_eq!(spool.backlog().await.unwrap().mail, 0);
    assert_eq!(spool.close_notices(vec![1], Some(mail(1)), at(1)).await, Err(SpoolError::Told(1)));
    assert_eq!(spool.backlog().await.unwrap().mail, 0);
}
