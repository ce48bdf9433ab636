//! Places at which a test can end the process, as a power cut would.
//!
//! Only in builds with debug assertions: the released program has none of this. The variable
//! `SMS_RELAY_CRASH_POINT` names the point and, behind a colon, at which passing it strikes
//! (`claimed` or `claimed:3`).

/// Ends the process here, without unwinding or flushing anything, when a test asked for it.
#[cfg(debug_assertions)]
pub fn reach(point: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static ORDERED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let ordered = ORDERED.get_or_init(|| {
        let value = std::env::var("SMS_RELAY_CRASH_POINT").ok()?;
        match value.split_once(':') {
            Some((name, count)) => Some((name.to_owned(), count.parse().ok()?)),
            None => Some((value, 1)),
        }
    });
    if let Some((name, count)) = ordered
        && name == point
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        std::process::abort();
    }
}

/// Nothing, in a released build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn reach(_point: &'static str) {}
