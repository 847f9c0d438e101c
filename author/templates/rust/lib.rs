//! A list on which people put themselves down, until it is full.

use interlink_sdk::prelude::*;

/// What people fill in to make one. Comments become the help in their form.
#[derive(Input)]
struct Open {
    /// What the list is for.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// How many people it takes.
    #[schemars(range(min = 1, max = 1000))]
    places: u64,
}

/// What people fill in to be on it.
#[derive(Input)]
struct Join {
    /// A word to the others.
    #[schemars(length(max = 500))]
    note: Option<String>,
}

/// What people see.
#[derive(Output)]
struct Shown {
    title: String,
    places: u64,
    notes: Vec<String>,
}

/// What is kept of one list. Each entry of a map is a key of its own: a long list costs no more than a short one.
#[derive(State)]
struct __Type__ {
    open: Value<Open>,
    joined: Map<PersonId, String>,
}

#[interlinker(
    name = "__name__",
    version = "0.1.0",
    title(en = "__Title__"),
    description(en = "A list on which people put themselves down, until it is full."),
    licence = "EUPL-1.2"
)]
impl __Type__ {
    #[instantiate(title(en = "Make a list"))]
    fn open(&mut self, input: Open) -> Result<()> {
        self.open.set(input)
    }

    #[action(title(en = "Put yourself down"), allow(contributor))]
    fn join(&mut self, cx: &Call, input: Join) -> Result<Receipt> {
        let places = self.open.get().places;
        ensure!(self.joined.len() < places, code "full", "all {places} places are taken");
        ensure!(!self.joined.contains(cx.person()), code "already-joined", "you are on the list");
        self.joined.insert(cx.person(), input.note.unwrap_or_default())?;
        if self.joined.len() == places {
            // The task that this list is for has what it needed.
            cx.declare_outcome(json!({"people": places}))?;
        }
        Ok(Receipt::of(cx))
    }

    #[view]
    fn shown(&self) -> Shown {
        let Open { title, places } = self.open.get();
        Shown { title, places, notes: self.joined.iter().map(|(_, note)| note).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_full_when_its_places_are_taken() {
        let mut list = TestHost::open::<__Type__>(json!({"title": "Cleaning the river", "places": 2}));
        list.act_as("ana", "join", json!({"note": "I bring gloves"})).ok();
        list.act_as("ana", "join", json!({})).refused("already-joined");
        assert_eq!(list.outcome(), None);
        list.act_as("boris", "join", json!({})).ok();
        assert_eq!(list.outcome(), Some(&json!({"people": 2})));
        list.act_as("carla", "join", json!({})).refused("full");
        assert_eq!(list.view()["notes"], json!(["I bring gloves", ""]));
    }

    #[test]
    fn a_list_takes_somebody() {
        let problem = TestHost::try_open::<__Type__>(json!({"title": "Nobody", "places": 0})).unwrap_err();
        assert_eq!(problem.pointer.as_deref(), Some("/places"));
    }
}
