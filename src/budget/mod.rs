//! Budgets: when a period begins and ends, what a charge comes to, and what the operator is told. Pure; the spool
//! keeps what was spent.

mod key;
mod period;
mod price;
mod verdict;
mod words;

pub use key::{key, name};
pub use period::{Span, span, zone};
pub use price::{Told, booked};
pub use verdict::{Level, Levels, Verdict, never_has_room, verdict};
pub use words::{amount, notice};
