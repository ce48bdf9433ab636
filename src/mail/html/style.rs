//! Whether an element is shown, by its own attributes: what stands in style sheets is not looked at.

use super::scan::Tag;

/// How an element shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As far as its attributes say, it is there to be read.
    Shown,
    /// Nothing in it is shown.
    Hidden,
    /// Its text is too small to be read, but an element in it may have another size: layout tables are
    /// written so, with a size of nothing around everything.
    Tiny,
}

/// How the element of this start tag shows.
pub(super) fn look(tag: &Tag<'_>) -> Look {
    let mut look = Look::Shown;
    for (name, value) in tag.attributes() {
        if name.eq_ignore_ascii_case("hidden") {
            return Look::Hidden;
        }
        if name.eq_ignore_ascii_case("style") {
            // Outlook alone hides by `mso-hide`. With links that is how it is kept from showing a button
            // twice, of which all other readers show this one.
            look = of_style(value, !tag.name.eq_ignore_ascii_case("a"));
        }
    }
    look
}

/// Whether the tag gives its text a size of its own that can be read.
pub(super) fn has_readable_size(tag: &Tag<'_>) -> bool {
    tag.attributes().any(|(name, value)| {
        (name.eq_ignore_ascii_case("size") && tag.name.eq_ignore_ascii_case("font"))
            || (name.eq_ignore_ascii_case("style")
                && declarations(value).any(|(property, value)| {
                    property.eq_ignore_ascii_case("font")
                        || (property.eq_ignore_ascii_case("font-size") && !is_tiny(value))
                }))
    })
}

fn of_style(style: &str, outlook: bool) -> Look {
    let (mut flat, mut clipped, mut tiny) = (false, false, false);
    for (property, value) in declarations(style) {
        let is = |name: &str| property.eq_ignore_ascii_case(name);
        let says = |word: &str| value.eq_ignore_ascii_case(word);
        if (is("display") && says("none"))
            || (is("visibility") && says("hidden"))
            || (is("mso-hide") && says("all") && outlook)
            || (is("opacity") && is_zero(value))
        {
            return Look::Hidden;
        }
        if is("max-height") {
            flat = is_zero(value);
        } else if is("overflow") {
            clipped = says("hidden");
        } else if is("font-size") {
            tiny = is_tiny(value);
        } else if is("font") {
            tiny = false;
        }
    }
    if flat && clipped {
        Look::Hidden
    } else if tiny {
        Look::Tiny
    } else {
        Look::Shown
    }
}

/// Properties and their values, without `!important`.
fn declarations(style: &str) -> impl Iterator<Item = (&str, &str)> {
    style.split(';').filter_map(|declaration| {
        let (property, value) = declaration.split_once(':')?;
        Some((property.trim(), value.split('!').next().unwrap_or_default().trim()))
    })
}

/// A number and its unit.
fn measure(value: &str) -> Option<(f32, &str)> {
    let end = value.bytes().position(|b| !(b.is_ascii_digit() || b == b'.')).unwrap_or(value.len());
    Some((value[..end].parse().ok()?, value[end..].trim()))
}

fn is_zero(value: &str) -> bool {
    measure(value).is_some_and(|(number, _)| number == 0.0)
}

fn is_tiny(value: &str) -> bool {
    measure(value).is_some_and(|(number, unit)| {
        number == 0.0
            || (number <= 1.0 && ["", "px", "pt"].iter().any(|small| unit.eq_ignore_ascii_case(small)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_hide_or_do_not() {
        for (style, expected) in [
            ("display:none", Look::Hidden),
            ("color:red; DISPLAY : None !important;", Look::Hidden),
            ("visibility:hidden", Look::Hidden),
            ("mso-hide:all", Look::Hidden),
            ("opacity:0", Look::Hidden),
            ("opacity:0.0", Look::Hidden),
            ("opacity:0.5", Look::Shown),
            ("max-height:0px;overflow:hidden", Look::Hidden),
            ("overflow: hidden; max-height: 0", Look::Hidden),
            ("max-height:0", Look::Shown),
            ("max-height:10px;overflow:hidden", Look::Shown),
            ("font-size:0", Look::Tiny),
            ("font-size:1px", Look::Tiny),
            ("font-size:1em", Look::Shown),
            ("font-size:2px", Look::Shown),
            ("font-size:0;font:12px Arial", Look::Shown),
            ("display:block", Look::Shown),
            ("display", Look::Shown),
            ("", Look::Shown),
        ] {
            assert_eq!(of_style(style, true), expected, "{style}");
        }
        assert_eq!(of_style("mso-hide:all", false), Look::Shown);
        assert_eq!(of_style("mso-hide:all;display:none", false), Look::Hidden);
    }
}
