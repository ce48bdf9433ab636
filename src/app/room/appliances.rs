//! The machines of the room, and what they say: real mails at their times, the same for the same seed.

use std::net::Ipv4Addr;

use fastrand::Rng;

use super::clock::{DAY, HOUR, MINUTE, SECOND};

/// What kind of mail it is, as far as it matters to who keeps the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Ordinary,
    /// Something is wrong; its recovery names it.
    Problem,
    /// It is well again.
    Recovery,
    /// One of thousands.
    Storm,
    Password,
    Fire,
    Nightly,
    /// A rule drops it.
    Newsletter,
    /// A rule drops it, and it is missed where it does not come.
    Alive,
    /// Nobody takes it.
    Unwanted,
}

/// A mail that comes.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) at: i64,
    pub(super) kind: Kind,
    pub(super) source: Ipv4Addr,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) subject: String,
    /// Its `Message-ID`.
    pub(super) name: String,
    /// The one that it ends.
    pub(super) ends: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// What the machines do.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    pub(super) seed: u64,
    /// How long they talk.
    pub(super) time: i64,
    /// Of 40 machines, how many there are of each sort, by a thousandth.
    pub(super) storms: Vec<Storm>,
    /// How much of the ordinary there is, in percent of the usual.
    pub(super) usual: u32,
    /// From when to when the machine says nothing that else tells that it is alive.
    pub(super) silent: (i64, i64),
}

/// A core switch dies, and everything behind it says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storm {
    pub(super) at: i64,
    pub(super) time: i64,
    pub(super) mails: usize,
}

impl Arrival {
    /// The same, so much later.
    pub(super) fn later(self, by: i64) -> Self {
        Self { at: self.at + by, ..self }
    }
}

/// All that comes, in order of time.
pub(super) fn arrivals(traffic: &Traffic) -> Vec<Arrival> {
    let mut all = Vec::new();
    for machine in 0..40u8 {
        // Each has luck of its own, so that a storm changes nothing else.
        let mut talk = Talk {
            rng: Rng::with_seed(traffic.seed ^ (u64::from(machine) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            machine,
            said: 0,
            time: traffic.time,
            usual: f64::from(traffic.usual.max(1)) / 100.0,
            all: &mut all,
        };
        match machine {
            0..9 => talk.steady(),
            9..15 => talk.chatty(),
            15..21 => talk.flapping(),
            21..25 => talk.printer(),
            25..29 => talk.passwords(),
            29..32 => talk.fire(),
            32..36 => talk.nightly(),
            36 => talk.alive(traffic.silent),
            _ => talk.nobody_s_friend(),
        }
    }
    for (n, storm) in traffic.storms.iter().enumerate() {
        let rng = Rng::with_seed(traffic.seed.wrapping_add(n as u64 + 1) ^ 0x5707);
        rage(rng, n, *storm, &mut all);
    }
    all.sort_by_key(|arrival: &Arrival| arrival.at);
    all
}

/// One machine that says something.
struct Talk<'a> {
    rng: Rng,
    machine: u8,
    said: u32,
    time: i64,
    usual: f64,
    all: &'a mut Vec<Arrival>,
}

impl Talk<'_> {
    /// How long until the next time, where the usual is `mean`.
    fn pause(&mut self, mean: i64) -> i64 {
        let pause = -(1.0 - self.rng.f64()).ln() * mean as f64 / self.usual;
        (pause as i64).max(SECOND)
    }

    fn say(
        &mut self,
        at: i64,
        kind: Kind,
        to: &str,
        subject: &str,
        text: &str,
        ends: Option<String>,
    ) -> String {
        self.said += 1;
        let machine = self.machine;
        let arrival = Arrival {
            at,
            kind,
            source: Ipv4Addr::new(10, 0, 0, machine + 1),
            from: format!("machine{machine}@example.com"),
            to: to.to_owned(),
            subject: subject.to_owned(),
            name: format!("<{}.{}@machine{machine}.example.com>", self.said, at),
            ends,
            bytes: Vec::new(),
        };
        let name = arrival.name.clone();
        self.all.push(arrival.with(text));
        name
    }

    /// A few a day, all about something else.
    fn steady(&mut self) {
        let (mut at, machine) = (self.pause(8 * HOUR), self.machine);
        while at < self.time {
            let what =
                ["Backup", "Battery test", "Update", "Certificate", "Licence", "Disk"][self.rng.usize(..6)];
            let to = ["oncall", "team", "facility", "duty"][self.rng.usize(..4)];
            let subject = format!("{what} on appliance {machine}");
            let text = format!("{what} needs a look; ticket {}.", self.rng.u32(1000..9999));
            self.say(at, Kind::Ordinary, to, &subject, &text, None);
            at += self.pause(8 * HOUR);
        }
    }

    /// The same again and again for some hours, with other figures.
    fn chatty(&mut self) {
        let (mut at, machine) = (self.pause(2 * DAY), self.machine);
        while at < self.time {
            let end = at + self.rng.i64(HOUR..4 * HOUR);
            while at < end.min(self.time) {
                let degrees = self.rng.u32(300..900);
                let text = format!("Temperature {}.{} C in rack {machine}", degrees / 10, degrees % 10);
                self.say(at, Kind::Ordinary, "oncall", "Temperature", &text, None);
                at += self.pause(6 * MINUTE);
            }
            at += self.pause(2 * DAY);
        }
    }

    /// Up and down for an hour or two.
    fn flapping(&mut self) {
        let (mut at, machine) = (self.pause(2 * DAY), self.machine);
        while at < self.time {
            let end = at + self.rng.i64(30 * MINUTE..2 * HOUR);
            while at < end.min(self.time) {
                let port = self.rng.u32(1..5);
                let incident = format!("incident {machine}.{}", self.said);
                let text = format!("Port {port} of switch {machine} lost its link, {incident}");
                let problem = self.say(at, Kind::Problem, "oncall", "PROBLEM: link", &text, None);
                at += self.pause(3 * MINUTE);
                let text = format!("Port {port} of switch {machine} has its link again, {incident}");
                self.say(at, Kind::Recovery, "oncall", "RECOVERY: link", &text, Some(problem));
                at += self.pause(4 * MINUTE);
            }
            at += self.pause(2 * DAY);
        }
    }

    fn printer(&mut self) {
        let (mut at, machine) = (self.pause(DAY), self.machine);
        while at < self.time {
            let text = format!("Tray {} is empty", self.rng.u32(1..4));
            self.say(at, Kind::Ordinary, "helpdesk", &format!("Printer {machine}"), &text, None);
            at += self.pause(12 * HOUR);
        }
    }

    fn passwords(&mut self) {
        let mut at = self.pause(6 * HOUR);
        while at < self.time {
            let to = ["user1", "user2", "user3"][self.rng.usize(..3)];
            let text = format!("Your verification code is {:06}", self.rng.u32(..1_000_000));
            self.say(at, Kind::Password, to, "Verification code", &text, None);
            // Some cannot type.
            at += if self.rng.u8(..4) == 0 { 20 * SECOND } else { self.pause(6 * HOUR) };
        }
    }

    fn fire(&mut self) {
        let mut at = self.pause(DAY);
        while at < self.time {
            let to = ["oncall", "team", "facility"][self.rng.usize(..3)];
            let text = format!("Detector {} in hall {}", self.rng.u32(1..40), self.rng.u32(1..4));
            self.say(at, Kind::Fire, to, "Fire alarm", &text, None);
            at += self.pause(DAY);
        }
    }

    fn nightly(&mut self) {
        let mut at = HOUR + self.rng.i64(0..4 * HOUR);
        while at < self.time {
            let text = format!("{} jobs done, {} failed", self.rng.u32(10..90), self.rng.u32(..3));
            self.say(at, Kind::Nightly, "team", "Nightly report", &text, None);
            at += DAY;
        }
    }

    /// A self-test twice a day, so that it is missed where it does not come.
    fn alive(&mut self, (from, to): (i64, i64)) {
        let mut at = HOUR + self.rng.i64(0..HOUR);
        while at < self.time {
            if !(from..to).contains(&at) {
                self.say(at, Kind::Alive, "oncall", "Self-test passed", "All is well.", None);
            }
            at += 12 * HOUR;
        }
    }

    fn nobody_s_friend(&mut self) {
        let mut at = self.pause(DAY);
        while at < self.time {
            match self.rng.u8(..4) {
                0 => self.say(at, Kind::Newsletter, "team", "Newsletter", "Ten ways to save toner", None),
                1 => self.say(at, Kind::Unwanted, "+41791234567", "Hello", "From afar", None),
                2 => self.say(at, Kind::Unwanted, "nobody", "Hello", "Is there somebody?", None),
                _ => self.say(at, Kind::Unwanted, "oncall", "Unwanted", "Buy this", None),
            };
            at += self.pause(DAY);
        }
    }
}

const NAMES: [&str; 8] = ["files", "mail", "web", "erp", "backup", "voice", "cameras", "doors"];

/// Everything behind a core switch says that it is gone; now and then a fire panel and somebody's log-in in between.
fn rage(mut rng: Rng, n: usize, storm: Storm, all: &mut Vec<Arrival>) {
    for i in 0..storm.mails {
        let at = storm.at + (storm.time as f64 * rng.f64()) as i64;
        let name = NAMES[rng.usize(..NAMES.len())];
        let (a, b, c) = (rng.u32(..250), rng.u32(1..250), rng.u32(1..49));
        let (kind, to, subject, text) = match rng.u32(..1000) {
            0..3 => (Kind::Fire, "oncall", "Fire alarm", format!("Detector {c} in hall 1")),
            3 => (
                Kind::Password,
                "user1",
                "Verification code",
                format!("Your verification code is {a:03}{b:03}"),
            ),
            4..400 => {
                (Kind::Storm, "oncall", "Host DOWN", format!("{name}-{b:03}: ping to 10.1.{a}.{b} lost 100%"))
            }
            400..600 => (
                Kind::Storm,
                "team",
                "Interface down",
                format!("Gi{c}/0/{a} of {name} is down since 02:{:02}:{:02}", c, a % 60),
            ),
            600..800 => (
                Kind::Storm,
                "oncall",
                "Service CRITICAL",
                format!("{name} on srv-{a}: no answer within {c} s"),
            ),
            800..900 => {
                (Kind::Storm, "facility", "Access control", format!("Door {a} does not reach its controller"))
            }
            _ => {
                (Kind::Storm, "duty", "Trap", format!("neighbor 10.2.{a}.{b} lost, 0x{a:02x}{b:02x}{c:02x}"))
            }
        };
        let arrival = Arrival {
            at,
            kind,
            source: Ipv4Addr::new(10, 9, (a % 4) as u8, b as u8),
            from: format!("{name}{}@example.com", b % 20),
            to: to.to_owned(),
            subject: subject.to_owned(),
            name: format!("<{n}.{i}@storm.example.com>"),
            ends: None,
            bytes: Vec::new(),
        };
        all.push(arrival.with(&text));
    }
}

impl Arrival {
    fn with(mut self, text: &str) -> Self {
        let answer = self.ends.as_ref().map_or_else(String::new, |name| format!("In-Reply-To: {name}\r\n"));
        let Self { from, to, subject, name, .. } = &self;
        let mail = format!(
            "From: <{from}>\r\nTo: <{to}@sms.local>\r\nSubject: {subject}\r\nMessage-ID: {name}\r\n{answer}\r\n{text}\r\n"
        );
        self.bytes = mail.into_bytes();
        self
    }
}
