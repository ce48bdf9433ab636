//! Who is behind each name and who sleeps when: as the configuration says it, and as whoever keeps the books reckons it by
//! himself.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::clock::{DAY, MINUTE, at, millis};
use super::setting::Setting;

/// Who is behind each address.
const PEOPLE: [(&str, &[u32]); 12] = [
    ("oncall", &[1]),
    ("team", &[1, 2, 3]),
    ("facility", &[4]),
    ("helpdesk", &[5]),
    ("boss", &[6]),
    ("chief", &[7, 8]),
    ("user1", &[11]),
    ("user2", &[12]),
    ("user3", &[13]),
    ("anna", &[21]),
    ("bruno", &[22]),
    ("carla", &[23]),
];
/// The name that a rota has where there is one, and otherwise an alias.
const DUTY: &str = "duty";
/// Everybody who may have quiet hours.
pub(super) const PHONES: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 21, 22, 23];

/// Who is on call: Anna and Bruno, a week each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rota {
    /// The day of the week of the handover, from 0 for Monday, and the minute of the day.
    pub(super) handover: (i64, i64),
    /// From when to when Carla has the phone all the same, in minutes since the start.
    pub(super) cover: Option<(i64, i64)>,
}

impl Rota {
    fn who(&self, at: i64) -> &'static str {
        if self.cover.is_some_and(|(from, to)| (from * MINUTE..to * MINUTE).contains(&at)) {
            return "carla";
        }
        // Anna has the week in which everything begins, until its handover; the clock starts on a Monday.
        let (day, minute) = self.handover;
        let first = day * DAY + minute * MINUTE - 7 * DAY;
        if (at - first).div_euclid(7 * DAY) % 2 == 0 { "anna" } else { "bruno" }
    }
}

fn of(name: &str) -> Option<&'static [u32]> {
    PEOPLE.iter().find(|(known, _)| *known == name).map(|(_, phones)| *phones)
}

/// The phones behind a name at a time; none where nobody may be there.
pub(super) fn phones(name: &str, at: i64, setting: &Setting) -> Vec<String> {
    let name = match (name, &setting.rota) {
        (DUTY, Some(rota)) => rota.who(at),
        (DUTY, None) => "anna",
        _ => name,
    };
    of(name).unwrap_or_default().iter().map(|n| phone(*n)).collect()
}

pub(super) fn phone(n: u32) -> String {
    format!("+39347000{n:04}")
}

/// The aliases as the configuration writes them.
pub(super) fn aliases(setting: &Setting) -> String {
    let one = |(name, phones): &(&str, &[u32])| {
        let phones: Vec<String> = phones.iter().map(|n| format!("\"{}\"", phone(*n))).collect();
        format!("{name} = [{}]\n", phones.join(", "))
    };
    let mut all: String = PEOPLE.iter().map(one).collect();
    if setting.rota.is_none() {
        all.push_str("duty = \"anna\"\n");
    }
    all
}

/// When whoever has the phone is awake: then, or at the end of the quiet hours.
pub(super) fn awake_from(phone_number: &str, now: i64, setting: &Setting) -> i64 {
    let found = setting.quiet.iter().find(|(n, _)| phone(**n) == phone_number);
    let Some((_, (from, to))) = found else { return now };
    let zone = setting.zone();
    let mut awake = now;
    // Where the clock changes, the end of some may be in others.
    while let Some(end) = asleep_until(awake, (*from, *to), &zone) {
        awake = end;
    }
    awake
}

/// The end of the quiet hours of minutes of the day that a moment is in; they begin every day.
fn asleep_until(now: i64, (from, to): (i64, i64), zone: &TimeZone) -> Option<i64> {
    let today = at(now).to_zoned(zone.clone()).date();
    let moment = |day: Date, minute: i64| {
        let clock = day.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        millis(clock.to_zoned(zone.clone()).unwrap().timestamp())
    };
    let begun = [today.yesterday().unwrap(), today].into_iter().map(|day| {
        let last = if to > from { day } else { day.tomorrow().unwrap() };
        moment(day, from)..moment(last, to)
    });
    begun.into_iter().find(|hours| hours.contains(&now)).map(|hours| hours.end)
}

pub(super) fn is_asleep(phone_number: &str, at: i64, setting: &Setting) -> bool {
    awake_from(phone_number, at, setting) != at
}
