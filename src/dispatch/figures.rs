//! The platform's count of each SMS against ours.
//!
//! Parts are predicted before anything is sent: budgets, limits and what people are shown rest on them. A
//! platform that counts otherwise shows here, once for each kind of difference in the log, and always in
//! the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::model::{Encoding, MessageId, SmsText};

/// Counters of the SMS that the platform counted otherwise than we. Clones share them, and are cheap.
#[derive(Clone, Debug)]
pub struct Figures {
    mismatches: Family<Labels, Counter>,
    /// The kinds of difference that were told as a warning, one bit each.
    told: Arc<AtomicU8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    figure: &'static str,
}

const PARTS: Labels = Labels { figure: "parts" };
const UNICODE: Labels = Labels { figure: "unicode" };

/// The kinds of difference, as bits.
const MORE_PARTS: u8 = 1;
const FEWER_PARTS: u8 = 2;
const TOOK_AS_UNICODE: u8 = 4;
const TOOK_AS_GSM: u8 = 8;

impl Default for Figures {
    fn default() -> Self {
        let mismatches = Family::default();
        for labels in [PARTS, UNICODE] {
            drop(mismatches.get_or_create(&labels));
        }
        Self { mismatches, told: Arc::default() }
    }
}

impl Figures {
    /// All at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let help =
            "SMS of which the platform counted other parts than we, or took another alphabet, by figure";
        registry.register("sms_relay_parts_mismatch", help, self.mismatches.clone());
    }

    /// Compares what the platform told of an SMS that it accepted; a figure that it did not tell agrees.
    /// The first difference of each kind is a warning, since a platform that differs once may differ with
    /// every SMS; the others are for whoever looks closer.
    pub(super) fn compare(&self, id: MessageId, ours: &SmsText, parts: Option<u32>, unicode: Option<bool>) {
        let predicted = ours.encoding == Encoding::Ucs2;
        let of_parts = match parts {
            Some(parts) if parts > ours.parts => MORE_PARTS,
            Some(parts) if parts < ours.parts => FEWER_PARTS,
            Some(_) | None => 0,
        };
        let of_unicode = match unicode {
            Some(true) if !predicted => TOOK_AS_UNICODE,
            Some(false) if predicted => TOOK_AS_GSM,
            Some(_) | None => 0,
        };
        if of_parts != 0 {
            self.mismatches.get_or_create(&PARTS).inc();
        }
        if of_unicode != 0 {
            self.mismatches.get_or_create(&UNICODE).inc();
        }
        let kinds = of_parts | of_unicode;
        // Neither the number nor the words: the id leads to both.
        let (ours, encoding) = (ours.parts, ours.encoding.as_str());
        if kinds & !self.told.fetch_or(kinds, Ordering::Relaxed) != 0 {
            tracing::warn!(%id, parts = ours, encoding, platform_parts = parts, platform_unicode = unicode,
                "the platform counts this SMS otherwise than the relay; more of this kind are logged at level debug");
        } else if kinds != 0 {
            tracing::debug!(%id, parts = ours, encoding, platform_parts = parts, platform_unicode = unicode,
                "the platform counts this SMS otherwise than the relay");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::model::SubmissionId;
    use crate::test_log::TestLog;

    fn text(encoding: Encoding, parts: u32) -> SmsText {
        SmsText { body: "the words".to_owned(), encoding, parts }
    }

    /// The levels of the log's lines after these comparisons, the counters of parts and of unicode, and the
    /// log itself with the id as `ID`.
    fn compared(all: &[(&SmsText, Option<u32>, Option<bool>)]) -> (Vec<String>, [u64; 2], String) {
        let (figures, log) = (Figures::new(), TestLog::default());
        let id = SubmissionId::new(Timestamp::UNIX_EPOCH).message(1);
        let subscriber = log.subscriber(tracing::Level::DEBUG);
        tracing::subscriber::with_default(subscriber, || {
            for (ours, parts, unicode) in all {
                figures.compare(id, ours, *parts, *unicode);
            }
        });
        let log = log.take().replace(&id.to_string(), "ID");
        let levels = log.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
        let counts = [PARTS, UNICODE].map(|labels| figures.mismatches.get_or_create(&labels).get());
        (levels, counts, log)
    }

    #[test]
    fn what_agrees_or_was_not_told_is_no_difference() {
        let (gsm, ucs2) = (text(Encoding::Gsm7, 2), text(Encoding::Ucs2, 3));
        let (levels, counts, _) = compared(&[
            (&gsm, Some(2), Some(false)),
            (&ucs2, Some(3), Some(true)),
            (&gsm, None, None),
            (&ucs2, None, None),
        ]);
        assert_eq!((levels, counts), (Vec::new(), [0, 0]));
    }

    #[test]
    fn the_first_of_each_kind_is_a_warning_and_every_one_counts() {
        let (gsm, ucs2) = (text(Encoding::Gsm7, 2), text(Encoding::Ucs2, 3));
        let (levels, counts, log) = compared(&[
            (&gsm, Some(3), Some(false)),
            (&gsm, Some(9), None),
            (&gsm, Some(1), None),
            (&ucs2, Some(2), None),
            (&gsm, Some(2), Some(true)),
            (&gsm, Some(2), Some(true)),
            (&ucs2, Some(3), Some(false)),
            // Old in its parts and in its alphabet.
            (&ucs2, Some(2), Some(false)),
        ]);
        assert_eq!(levels, ["WARN", "DEBUG", "WARN", "DEBUG", "WARN", "DEBUG", "WARN", "DEBUG"]);
        assert_eq!(counts, [5, 4]);
        let first = log.lines().next().unwrap();
        let figures = "id=ID parts=2 encoding=\"gsm7\" platform_parts=3 platform_unicode=false";
        assert!(first.ends_with(figures), "{first}");
        assert!(!log.contains("the words"), "{log}");
    }

    #[test]
    fn a_line_that_is_old_in_one_figure_and_new_in_the_other_is_a_warning() {
        let gsm = text(Encoding::Gsm7, 2);
        let (levels, counts, _) = compared(&[(&gsm, Some(3), None), (&gsm, Some(3), Some(true))]);
        assert_eq!((levels.as_slice(), counts), (&["WARN".to_owned(), "WARN".to_owned()][..], [2, 1]));
    }

    #[test]
    fn both_series_exist_before_the_first_difference() {
        let mut registry = Registry::default();
        Figures::new().register(&mut registry);
        let mut written = String::new();
        encode(&mut written, &registry).unwrap();
        for figure in ["parts", "unicode"] {
            let series = format!("sms_relay_parts_mismatch_total{{figure=\"{figure}\"}} 0\n");
            assert!(written.contains(&series), "{written}");
        }
    }
}
