//! `[prices]`: what a part costs, for people who look before they send.

use super::reader::{Section, Value};
use super::values;
use crate::routing::{Amount, Prefix, Prices};

/// Most characters of a currency's name.
const MAX_CURRENCY: usize = 8;

/// Reads the section; no prices where it is not written.
pub(super) fn read(section: &Section) -> Prices {
    if !section.is_written() {
        // Asked for all the same, so that the keys are known.
        section.value("currency");
        section.value("per_part");
        return Prices::default();
    }
    Prices {
        currency: section.required("currency", "\"EUR\"", currency).unwrap_or_default(),
        per_part: section.required("per_part", "{ \"+39\" = \"0.045\" }", per_part).unwrap_or_default(),
    }
}

fn currency(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    let good = |c: char| !c.is_whitespace() && !c.is_control() && !c.is_ascii_digit();
    if written.chars().count() <= MAX_CURRENCY && written.chars().all(good) {
        return Some(written);
    }
    let shown = written.escape_debug();
    value.fail(format!("`{shown}` is not a currency; write up to {MAX_CURRENCY} letters, like \"EUR\""))
}

/// A table of amounts. No prefix is there twice, since TOML refuses that.
fn per_part(value: &Value) -> Option<Vec<(Prefix, Amount)>> {
    let read = value.section()?.entries().into_iter().map(|(prefix, span, value)| {
        let prefix = Prefix::new(&prefix).map_err(|error| value.reader.error(Some(span), error.to_string()));
        let amount = amount(&value);
        prefix.ok().zip(amount)
    });
    // All are read before any is missed, so that every error is noted.
    let read: Vec<Option<(Prefix, Amount)>> = read.collect();
    read.into_iter().collect()
}

/// A text, or a number as it is written: what a fraction becomes in between is no business of money.
pub(super) fn amount(value: &Value) -> Option<Amount> {
    let item = value.item.get_ref();
    let whole = item.as_integer().filter(|number| number.radix() == 10).map(|number| number.as_str());
    let written = item.as_str().or(item.as_float().map(|number| number.as_str())).or(whole);
    let Some(written) = written else { return value.wrong_type("an amount like \"0.045\"") };
    Amount::new(written).map_err(|error| value.error(error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::reader::Reader;
    use super::*;

    fn prices(written: &str) -> (Prices, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let section = Section::top(&reader, document.get_ref()).section("prices");
        let prices = read(&section);
        drop(section);
        (prices, reader.problems().to_string())
    }

    #[test]
    fn an_amount_is_taken_as_it_is_written() {
        let (prices, problems) = prices(
            "[prices]\ncurrency = \"EUR\"\nper_part = { \"+39\" = \"0.045\", \"+4\" = 0.1, \"+1\" = 2, \"+7\" = 1_0.000001 }",
        );
        assert_eq!(problems, "");
        assert_eq!(prices.currency, "EUR");
        let mut shown: Vec<String> = prices.per_part.iter().map(|(p, a)| format!("{p} {a}")).collect();
        shown.sort();
        assert_eq!(shown, ["+1 2.00", "+39 0.045", "+4 0.10", "+7 10.000001"]);
    }

    #[test]
    fn prices_that_are_not_written_are_none() {
        assert_eq!(prices(""), (Prices::default(), String::new()));
    }

    #[test]
    fn a_currency_is_short() {
        let problems = |currency: &str| {
            prices(&format!("[prices]\ncurrency = \"{currency}\"\nper_part = {{ \"+39\" = 1 }}")).1
        };
        assert_eq!((problems("€").as_str(), problems("CreditsX").as_str()), ("", ""));
        for wrong in ["CreditsXY", "EUR 5", "5"] {
            assert!(problems(wrong).contains("is not a currency"), "{wrong}");
        }
    }
}
