//! The words and signs of a template: how many there are, and which statements it may have.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::{Checks, range, wrong};

/// Words and signs in all its braces.
const MAX_TOKENS: usize = 1000;
/// Words and signs in one pair of braces. The parser bounds how deep parentheses and blocks may stand in
/// each other, but not how long a chain like `a.a.a` is, and each link is a level of its tree.
const MAX_CHAIN: usize = 200;

/// Refuses what the parser would refuse in words that help nobody, and what is too much for it.
pub(super) fn check(source: &str, syntax: &SyntaxConfig, made: &str) -> Checks<()> {
    let mut count = 0;
    let mut chain = 0;
    let mut starts = false;
    // Where the tokens end in an error, the parser tells it.
    for (token, span) in tokenize(source, false, syntax.clone()).map_while(Result::ok) {
        count += 1;
        chain += 1;
        if matches!(token, Token::BlockStart | Token::VariableStart) {
            chain = 0;
        }
        if count > MAX_TOKENS {
            return wrong(
                range(span),
                format!(
                    "this template is too large: it has more than {MAX_TOKENS} words and signs in its braces"
                ),
            );
        }
        if chain > MAX_CHAIN {
            return wrong(
                range(span),
                format!("more than {MAX_CHAIN} words and signs in one pair of braces; split it with `set`"),
            );
        }
        if let (true, Token::Ident(word)) = (starts, &token) {
            match *word {
                "include" | "extends" | "import" | "from" | "macro" | "call" | "block" => {
                    return wrong(
                        range(span),
                        format!("`{word}` is not for templates of {made}; write everything into this one"),
                    );
                }
                "do" | "autoescape" | "break" | "continue" => {
                    return wrong(
                        range(span),
                        format!(
                            "`{word}` is not for templates of {made}; use if, for, set, with, filter and raw"
                        ),
                    );
                }
                _ => {}
            }
        }
        starts = matches!(token, Token::BlockStart);
    }
    Ok(())
}
