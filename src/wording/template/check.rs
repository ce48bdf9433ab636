//! What is wrong with a template, wherever it stands in it, and how much work one rendering may do.
//!
//! The engine bounds the steps of a rendering, `budget` what its filters read and what it prints. What
//! is left is what one step may do: join texts with `~`, multiply them, compare them. So the longest text
//! that each expression can make is worked out here, and the more a step may move, the fewer there are.

#![allow(clippy::wildcard_enum_match_arm, reason = "the trees are the engine's, whose version is fixed")]

mod call;
mod tokens;

use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, Expr, GetItem, Stmt, UnaryOpKind};
use minijinja::machinery::{Span, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;

use super::filters::Patterns;
use super::known::{self, Kind, LOOP, Makes, Vocabulary};
use super::values::Used;
use super::{MAX_OUTPUT, MAX_WORDS, NAME, TemplateError};

/// Octets of a template.
const MAX_TEMPLATE: usize = 8 * 1024;
/// Steps of one rendering; a loop over a few thousand lines fits.
const FUEL: u64 = 100_000;
/// Octets that the steps of one rendering may move, in loops.
const MAX_MOVED: u64 = 4 << 30;
/// Octets of the template's own words that one rendering may print, in loops.
const MAX_RAW: u64 = 16 << 20;
/// Octets that one expression may make, and that all `set` and `with` together may hold.
const MAX_HELD: u64 = 32 << 20;
/// Octets that one step in a loop may move; leaves about four hundred steps.
const MAX_STEP: u64 = 10 << 20;
/// What a list takes for each octet of the text that it was made of, at most: one value each.
const LIST: u64 = 32;
/// Octets of a number as text, and of what else is short.
const SHORT: u64 = 64;

/// Filters whose lists have the items of what came in.
const KEEPS_ITEMS: [&str; 8] =
    ["list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"];

/// What a template that can be used needs.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) used: Used,
    pub(super) patterns: Patterns,
    /// The steps of one rendering.
    pub(super) fuel: u64,
}

/// The most that an expression can make.
#[derive(Clone, Copy, Debug)]
struct Size {
    octets: u64,
    is_list: bool,
    /// What it has, where it is a record, or each of its items.
    fields: Option<&'static [&'static str]>,
}

impl Size {
    const SHORT: Self = Self { octets: SHORT, is_list: false, fields: None };
    const PRINTED: Self = Self { octets: MAX_OUTPUT as u64, is_list: false, fields: None };

    fn text(octets: usize) -> Self {
        Self { octets: octets as u64, is_list: false, fields: None }
    }

    fn held(self) -> u64 {
        if self.is_list { self.octets.saturating_mul(LIST) } else { self.octets }
    }

    fn with(self, other: Self) -> Self {
        let octets = self.octets.saturating_add(other.octets);
        Self { octets, is_list: self.is_list || other.is_list, fields: None }
    }

    fn or(self, other: Self) -> Self {
        Self {
            octets: self.octets.max(other.octets),
            is_list: self.is_list || other.is_list,
            fields: self.fields.or(other.fields),
        }
    }

    fn item(self) -> Self {
        Self { is_list: false, ..self }
    }
}

type Checks<T> = Result<T, TemplateError>;

fn wrong<T>(range: Range<usize>, reason: impl Into<String>) -> Checks<T> {
    Err(TemplateError { reason: reason.into(), range: Some(range) })
}

/// An error of the engine's parser.
pub(super) fn syntax_error(source: &str, error: &minijinja::Error) -> TemplateError {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    // What is missing at the end has its place behind it.
    let range = error.range().map(|range| {
        let start = source.floor_char_boundary(range.start.min(source.len().saturating_sub(1)));
        start..source.ceil_char_boundary(range.end.min(source.len())).max(start)
    });
    TemplateError { reason: format!("this is not a valid template: {detail}"), range }
}

/// Checks the whole of `source`, which may name what `vocabulary` has.
///
/// # Errors
/// The first mistake.
pub(super) fn check(source: &str, syntax: &SyntaxConfig, vocabulary: &'static Vocabulary) -> Checks<Checked> {
    if source.len() > MAX_TEMPLATE {
        let length = source.len();
        return wrong(
            0..length,
            format!("this template has {length} octets; a template has at most {MAX_TEMPLATE}"),
        );
    }
    tokens::check(source, syntax, vocabulary.made)?;
    let tree = parse(source, NAME, syntax.clone()).map_err(|error| syntax_error(source, &error))?;
    let checked = Checked { used: Used::default(), patterns: Patterns::new(), fuel: FUEL };
    let scopes = vec![Vec::new()];
    let mut walk = Walk { source, vocabulary, checked, scopes, loops: 0, held: 0, step: 1, raw: 1 };
    walk.statement(&tree)?;
    let mut checked = walk.checked;
    checked.fuel = FUEL.min(MAX_MOVED / walk.step).min(MAX_RAW / walk.raw);
    Ok(checked)
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

struct Walk<'s> {
    source: &'s str,
    vocabulary: &'static Vocabulary,
    checked: Checked,
    /// The names that `for`, `set` and `with` gave, and what they can hold.
    scopes: Vec<Vec<(String, Size)>>,
    /// How many loops are around.
    loops: usize,
    held: u64,
    /// The most that one step in a loop moves.
    step: u64,
    /// The longest run of the template's own words in a loop.
    raw: u64,
}

impl Walk<'_> {
    fn statements(&mut self, statements: &[Stmt<'_>]) -> Checks<()> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    /// Statements whose names end with them.
    fn scope(&mut self, names: Vec<(String, Size)>, body: &[Stmt<'_>]) -> Checks<()> {
        self.scopes.push(names);
        let checked = self.statements(body);
        self.scopes.pop();
        checked
    }

    fn statement(&mut self, statement: &Stmt<'_>) -> Checks<()> {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => match self.expression(&emit.expr)?.fields {
                Some(fields) => wrong(
                    range(emit.expr.span()),
                    format!("this is no text; print one of {} of each", fields.join(", ")),
                ),
                None => Ok(()),
            },
            Stmt::EmitRaw(raw) => {
                if self.loops > 0 {
                    self.raw = self.raw.max(raw.raw.len() as u64);
                }
                Ok(())
            }
            Stmt::ForLoop(each) => {
                if each.recursive {
                    return self.not_here("`recursive` loops are", range(each.span()));
                }
                let over = self.expression(&each.iter)?;
                let names = self.targets(&each.target, over.item())?;
                self.loops += 1;
                self.scopes.push(names.clone());
                let filtered =
                    each.filter_expr.as_ref().map_or(Ok(()), |keep| self.expression(keep).map(drop));
                self.scopes.pop();
                let checked = filtered.and_then(|()| self.scope(names, &each.body));
                self.loops -= 1;
                checked?;
                self.scope(Vec::new(), &each.else_body)
            }
            Stmt::IfCond(branch) => {
                self.expression(&branch.expr)?;
                self.statements(&branch.true_body)?;
                self.statements(&branch.false_body)
            }
            Stmt::WithBlock(with) => {
                let mut names = Vec::new();
                for (target, value) in &with.assignments {
                    let size = self.hold(value)?;
                    names.extend(self.targets(target, size)?);
                }
                self.scope(names, &with.body)
            }
            Stmt::Set(set) => {
                let size = self.hold(&set.expr)?;
                let names = self.targets(&set.target, size)?;
                self.name(names);
                Ok(())
            }
            Stmt::SetBlock(set) => {
                self.statements(&set.body)?;
                if let Some(filter) = &set.filter {
                    self.expression(filter)?;
                }
                self.holds(Size::PRINTED, range(set.span()))?;
                let names = self.targets(&set.target, Size::PRINTED)?;
                self.name(names);
                Ok(())
            }
            Stmt::FilterBlock(filter) => {
                self.expression(&filter.filter)?;
                self.statements(&filter.body)
            }
            // Refused before the parser sees them.
            Stmt::AutoEscape(escape) => self.not_here("`autoescape` is", range(escape.span())),
            Stmt::Do(call) => self.not_here("`do` is", range(call.span())),
        }
    }

    fn not_here<T>(&self, what: &str, place: Range<usize>) -> Checks<T> {
        wrong(place, format!("{what} not for templates of {}", self.vocabulary.made))
    }

    fn name(&mut self, names: Vec<(String, Size)>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    fn hold(&mut self, value: &Expr<'_>) -> Checks<Size> {
        let size = self.expression(value)?;
        self.holds(size, range(value.span()))?;
        Ok(size)
    }

    fn holds(&mut self, size: Size, place: Range<usize>) -> Checks<()> {
        self.held = self.held.saturating_add(size.held());
        if self.held > MAX_HELD {
            return wrong(
                place,
                "this template keeps too much in `set` and `with`; keep fewer and shorter texts",
            );
        }
        Ok(())
    }

    /// The names of a `for`, `set` or `with`.
    fn targets(&self, target: &Expr<'_>, size: Size) -> Checks<Vec<(String, Size)>> {
        match target {
            Expr::Var(name) if self.vocabulary.of(name.id).is_some() => {
                wrong(range(name.span()), format!("`{}` is a variable already; choose another name", name.id))
            }
            Expr::Var(name) => Ok(vec![(name.id.to_owned(), size)]),
            Expr::List(_) | Expr::Tuple(_) => {
                let mut names = Vec::new();
                let items = match target {
                    Expr::List(list) => &list.items,
                    Expr::Tuple(tuple) => &tuple.items,
                    _ => return Ok(names),
                };
                for item in items {
                    names.extend(self.targets(item, size)?);
                }
                Ok(names)
            }
            other => wrong(range(other.span()), "this cannot be set; write a name"),
        }
    }

    fn local(&self, name: &str) -> Option<Size> {
        let known = self.scopes.iter().rev().flat_map(|scope| scope.iter().rev());
        known.into_iter().find(|(known, _)| known == name).map(|(_, size)| *size)
    }

    /// Notes that a step moves `size`.
    fn moves(&mut self, size: Size, place: Range<usize>) -> Checks<()> {
        if self.loops > 0 {
            self.step = self.step.max(size.held());
        }
        let most = if self.loops > 0 { MAX_STEP } else { MAX_HELD };
        if size.held() > most {
            return wrong(place, "this can make too long a text; join fewer texts");
        }
        Ok(())
    }

    /// Checks an expression; the most that it can make.
    fn expression(&mut self, expression: &Expr<'_>) -> Checks<Size> {
        let place = range(expression.span());
        match expression {
            Expr::Var(name) => self.variable(name.id, place),
            Expr::Const(value) => {
                let text = value.value.as_str();
                Ok(text.map_or(Size::SHORT, |text| Size::text(text.len())))
            }
            Expr::UnaryOp(operation) => match operation.op {
                UnaryOpKind::Not | UnaryOpKind::Neg => {
                    self.expression(&operation.expr)?;
                    Ok(Size::SHORT)
                }
            },
            Expr::BinOp(operation) => {
                let left = self.expression(&operation.left)?;
                let right = self.expression(&operation.right)?;
                let both = left.with(right);
                self.moves(both, place.clone())?;
                match operation.op {
                    BinOpKind::Mul => {
                        for side in [&operation.left, &operation.right] {
                            if !is_number(side) {
                                return wrong(
                                    range(side.span()),
                                    "`*` is for numbers; write `|int` or `|float` behind what is to be multiplied",
                                );
                            }
                        }
                        Ok(Size::SHORT)
                    }
                    BinOpKind::Add | BinOpKind::Concat => Ok(both),
                    BinOpKind::ScAnd | BinOpKind::ScOr => Ok(left.or(right)),
                    BinOpKind::Sub
                    | BinOpKind::Div
                    | BinOpKind::FloorDiv
                    | BinOpKind::Rem
                    | BinOpKind::Pow => Ok(Size::SHORT),
                    BinOpKind::Eq
                    | BinOpKind::Ne
                    | BinOpKind::Lt
                    | BinOpKind::Lte
                    | BinOpKind::Gt
                    | BinOpKind::Gte
                    | BinOpKind::In => Ok(Size::SHORT),
                }
            }
            Expr::Compare(compare) => {
                let mut all = self.expression(&compare.expr)?;
                for operation in &compare.ops {
                    all = all.with(self.expression(&operation.expr)?);
                }
                self.moves(all, place)?;
                Ok(Size::SHORT)
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr)?;
                let chosen = self.expression(&choice.true_expr)?;
                match &choice.false_expr {
                    Some(other) => Ok(chosen.or(self.expression(other)?)),
                    None => Ok(chosen),
                }
            }
            Expr::Slice(slice) => {
                let size = self.whole(&slice.expr)?;
                for part in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.expression(part)?;
                }
                self.moves(size, place)?;
                Ok(size)
            }
            Expr::GetAttr(attribute) => {
                let start = place.end - attribute.name.len();
                self.attribute(&attribute.expr, attribute.name, start..place.end)
            }
            Expr::GetItem(item) => self.item(item, place),
            Expr::List(list) => self.all(&list.items),
            Expr::Tuple(tuple) => self.all(&tuple.items),
            Expr::Map(map) => {
                let keys = self.all(&map.keys)?;
                Ok(keys.with(self.all(&map.values)?))
            }
            Expr::Filter(filter) => {
                let name = place.start..place.start + filter.name.len();
                // Without an expression it works on a block, which has printed at most so much.
                let input = filter.expr.as_ref().map_or(Ok(Size::PRINTED), |input| self.expression(input))?;
                let known = self.filter(filter.name, name, &filter.args)?;
                self.field_arguments(filter, input.fields)?;
                let made = match known.makes {
                    Makes::Less => input.item(),
                    Makes::More => Size { is_list: input.is_list, ..Size::PRINTED },
                    // What stands in for it may be a list, too.
                    Makes::Either => Size { is_list: true, ..Size::PRINTED },
                    Makes::List if KEEPS_ITEMS.contains(&filter.name) => Size { is_list: true, ..input },
                    Makes::List => Size { is_list: true, fields: None, ..input },
                    Makes::Number => Size::SHORT,
                };
                Ok(made)
            }
            Expr::Test(test) => {
                self.expression(&test.expr)?;
                self.test(test.name, place.start..place.start + test.name.len())?;
                self.arguments(&test.args)?;
                Ok(Size::SHORT)
            }
            Expr::Call(call) => self.refused_call(&call.expr),
        }
    }

    fn all(&mut self, items: &[Expr<'_>]) -> Checks<Size> {
        let mut all = Size { is_list: true, ..Size::SHORT };
        for item in items {
            all = all.with(self.expression(item)?);
        }
        Ok(all)
    }

    /// A variable that is used as it is, and not one of the names in it.
    fn variable(&mut self, name: &str, place: Range<usize>) -> Checks<Size> {
        if let Some(size) = self.local(name) {
            return Ok(size);
        }
        if name == "loop" {
            if self.loops > 0 {
                return wrong(place, "`loop` is no text; name one of its values, like `loop.index`");
            }
            return wrong(place, "`loop` exists in {% for %} only");
        }
        match self.vocabulary.of(name) {
            Some((_, Kind::Headers)) => wrong(
                place,
                "`headers` is no text; name one field, like `headers.x_priority` or `headers[\"X-Priority\"]`",
            ),
            Some((_, Kind::Groups)) => wrong(
                place,
                "`groups` is no text; name one group, like `groups.host` for (?P<host>...) in a pattern of the rule",
            ),
            Some((variable, kind)) => {
                self.uses(variable);
                Ok(match kind {
                    Kind::Records(fields) => Size { is_list: true, fields: Some(fields), ..Size::PRINTED },
                    Kind::List | Kind::Json => Size { is_list: true, ..Size::text(MAX_WORDS) },
                    Kind::Text | Kind::Time | Kind::Headers | Kind::Groups => Size::text(MAX_WORDS),
                })
            }
            None => wrong(place, self.unknown_variable(name)),
        }
    }

    fn unknown_variable(&self, name: &str) -> String {
        let locals: Vec<&str> = self.scopes.iter().flatten().map(|(name, _)| name.as_str()).collect();
        match self.vocabulary.nearest(name, &locals) {
            Some(near) => format!("a template has no variable `{name}`; did you mean `{near}`?"),
            None => {
                let names: Vec<&str> = self.vocabulary.names.iter().map(|(name, _)| *name).collect();
                format!("a template has no variable `{name}`; it has {}", names.join(", "))
            }
        }
    }

    fn uses(&mut self, variable: &'static str) {
        let variables = &mut self.checked.used.variables;
        if !variables.contains(&variable) {
            variables.push(variable);
        }
    }

    /// What an attribute, item or slice is taken of; a list counts as one.
    fn whole(&mut self, expression: &Expr<'_>) -> Checks<Size> {
        self.expression(expression)
    }

    /// The name `name` at `place` in the value of `of`.
    fn attribute(&mut self, of: &Expr<'_>, name: &str, place: Range<usize>) -> Checks<Size> {
        let Expr::Var(variable) = of else { return self.whole(of).and_then(|of| field(of, name, place)) };
        if self.local(variable.id).is_some() {
            return self.whole(of).and_then(|of| field(of, name, place));
        }
        if variable.id == "loop" && self.loops > 0 {
            if LOOP.contains(&name) {
                return Ok(Size::SHORT);
            }
            return wrong(place, format!("`loop` has no `{name}`; it has {}", LOOP.join(", ")));
        }
        match self.vocabulary.of(variable.id) {
            Some((known, Kind::Headers)) => {
                self.uses(known);
                note(&mut self.checked.used.headers, name);
                Ok(Size::text(MAX_WORDS))
            }
            Some((known, Kind::Groups)) => {
                self.uses(known);
                note(&mut self.checked.used.groups, name);
                Ok(Size::text(MAX_WORDS))
            }
            Some((_, Kind::Json)) => Ok(self.whole(of)?),
            Some((_, Kind::Records(_))) => self.whole(of).and_then(|of| field(of, name, place)),
            Some((_, Kind::List)) => wrong(
                place,
                format!(
                    "`attachments` is a list and has no `{name}`; print it with `attachments|join(\", \")`"
                ),
            ),
            Some((_, Kind::Time)) => wrong(
                place,
                format!("`received` has no `{name}`; print parts of it like `received|time(\"%H:%M\")`"),
            ),
            Some((_, Kind::Text)) => {
                let advice = match known::filter_of(name) {
                    Some(_) => format!("; the filter is `{}|{name}`", variable.id),
                    None => format!("; write `{}` alone", variable.id),
                };
                wrong(place, format!("`{}` is a text and has no `{name}`{advice}", variable.id))
            }
            None => self.variable(variable.id, range(variable.span())),
        }
    }

    fn item(&mut self, item: &GetItem<'_>, place: Range<usize>) -> Checks<Size> {
        let subscript = &item.subscript_expr;
        if let Expr::Const(key) = subscript
            && let Some(name) = key.value.as_str()
        {
            return self.attribute(&item.expr, name, range(key.span()));
        }
        if let Expr::Var(variable) = &item.expr
            && self.local(variable.id).is_none()
            && let Some((_, kind @ (Kind::Headers | Kind::Groups))) = self.vocabulary.of(variable.id)
        {
            let (one, example) = if kind == Kind::Headers {
                ("field", "headers[\"X-Priority\"]")
            } else {
                ("group", "groups[\"host\"]")
            };
            return wrong(
                range(subscript.span()),
                format!("`{}` needs the name of a {one} in quotes, like `{example}`", variable.id),
            );
        }
        let size = self.whole(&item.expr)?;
        let key = self.expression(subscript)?;
        self.moves(size.item().with(key.item()), place)?;
        Ok(size.item())
    }
}

/// The value of a name in `of`.
fn field(of: Size, name: &str, place: Range<usize>) -> Checks<Size> {
    match of.fields {
        None => Ok(of.item()),
        Some(fields) if of.is_list => wrong(
            place,
            format!(
                "this is a list and has no `{name}`; write {{% for %}} around it, and name one of {} of each",
                fields.join(", ")
            ),
        ),
        Some(fields) if fields.contains(&name) => Ok(Size::text(MAX_WORDS)),
        Some(fields) => {
            let advice = match known::nearest(name, fields) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", fields.join(", ")),
            };
            wrong(place, format!("there is no `{name}` in it; {advice}"))
        }
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// Whether an expression makes a number or fails.
fn is_number(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(value) => value.value.kind() == ValueKind::Number,
        Expr::UnaryOp(operation) => matches!(operation.op, UnaryOpKind::Neg),
        Expr::BinOp(operation) => match operation.op {
            BinOpKind::Sub | BinOpKind::Mul | BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Pow => true,
            BinOpKind::Add => is_number(&operation.left) && is_number(&operation.right),
            _ => false,
        },
        Expr::Filter(filter) => {
            known::filter_of(filter.name).is_some_and(|known| known.makes == Makes::Number)
        }
        Expr::IfExpr(choice) => {
            is_number(&choice.true_expr) && choice.false_expr.as_ref().is_some_and(is_number)
        }
        Expr::GetAttr(attribute) => matches!(&attribute.expr, Expr::Var(name) if name.id == "loop"),
        _ => false,
    }
}
