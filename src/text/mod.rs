//! Fitting words into SMS: which encoding they need, how many parts they take, how they are written in
//! fewer, and where to cut.
//!
//! The only module that makes new [`SmsText`](crate::model::SmsText) values, so that encoding and
//! parts always agree with the words.
//!
//! - [`gsm`]: the alphabet
//! - `measure`: the packing into parts
//! - `clean`: what phones should not get, and normalization
//! - `clusters`: what a reader takes for one character
//! - `transliterate`: characters outside the alphabet, written otherwise
//! - `take`: how much one SMS can take, and where it is cut
//! - `fit`: the way from words to SMS, by the settings of a rule
//! - `shorten`: cutting by characters, for templates

mod clean;
mod clusters;
mod fit;
pub mod gsm;
mod measure;
mod shorten;
mod take;
mod transliterate;

pub use clean::clean;
pub use fit::{Fitting, Keep, Split, Transliteration, fill, fit};
pub use measure::{Foreign, Size, foreign, measure, parts};
pub use shorten::shorten;
pub use transliterate::to_gsm;
