//! What is remembered from one start to the next.

use super::super::Spool;
use super::at;

pub(in crate::spool) async fn a_note_is_kept_under_its_key_until_the_next(spool: &dyn Spool) {
    let note = async |key: &str| spool.note(key.to_owned()).await.unwrap();
    let set = async |key: &str, value: &str| spool.set_note(key.to_owned(), value.to_owned()).await.unwrap();
    assert_eq!(note("credit:main").await, None);
    set("credit:main", "low").await;
    set("credit:Main", "").await;
    set("credit:main", "empty 'è'").await;
    assert_eq!(note("credit:main").await.as_deref(), Some("empty 'è'"));
    assert_eq!(note("credit:Main").await.as_deref(), Some(""));
    assert_eq!(note("credit").await, None);
    spool.recover(at(1), at(1)).await.unwrap();
    assert_eq!(note("credit:main").await.as_deref(), Some("empty 'è'"));
}
