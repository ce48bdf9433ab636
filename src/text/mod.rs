//! Fitting words into SMS: GSM 7-bit, UCS-2, parts, cutting.
