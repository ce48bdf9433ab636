//! Fitting words into SMS: which encoding they need, how many parts they take, and where to cut.
//!
//! The only module that makes new [`SmsText`](crate::model::SmsText) values, so that encoding and
//! parts always agree with the words. [`gsm`] is the alphabet, [`mod@measure`] the packing into
//! parts, [`fit`] cleans, measures and cuts. Nothing is transliterated: a character outside the
//! GSM alphabet makes the text UCS-2.

mod fit;
pub mod gsm;
mod measure;

pub use fit::{clean, fit};
pub use measure::{Size, measure};
