//! The configuration: the file as written, and the same checked, every error with its place.
