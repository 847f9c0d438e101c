//! A booking desk: places at times, with reminders, and a list for whoever holds the desk.
//!
//! What an operator sets says how many places one person may have, and when people are reminded. The desk has one alarm, set
//! to the next reminder: however many times there are, it is one key in the state.

use std::collections::BTreeMap;

use interlink_sdk::prelude::*;

const MINUTE: i64 = 60_000_000;

/// What an operator sets.
#[derive(Input)]
struct Settings {
    /// Places that one person may have.
    #[serde(default = "one")]
    places_per_person: u64,
    /// Minutes before a time at which people are reminded of it.
    #[serde(default = "day")]
    remind_minutes_before: u32,
}

fn one() -> u64 {
    1
}

fn day() -> u32 {
    24 * 60
}

#[derive(Input)]
struct Open {
    /// What can be booked.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// When, and how many places there are.
    #[schemars(length(min = 1, max = 200))]
    slots: Vec<Slot>,
}

#[derive(Input)]
struct Slot {
    /// A short name, as in `monday-10`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,63}$"))]
    id: String,
    /// When it begins, in UTC, as in `2027-05-01T10:00:00Z`.
    starts_at: String,
    /// How many people can come.
    #[schemars(range(min = 1, max = 10000))]
    places: u32,
}

#[derive(Input)]
struct Which {
    /// The time, by its short name.
    slot: String,
}

#[derive(Output)]
struct Listed {
    /// The list as a blob of the asset: lines of `slot,person,booked_at`.
    digest: String,
    /// Lines in it.
    bookings: u64,
}

#[derive(Output)]
struct Shown {
    title: String,
    slots: Vec<ShownSlot>,
    /// Versions of this Interlinker that the desk has moved from.
    moved_from: Vec<String>,
}

#[derive(Output)]
struct ShownSlot {
    id: String,
    starts_at: String,
    places: u32,
    free: u64,
    /// Whether whoever looks has a place.
    yours: bool,
}

#[derive(State)]
struct Booking {
    open: Value<Open>,
    /// Places, by time and person: when they were booked.
    booked: Map<(String, PersonId), String>,
    /// Places of each person.
    places: Map<PersonId, u64>,
    /// Times of which people were reminded.
    reminded: Map<String, bool>,
    moved_from: Value<Vec<String>>,
}

#[interlinker(
    name = "booking",
    version = "1.0.0",
    title(en = "Booking desk", es = "Reserva de plazas"),
    description(
        en = "Places at times, one each, with reminders.",
        es = "Plazas con hora, una por persona, con aviso."
    ),
    problems("offer-appointments"),
    settings(Settings),
    grants(notify(reason(
        en = "Reminds people of the place that they booked.",
        es = "Recuerda a cada persona su plaza."
    )))
)]
impl Booking {
    #[instantiate(title(en = "Open a desk", es = "Abrir las reservas"))]
    fn open(&mut self, cx: &Call, input: Open) -> Result<()> {
        let mut seen = BTreeMap::new();
        for (number, slot) in input.slots.iter().enumerate() {
            let at = format!("/slots/{number}");
            ensure!(micros(&slot.starts_at).is_some(), at format!("{at}/starts_at"), "write it as `2027-05-01T10:00:00Z`");
            ensure!(seen.insert(&slot.id, ()).is_none(), at format!("{at}/id"), "`{}` is there twice", slot.id);
        }
        self.open.set(input)?;
        self.remind_next(cx)
    }

    /// Books a place.
    #[action(
        title(en = "Book a place", es = "Reservar una plaza"),
        help(en = "One place at this time, for whoever asks.")
    )]
    fn book(&mut self, cx: &Call, input: Which) -> Result<Receipt> {
        let slot = self.slot(&input.slot)?;
        let person = cx.person().clone();
        let settings: Settings = cx.settings()?;
        let has = self.places.get(&person).unwrap_or(0);
        ensure!(!self.booked.contains(&(slot.id.clone(), person.clone())), at "/slot", "you have a place at this time");
        let most = settings.places_per_person;
        ensure!(has < most, code "no-more-places", at "/slot", "one person has at most {most} here");
        let is_free = self.taken(&slot.id) < u64::from(slot.places);
        ensure!(is_free, code "full", at "/slot", "all places at this time are taken");
        self.booked.insert(&(slot.id, person.clone()), cx.at().to_owned())?;
        self.places.set(&person, has + 1)?;
        cx.note("place-booked", 1)?;
        Ok(Receipt::of(cx))
    }

    /// Gives a place back.
    #[action(title(en = "Give a place back", es = "Anular la reserva"))]
    fn cancel(&mut self, cx: &Call, input: Which) -> Result<Receipt> {
        let person = cx.person().clone();
        let key = (input.slot, person.clone());
        ensure!(self.booked.contains(&key), at "/slot", "you have no place at this time");
        self.booked.remove(&key)?;
        let has = self.places.get(&person).unwrap_or(1);
        self.places.set(&person, has.saturating_sub(1))?;
        cx.note("place-given-back", 1)?;
        Ok(Receipt::of(cx))
    }

    /// Writes the list of who comes, as a blob.
    #[action(title(en = "Write the list", es = "Hacer la lista"), allow(operator))]
    fn list(&mut self, cx: &Call) -> Result<Listed> {
        let mut lines = String::from("slot,person,booked_at\n");
        let mut bookings = 0;
        for ((slot, person), at) in self.booked.iter() {
            lines += &format!("{slot},{person},{at}\n");
            bookings += 1;
        }
        let digest = cx.put_blob("text/csv", lines.as_bytes())?;
        Ok(Listed { digest, bookings })
    }

    #[alarm]
    fn remind(&mut self, cx: &Call) -> Result<()> {
        let before = self.remind_before(cx)?;
        let now = micros(cx.at()).unwrap_or(i64::MAX);
        for slot in self.open.get().slots {
            let due = micros(&slot.starts_at).is_some_and(|at| at - before <= now);
            if !due || self.reminded.contains(&slot.id) {
                continue;
            }
            self.reminded.insert(&slot.id, true)?;
            let people: Vec<_> = self.booked.iter_under(&slot.id).map(|((_, person), _)| person).collect();
            if !people.is_empty() {
                let text = format!("{} · {}", self.open.get().title, slot.starts_at);
                cx.notify(&people, "You have a place", &text)?;
                cx.note("people-reminded", people.len() as i64)?;
            }
        }
        self.remind_next(cx)
    }

    #[migrate]
    fn migrate(&mut self, version: String) -> Result<()> {
        ensure!(!version.starts_with("0."), "what {version} kept cannot be read any more");
        let mut moved_from = self.moved_from.stored().unwrap_or_default();
        moved_from.push(version);
        self.moved_from.set(moved_from)
    }

    #[view]
    fn show(&self, cx: &Call) -> Shown {
        let Open { title, slots } = self.open.get();
        let shown = |Slot { id, starts_at, places }: Slot| {
            let free = u64::from(places).saturating_sub(self.taken(&id));
            let yours = cx.caller().is_some_and(|person| self.booked.contains(&(id.clone(), person.clone())));
            ShownSlot { id, starts_at, places, free, yours }
        };
        Shown {
            title,
            slots: slots.into_iter().map(shown).collect(),
            moved_from: self.moved_from.stored().unwrap_or_default(),
        }
    }
}

impl Booking {
    fn slot(&self, id: &str) -> Result<Slot> {
        let found = self.open.get().slots.into_iter().find(|slot| slot.id == id);
        found.ok_or_else(|| Problem::new("no-such-time", format!("there is no time `{id}` here")).at("/slot"))
    }

    fn taken(&self, slot: &str) -> u64 {
        self.booked.len_under(&slot.to_owned())
    }

    fn remind_before(&self, cx: &Call) -> Result<i64> {
        Ok(i64::from(cx.settings::<Settings>()?.remind_minutes_before) * MINUTE)
    }

    /// Sets the alarm to the next reminder, where one is to come.
    fn remind_next(&self, cx: &Call) -> Result<()> {
        let before = self.remind_before(cx)?;
        let slots = self.open.get().slots;
        let to_come = slots.iter().filter(|slot| !self.reminded.contains(&slot.id));
        match to_come.filter_map(|slot| micros(&slot.starts_at)).min() {
            Some(at) => cx.set_alarm("remind", at - before, json!(null)),
            None => Ok(()),
        }
    }
}

/// Microseconds since 1970 of `2027-05-01T10:00:00Z`, with or without a fraction. Days are counted as in Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<Vec<i64>> {
        text.split(separator)
            .map(|part| part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit())))
            .collect()
    };
    let time = time.split('.').next()?;
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let (&[year, month, day], &[hour, minute, second]) = (&date[..], &time[..]) else { return None };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk() -> TestHost {
        TestHost::open::<Booking>(json!({"title": "Repair café", "slots": [
            {"id": "monday-10", "starts_at": "2026-01-05T10:00:00Z", "places": 1},
            {"id": "monday-11", "starts_at": "2026-01-05T11:00:00Z", "places": 2},
        ]}))
    }

    #[test]
    fn a_time_is_read_as_the_calendar_has_it() {
        assert_eq!(micros("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(micros("2026-01-01T09:00:00Z"), Some(1_767_258_000_000_000));
        assert_eq!(micros("2024-02-29T00:00:01.5Z"), Some(1_709_164_801_000_000));
        assert!(
            ["2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "+1-1-1T0:0:0Z"]
                .iter()
                .all(|t| micros(t).is_none())
        );
    }

    #[test]
    fn one_person_has_one_place_and_a_time_has_so_many() {
        let mut desk = desk();
        desk.act_as("ana", "book", json!({"slot": "monday-10"})).ok();
        desk.act_as("boris", "book", json!({"slot": "monday-10"})).refused("full");
        desk.act_as("ana", "book", json!({"slot": "monday-11"})).refused("no-more-places");
        desk.act_as("ana", "cancel", json!({"slot": "monday-10"})).ok();
        desk.act_as("boris", "book", json!({"slot": "monday-10"})).ok();
        assert_eq!(
            desk.view_as("boris", json!({})).ok()["slots"][0],
            json!({"id": "monday-10",
            "starts_at": "2026-01-05T10:00:00Z", "places": 1, "free": 0, "yours": true})
        );
        let booked = desk.noted().iter().filter(|(word, _)| word == "place-booked").count();
        assert_eq!((booked, desk.noted().len()), (2, 3));
    }

    #[test]
    fn what_an_operator_sets_says_how_many_and_when() {
        let mut desk = TestHost::unopened::<Booking>();
        desk.settings(json!({"places_per_person": 2, "remind_minutes_before": 60}));
        let slots = json!([{"id": "a", "starts_at": "2026-01-05T10:00:00Z", "places": 5},
            {"id": "b", "starts_at": "2026-01-06T10:00:00Z", "places": 5}]);
        desk.instantiate(json!({"title": "Help", "slots": slots})).ok();
        desk.act_as("ana", "book", json!({"slot": "a"})).ok();
        desk.act_as("ana", "book", json!({"slot": "b"})).ok();
        assert_eq!(desk.alarms()["remind"].0, micros("2026-01-05T09:00:00Z").unwrap());
    }

    #[test]
    fn people_are_reminded_once_before_their_time_and_then_the_next() {
        let mut desk = desk();
        desk.act_as("ana", "book", json!({"slot": "monday-10"})).ok();
        desk.act_as("boris", "book", json!({"slot": "monday-11"})).ok();
        desk.ring().ok();
        let told = desk.messages();
        assert_eq!((told.len(), &told[0].to), (1, &vec![TestHost::person("ana")]));
        desk.ring().ok();
        assert_eq!(desk.messages()[1].to, [TestHost::person("boris")]);
        assert!(desk.alarms().is_empty());
    }

    #[test]
    fn whoever_holds_the_desk_has_a_list() {
        let mut desk = desk();
        desk.give_roles("eva", &["operator"]);
        desk.give_roles("ana", &["contributor"]);
        desk.act_as("ana", "book", json!({"slot": "monday-10"})).ok();
        desk.act_as("ana", "list", json!({})).refused("not-allowed");
        let listed = desk.act_as("eva", "list", json!({})).ok();
        assert_eq!(
            (&listed["bookings"], listed["digest"].as_str().map(str::len)),
            (&json!(1), Some("sha256:".len() + 64))
        );
    }

    #[test]
    fn a_desk_of_an_earlier_version_is_brought_here_unless_it_cannot_be_read() {
        let state = desk().state();
        let (mut moved, answer) = TestHost::migrate::<Booking>(&state, "1.0.0");
        answer.ok();
        assert_eq!(moved.view()["moved_from"], json!(["1.0.0"]));
        let (_, answer) = TestHost::migrate::<Booking>(&state, "0.9.0");
        answer.problem();
    }
}
