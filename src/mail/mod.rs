//! Mail bytes to subject, text and the headers that matter.
