//! What a rule asks for, as it is written: a tree, whose leaves are about one field each.

use ipnet::IpNet;

use super::moment::Moment;
use crate::model::Door;
use crate::pattern::Pattern;

/// How deep conditions may stand in each other by `any`, `all` and `not`.
pub const MAX_NESTING: usize = 16;

/// What a rule asks for. `None` asks for nothing; all that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// It came through a listener of this kind.
    pub door: Option<Door>,
    /// The client's address is in one of these networks.
    pub networks: Option<Vec<IpNet>>,
    /// It came through one of these listeners.
    pub listeners: Option<Vec<String>>,
    /// It came from one of these accounts.
    pub accounts: Option<Vec<String>>,
    /// It is this time. Boxed, since few rules ask for it.
    pub moment: Option<Box<Moment>>,
    /// What the client calls itself in HELO or EHLO. Never holds where it said nothing, nor for a form post.
    pub helo: Option<Patterns>,
    /// `MAIL FROM`, as `local@domain` or `<>`. Never holds for a form post.
    pub envelope_sender: Option<Patterns>,
    /// The decoded `From:` field. Never holds for a form post or a mail without one.
    pub header_sender: Option<Patterns>,
    /// The decoded values of the first fields of these names. None holds for a form post or a mail without the field.
    pub headers: Vec<(String, Patterns)>,
    /// The recipient's local part (a form's destination) as written, or the number in
    /// international form.
    pub recipient: Option<Patterns>,
    /// The decoded subject; the empty text for a form post.
    pub subject: Option<Patterns>,
    /// The text of the mail or form.
    pub text: Option<Patterns>,
    /// One of these holds.
    pub any: Option<Vec<Conditions>>,
    /// All of these hold.
    pub all: Option<Vec<Conditions>>,
    /// None of these holds.
    pub not: Option<Vec<Conditions>>,
}

/// One thing that conditions ask for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    Door(Door),
    Networks(&'a [IpNet]),
    Listeners(&'a [String]),
    Accounts(&'a [String]),
    Moment(&'a Moment),
    Words(About<'a>, &'a Patterns),
}

/// Where patterns are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    Helo,
    EnvelopeSender,
    HeaderSender,
    /// The header field of this name.
    Header(&'a str),
    Recipient,
    Subject,
    Text,
}

impl About<'_> {
    /// The key as the configuration writes it.
    fn key(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::EnvelopeSender => "envelope_sender",
            Self::HeaderSender => "header_sender",
            Self::Header(_) => "header",
            Self::Recipient => "recipient",
            Self::Subject => "subject",
            Self::Text => "text",
        }
    }

    /// Whether both are the same place.
    pub(super) fn is(self, other: About<'_>) -> bool {
        match (self, other) {
            (Self::Header(one), About::Header(other)) => one.eq_ignore_ascii_case(other),
            _ => self.key() == other.key(),
        }
    }
}

/// Patterns, one of which is to be found; at least one.
#[derive(Clone, Debug)]
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// `None` where there is none.
    pub fn new(all: Vec<Pattern>) -> Option<Self> {
        (!all.is_empty()).then_some(Self(all))
    }

    /// All of them, in the order written.
    pub fn as_slice(&self) -> &[Pattern] {
        &self.0
    }

    /// Whether each of these is one of `others`, as far as their expressions tell.
    pub(super) fn are_among(&self, others: &Self) -> bool {
        self.0.iter().all(|one| others.0.iter().any(|other| one.same_as(other)))
    }
}

impl From<Pattern> for Patterns {
    fn from(one: Pattern) -> Self {
        Self(vec![one])
    }
}

impl Conditions {
    /// Those that stand in it, with the key by which they do.
    pub(super) fn inner(&self) -> impl Iterator<Item = (&'static str, &[Conditions])> {
        let lists = [("any", &self.any), ("all", &self.all), ("not", &self.not)];
        lists.into_iter().filter_map(|(key, list)| Some((key, list.as_deref()?)))
    }

    /// Each thing that it asks for itself, in the order in which it is told: what is told quickly goes first, and of two groups
    /// of one name the later one counts.
    pub(super) fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        // Each is named, so that nobody adds one and forgets it here.
        let Self {
            door,
            networks,
            listeners,
            accounts,
            moment,
            helo,
            envelope_sender,
            header_sender,
            headers,
            recipient,
            subject,
            text,
            any: _,
            all: _,
            not: _,
        } = self;
        let of_client = [
            door.map(Asked::Door),
            networks.as_deref().map(Asked::Networks),
            listeners.as_deref().map(Asked::Listeners),
            accounts.as_deref().map(Asked::Accounts),
            moment.as_deref().map(Asked::Moment),
        ];
        let before = [
            (About::Helo, helo),
            (About::EnvelopeSender, envelope_sender),
            (About::HeaderSender, header_sender),
        ];
        let behind = [(About::Recipient, recipient), (About::Subject, subject), (About::Text, text)];
        fn some<'a>((about, one): (About<'a>, &'a Option<Patterns>)) -> Option<(About<'a>, &'a Patterns)> {
            Some((about, one.as_ref()?))
        }
        let headers = headers.iter().map(|(name, patterns)| (About::Header(name), patterns));
        let words = before.into_iter().filter_map(some).chain(headers);
        let words = words.chain(behind.into_iter().filter_map(some));
        of_client.into_iter().flatten().chain(words.map(|(about, patterns)| Asked::Words(about, patterns)))
    }

    /// What is asked for by patterns, each with its key, in the order in which a later group counts.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (&'static str, &Patterns)> {
        self.asked().filter_map(|asked| match asked {
            Asked::Words(about, patterns) => Some((about.key(), patterns)),
            Asked::Door(_)
            | Asked::Networks(_)
            | Asked::Listeners(_)
            | Asked::Accounts(_)
            | Asked::Moment(_) => None,
        })
    }

    /// Whether it asks for nothing, so that everything meets it.
    pub fn is_empty(&self) -> bool {
        self.asked().next().is_none() && self.inner().next().is_none()
    }

    /// How many levels of conditions there are, itself included; no deeper than `most` is looked.
    pub(super) fn depth(&self, most: usize) -> usize {
        if most == 0 {
            return 0;
        }
        let inner = self.inner().flat_map(|(_, list)| list).map(|one| one.depth(most - 1));
        1 + inner.max().unwrap_or(0)
    }

    /// The names of all groups that its patterns have, but for those under `not`.
    pub(super) fn group_names(&self) -> Vec<&str> {
        let own =
            self.patterns().flat_map(|(_, patterns)| patterns.as_slice()).flat_map(Pattern::group_names);
        let inner = self.inner().filter(|(key, _)| *key != "not").flat_map(|(_, list)| list);
        own.chain(inner.flat_map(Conditions::group_names)).collect()
    }
}
