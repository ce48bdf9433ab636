//! Storms: what counts as the same, how much is too much, and what a summary says. Pure; the spool keeps the state.

pub mod limit;
pub mod one_time;
pub mod similar;
pub mod summary;
