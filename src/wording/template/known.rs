//! What a template may name: variables, filters, tests. Only what is listed here is registered with the
//! engine, so that each has been looked at for what it costs.
//!
//! Of minijinja's filters these are left out: `batch`, `slice`, `indent` and `format` make texts as long
//! as a number says; `sum` and `chain` join texts without a bound; `groupby` and `zip` have no use here;
//! `attr` takes names that cannot be checked; `pprint`, `bool`, `safe`, `escape` and `e` are about
//! programs and HTML. Of its tests: `safe`, `escaped`, `sameas`, `filter` and `test`. All its functions
//! are left out: `range`, `dict`, `namespace` and `debug`.

use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters as builtin, tests};

use super::{budget, filters};

/// The variables, in the order of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variable {
    Subject,
    Text,
    From,
    FromName,
    To,
    Client,
    Listener,
    Account,
    Helo,
    Headers,
    Received,
    Groups,
    Attachments,
    Json,
}

impl Variable {
    pub(super) const ALL: [Self; 14] = [
        Self::Subject,
        Self::Text,
        Self::From,
        Self::FromName,
        Self::To,
        Self::Client,
        Self::Listener,
        Self::Account,
        Self::Helo,
        Self::Headers,
        Self::Received,
        Self::Groups,
        Self::Attachments,
        Self::Json,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::From => "from",
            Self::FromName => "from_name",
            Self::To => "to",
            Self::Client => "client",
            Self::Listener => "listener",
            Self::Account => "account",
            Self::Helo => "helo",
            Self::Headers => "headers",
            Self::Received => "received",
            Self::Groups => "groups",
            Self::Attachments => "attachments",
            Self::Json => "json",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }
}

/// What a name of a template stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    /// Texts.
    List,
    /// What a text is as JSON.
    Json,
    Headers,
    Groups,
    /// A list of things that have these fields, each a text.
    Records(&'static [&'static str]),
}

/// What the templates of one purpose may name.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// What they make.
    pub(super) made: &'static str,
    /// In the order of the manual.
    pub(super) names: &'static [(&'static str, Kind)],
    /// Names that people write for one of them, and which one they mean.
    pub(super) meant: &'static [(&'static str, &'static str)],
}

impl Vocabulary {
    /// The name as it stands in the list, and what it stands for.
    pub(super) fn of(&self, name: &str) -> Option<(&'static str, Kind)> {
        self.names.iter().find(|(known, _)| *known == name).copied()
    }

    /// What was probably meant by `name` where a variable stands.
    pub(super) fn nearest<'a>(&self, name: &str, others: &[&'a str]) -> Option<&'a str> {
        let lower = name.to_lowercase();
        if let Some((_, meant)) = self.meant.iter().find(|(written, _)| *written == lower) {
            return Some(meant);
        }
        let mut known: Vec<&'a str> = self.names.iter().map(|(name, _)| *name).collect();
        known.extend(others);
        nearest(&lower, &known)
    }
}

/// The templates of an SMS.
pub(super) static SMS: Vocabulary = Vocabulary {
    made: "an SMS",
    names: &[
        ("subject", Kind::Text),
        ("text", Kind::Text),
        ("from", Kind::Text),
        ("from_name", Kind::Text),
        ("to", Kind::Text),
        ("client", Kind::Text),
        ("listener", Kind::Text),
        ("account", Kind::Text),
        ("helo", Kind::Text),
        ("headers", Kind::Headers),
        ("received", Kind::Time),
        ("groups", Kind::Groups),
        ("attachments", Kind::List),
        ("json", Kind::Json),
    ],
    meant: &MEANT,
};

/// Names that people write for a variable of an SMS, and which one they mean.
const MEANT: [(&str, &str); 14] = [
    ("body", "text"),
    ("message", "text"),
    ("content", "text"),
    ("title", "subject"),
    ("sender", "from"),
    ("recipient", "to"),
    ("date", "received"),
    ("time", "received"),
    ("now", "received"),
    ("received_at", "received"),
    ("ip", "client"),
    ("header", "headers"),
    ("user", "account"),
    ("group", "groups"),
];

/// What a filter makes, for the bound on what a template holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// A text, or a part of what came in: no longer than that.
    Less,
    /// A text that may be longer, up to what one rendering may print.
    More,
    /// What came in or an argument.
    Either,
    /// A list of parts of it.
    List,
    /// A number or a truth value.
    Number,
}

/// A filter as templates may use it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    /// Fewest and most arguments in parentheses.
    pub(super) arguments: (usize, usize),
    /// Arguments that have names.
    pub(super) named: &'static [&'static str],
    pub(super) makes: Makes,
}

const fn filter(
    name: &'static str,
    least: usize,
    most: usize,
    named: &'static [&'static str],
    makes: Makes,
) -> Filter {
    Filter { name, arguments: (least, most), named, makes }
}

/// The filters, those of the relay's own first.
pub(super) const FILTERS: [Filter; 40] = [
    filter("first_line", 0, 0, &[], Makes::Less),
    filter("lines", 0, 1, &[], Makes::List),
    filter("match", 1, 2, &["group"], Makes::Less),
    filter("shorten", 1, 1, &[], Makes::Less),
    filter("gsm", 0, 0, &[], Makes::More),
    filter("mask_digits", 0, 1, &["keep"], Makes::Less),
    filter("time", 1, 1, &[], Makes::Less),
    filter("abs", 0, 0, &[], Makes::Number),
    filter("capitalize", 0, 0, &[], Makes::More),
    filter("count", 0, 0, &[], Makes::Number),
    filter("d", 0, 2, &[], Makes::Either),
    filter("default", 0, 2, &[], Makes::Either),
    filter("dictsort", 0, 0, &["by", "reverse", "case_sensitive"], Makes::List),
    filter("first", 0, 0, &[], Makes::Less),
    filter("float", 0, 1, &["default"], Makes::Number),
    filter("int", 0, 1, &["default"], Makes::Number),
    filter("items", 0, 0, &[], Makes::List),
    filter("join", 0, 1, &["attribute"], Makes::More),
    filter("last", 0, 0, &[], Makes::Less),
    filter("length", 0, 0, &[], Makes::Number),
    filter("list", 0, 0, &[], Makes::List),
    filter("lower", 0, 0, &[], Makes::More),
    filter("map", 0, 3, &["attribute", "default"], Makes::List),
    filter("max", 0, 0, &["attribute", "case_sensitive"], Makes::Less),
    filter("min", 0, 0, &["attribute", "case_sensitive"], Makes::Less),
    filter("reject", 0, 2, &[], Makes::List),
    filter("rejectattr", 1, 3, &[], Makes::List),
    filter("replace", 2, 2, &[], Makes::More),
    filter("reverse", 0, 0, &[], Makes::List),
    filter("round", 0, 1, &["precision", "method"], Makes::Number),
    filter("select", 0, 2, &[], Makes::List),
    filter("selectattr", 1, 3, &[], Makes::List),
    filter("sort", 0, 0, &["reverse", "case_sensitive", "attribute"], Makes::List),
    filter("split", 0, 2, &[], Makes::List),
    filter("string", 0, 0, &[], Makes::More),
    filter("title", 0, 0, &[], Makes::More),
    filter("tojson", 0, 0, &[], Makes::More),
    filter("trim", 0, 1, &[], Makes::Less),
    filter("unique", 0, 0, &["case_sensitive", "attribute"], Makes::List),
    filter("upper", 0, 0, &[], Makes::More),
];

/// The tests behind `is`, and in `select` and its kin.
pub(super) const TESTS: [&str; 37] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
];

/// The attributes of `loop`.
pub(super) const LOOP: [&str; 9] =
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"];

/// The filter of this name.
pub(super) fn filter_of(name: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| filter.name == name)
}

/// What was probably meant by `name`: one of `known`, where one is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    similar::get_close_matches(name, known, 1, 0.7).into_iter().next()
}

/// Registers the tests, and those filters that are the engine's own.
pub(super) fn register(environment: &mut Environment<'_>) {
    for (name, function) in [
        ("abs", Value::from_function(builtin::abs)),
        ("capitalize", Value::from_function(builtin::capitalize)),
        ("count", Value::from_function(builtin::length)),
        ("d", Value::from_function(builtin::default)),
        ("default", Value::from_function(builtin::default)),
        ("dictsort", Value::from_function(builtin::dictsort)),
        ("first", Value::from_function(builtin::first)),
        ("float", Value::from_function(builtin::float)),
        ("int", Value::from_function(builtin::int)),
        ("items", Value::from_function(builtin::items)),
        ("last", Value::from_function(builtin::last)),
        ("length", Value::from_function(builtin::length)),
        ("list", Value::from_function(builtin::list)),
        ("lower", Value::from_function(builtin::lower)),
        ("map", Value::from_function(builtin::map)),
        ("max", Value::from_function(builtin::max)),
        ("min", Value::from_function(builtin::min)),
        ("reject", Value::from_function(builtin::reject)),
        ("rejectattr", Value::from_function(builtin::rejectattr)),
        ("reverse", Value::from_function(builtin::reverse)),
        ("round", Value::from_function(builtin::round)),
        ("select", Value::from_function(builtin::select)),
        ("selectattr", Value::from_function(builtin::selectattr)),
        ("sort", Value::from_function(builtin::sort)),
        ("split", Value::from_function(builtin::split)),
        ("string", Value::from_function(builtin::string)),
        ("title", Value::from_function(builtin::title)),
        ("tojson", Value::from_function(builtin::tojson)),
        ("unique", Value::from_function(builtin::unique)),
        ("upper", Value::from_function(builtin::upper)),
        // These three look at their arguments first: what they cost is not in proportion to them.
        ("join", Value::from_function(filters::join)),
        ("replace", Value::from_function(filters::replace)),
        ("trim", Value::from_function(filters::trim)),
    ] {
        environment.add_filter(name, bounded(function));
    }
    for (name, function) in [
        ("boolean", Value::from_function(tests::is_boolean)),
        ("defined", Value::from_function(tests::is_defined)),
        ("divisibleby", Value::from_function(tests::is_divisibleby)),
        ("endingwith", Value::from_function(tests::is_endingwith)),
        ("even", Value::from_function(tests::is_even)),
        ("false", Value::from_function(tests::is_false)),
        ("float", Value::from_function(tests::is_float)),
        ("in", Value::from_function(tests::is_in)),
        ("int", Value::from_function(tests::is_integer)),
        ("integer", Value::from_function(tests::is_integer)),
        ("iterable", Value::from_function(tests::is_iterable)),
        ("lower", Value::from_function(tests::is_lower)),
        ("mapping", Value::from_function(tests::is_mapping)),
        ("none", Value::from_function(tests::is_none)),
        ("number", Value::from_function(tests::is_number)),
        ("odd", Value::from_function(tests::is_odd)),
        ("sequence", Value::from_function(tests::is_sequence)),
        ("startingwith", Value::from_function(tests::is_startingwith)),
        ("string", Value::from_function(tests::is_string)),
        ("true", Value::from_function(tests::is_true)),
        ("undefined", Value::from_function(tests::is_undefined)),
        ("upper", Value::from_function(tests::is_upper)),
        ("eq", Value::from_function(tests::is_eq)),
        ("equalto", Value::from_function(tests::is_eq)),
        ("==", Value::from_function(tests::is_eq)),
        ("ne", Value::from_function(tests::is_ne)),
        ("!=", Value::from_function(tests::is_ne)),
        ("lt", Value::from_function(tests::is_lt)),
        ("lessthan", Value::from_function(tests::is_lt)),
        ("<", Value::from_function(tests::is_lt)),
        ("le", Value::from_function(tests::is_le)),
        ("<=", Value::from_function(tests::is_le)),
        ("gt", Value::from_function(tests::is_gt)),
        ("greaterthan", Value::from_function(tests::is_gt)),
        (">", Value::from_function(tests::is_gt)),
        ("ge", Value::from_function(tests::is_ge)),
        (">=", Value::from_function(tests::is_ge)),
    ] {
        environment.add_test(name, bounded(function));
    }
}

/// `function` within what one rendering may read and make.
fn bounded(
    function: Value,
) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync + 'static {
    move |state, arguments| {
        let arguments = arguments.into_values();
        for argument in &arguments {
            budget::read(state, argument)?;
        }
        budget::fits(function.call(state, &arguments)?)
    }
}

#[cfg(test)]
mod tests_of_names {
    use super::*;

    #[test]
    fn every_variable_is_a_name() {
        let names: Vec<&str> = SMS.names.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, Variable::ALL.map(Variable::name));
    }
}
