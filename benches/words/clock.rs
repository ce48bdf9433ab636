//! Processor time of small things.

use std::time::Instant;

/// A sample takes at least this long in seconds; what is quicker is done several times. The kernel counts
/// processor time by ticks of up to 4 ms.
const SAMPLE: f64 = 0.1;
/// Samples, of which the median counts.
const SAMPLES: usize = 5;

/// Seconds of processor time that this thread has used; of wall time where the system does not tell.
fn now(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |told| told / 1e9)
}

/// Seconds that `run` takes, once warm.
#[allow(dead_code, reason = "not every benchmark has one figure")]
pub(crate) fn cost(run: &mut dyn FnMut()) -> f64 {
    spread(run)[1]
}

/// The same at least, in the middle and at most.
pub(crate) fn spread(run: &mut dyn FnMut()) -> [f64; 3] {
    let start = Instant::now();
    let mut sample = |times: u64| {
        let before = now(start);
        for _ in 0..times {
            run();
        }
        now(start) - before
    };
    let mut times = 1;
    while sample(times) < SAMPLE {
        times *= 2;
    }
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample(times)).collect();
    samples.sort_by(f64::total_cmp);
    [0, SAMPLES / 2, SAMPLES - 1].map(|place| samples[place] / times as f64)
}

/// Three digits and a unit.
pub(crate) fn shown(seconds: f64) -> String {
    let (value, unit) = if seconds < 1e-3 { (seconds * 1e6, "µs") } else { (seconds * 1e3, "ms") };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}
