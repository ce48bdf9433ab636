//! Files put into a text with uuencode (POSIX `uuencode`), the way it was done before there were attachments.

use std::borrow::Cow;

/// The text without its uuencoded files, whose names go to `found`. A block that was cut off at the end of
/// the text counts; lines that only start like one stay. Linear: no line is looked at twice.
pub(super) fn cut<'a>(text: Cow<'a, str>, mut found: impl FnMut(&str)) -> Cow<'a, str> {
    if !text.starts_with("begin ") && !text.contains("\nbegin ") {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = &*text;
    while !rest.is_empty() {
        let (line, after) = line(rest);
        match begin(line).and_then(|name| Some((name, block_end(after)?))) {
            Some((name, behind)) => {
                found(name);
                rest = behind;
            }
            None => {
                // The data lines behind a line that is no start are no start either, so they are looked at
                // twice at most.
                kept.push_str(&rest[..rest.len() - after.len()]);
                rest = after;
            }
        }
    }
    Cow::Owned(kept)
}

/// The first line without its end, and what stands behind it.
fn line(text: &str) -> (&str, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), after)
}

/// The name in `begin MODE NAME`.
fn begin(line: &str) -> Option<&str> {
    let (mode, name) = line.strip_prefix("begin ")?.split_once(' ')?;
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
    (octal && !name.trim().is_empty()).then(|| name.trim())
}

/// What stands behind the block whose lines `text` starts with; `None` where there is no block.
fn block_end(text: &str) -> Option<&str> {
    let mut rest = text;
    let mut any = false;
    loop {
        let (data, after) = line(rest);
        if data.trim_end() == "end" {
            return any.then_some(after);
        }
        if rest.is_empty() || !is_data(data) {
            // Cut off on the way: with the text, or by what a list puts below it.
            return (any && rest.trim().is_empty()).then_some("");
        }
        any |= !data.trim().is_empty();
        rest = after;
    }
}

/// Whether a line is a length and as many groups of four as that takes. White space at its end may have been
/// lost on the way, and some encoders add a check character.
fn is_data(line: &str) -> bool {
    let Some((length, groups)) = line.as_bytes().split_first() else { return true };
    let wanted = usize::from(length.wrapping_sub(b' ') & 0x3F).div_ceil(3) * 4;
    let lost = line.trim_end().len() < line.len() || groups.len() < wanted;
    (b' '..=b'`').contains(length)
        && groups.iter().all(|octet| (b' '..=b'`').contains(octet))
        && groups.len() <= wanted + 2
        && (groups.len() >= wanted || (lost && wanted >= 32 && groups.len() + 8 >= wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "#0V%T\n`\n";

    fn check(text: &str, expected: &str, names: &[&str]) {
        let mut found = Vec::new();
        assert_eq!(cut(Cow::Borrowed(text), |name| found.push(name.to_owned())), expected, "{text:?}");
        assert_eq!(found, names, "{text:?}");
    }

    #[test]
    fn blocks_are_cut_out_and_named() {
        check(&format!("a\nbegin 644 cat.txt\n{DATA}end\nb\n"), "a\nb\n", &["cat.txt"]);
        check(&format!("a\r\nbegin 0644 my cat.txt \r\n{DATA}end\r\n"), "a\r\n", &["my cat.txt"]);
        check(&format!("begin 644 a\n{DATA}end\nx\nbegin 644 b\n{DATA}end"), "x\n", &["a", "b"]);
        let full = format!("M{}\n", "A".repeat(60));
        check(&format!("a\nbegin 644 cut off\n{full}{full}"), "a\n", &["cut off"]);
    }

    #[test]
    fn what_only_looks_like_a_block_stays() {
        for text in [
            "begin 644 steps\nGo to the rack\nend\n",
            "begin 644 steps\nend\n",
            "begin 644 steps",
            "begin 9x4 steps\n#0V%T\nend",
            "begin 644\n#0V%T\nend",
            "begin at 6\nend",
            "we begin 644 cat.txt\n#0V%T\nend",
        ] {
            check(text, text, &[]);
        }
        check(&format!("begin 644 a\n{DATA}more"), &format!("begin 644 a\n{DATA}more"), &[]);
    }

    #[test]
    fn starts_without_end_stay_and_cost_nothing() {
        let many = "begin 644 a\n".repeat(100_000);
        check(&many, &many, &[]);
        let data = format!("begin 644 a\n{}x", format!("M{}\n", "A".repeat(60)).repeat(20_000));
        check(&data, &data, &[]);
    }
}
