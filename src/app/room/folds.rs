//! Whether summaries tell of exactly what was folded into them.

use std::collections::BTreeMap;

use super::rows::{Fold, Row, Spool};

/// Everything that was folded is in a summary that is there, for the same phone and lane, that counts it, and whose
/// words say so.
pub(super) fn check(spool: &Spool) {
    let mut members: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for row in &spool.rows {
        let Some(fold) = row.fold else {
            assert_ne!(row.state, "folded", "folded into nothing: {row:?}");
            continue;
        };
        members.entry(fold).or_default().push(row);
        let summary = spool.summary(fold).unwrap_or_else(|| panic!("no summary of {fold}: {row:?}"));
        assert_eq!(summary.door, "relay", "{row:?}");
        assert_eq!((&summary.phone, summary.lane), (&row.phone, row.lane), "{row:?} in {summary:?}");
    }
    for fold in spool.folds.values() {
        let Some(summary) = fold.summary.map(|seq| spool.row(seq)) else { continue };
        let count = leaves(spool, &members, fold);
        assert_eq!(fold.count, count, "what {fold:?} counts is not what is in it: {summary:?}");
        let has_gone = summary.is_let_go() || summary.fold.is_some();
        assert!(count > 0 || !has_gone || summary.state == "cancelled", "a summary of nothing: {summary:?}");
        // Words are made when it goes.
        if summary.is_let_go() {
            let says = match fold.kind.as_str() {
                "similar" => summary.body.contains(&format!("+{count} similar")),
                _ => summary.body.starts_with(&format!("{count} alert")),
            };
            assert!(says, "it tells of {count}: {summary:?}");
        }
    }
}

/// How many SMS that came in a fold tells of, itself or by a summary that was folded into it.
fn leaves(spool: &Spool, members: &BTreeMap<i64, Vec<&Row>>, fold: &Fold) -> i64 {
    let of = |row: &&Row| match spool.told_by(row.seq) {
        Some(inner) => leaves(spool, members, inner),
        // Whose recovery came in time is not told of.
        None => i64::from(row.state != "cancelled"),
    };
    members.get(&fold.seq).into_iter().flatten().map(of).sum()
}
