//! Cases as data: guests, what is done with them, and what must come of it.

use serde_json::{Value, json};

use crate::hand::Guest;
use crate::subject::{Need, Place};

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A well-behaved guest for an import.
    Import,
    /// A guest that reaches a limit, and is told so.
    Limit,
    /// An import that is abused.
    Abuse,
    /// Resources that are used up.
    Exhaustion,
    /// The state of others, by way of whoever may.
    Deputy,
    /// Requests to where nobody may go.
    Inside,
    /// Values that are too large, or none.
    Value,
    /// Names that look like others, or are none.
    Name,
    /// The clock and randomness, for what is nobody's business.
    Fishing,
    /// Components that are none, or that are made to be costly to read.
    Component,
    /// Other versions of the world.
    World,
}

impl Group {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Limit => "limit",
            Self::Abuse => "abuse",
            Self::Exhaustion => "exhaustion",
            Self::Deputy => "deputy",
            Self::Inside => "inside",
            Self::Value => "value",
            Self::Name => "name",
            Self::Fishing => "fishing",
            Self::Component => "component",
            Self::World => "world",
        }
    }

    /// Whether somebody wrote its guests to do harm.
    pub fn is_hostile(self) -> bool {
        !matches!(self, Self::Import | Self::Limit)
    }
}

/// What is published.
#[derive(Debug, Clone)]
pub enum Component {
    /// A guest, under a name of the run's own.
    Guest(Box<Guest>),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// What must come of something.
#[derive(Debug, Clone, PartialEq)]
pub enum Comes {
    /// It is done, whatever is answered.
    Done,
    /// It is done, with this answer.
    Answer(Value),
    /// The Interlinker refuses with this code.
    Refused(&'static str),
    /// The Interlinker fails with one of these words for limits: the first, or what may be reached before it.
    Failed(&'static [&'static str]),
    /// The host does not take it, with this slug.
    NotTaken(&'static str),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Is {
    /// This text.
    Text(String),
    /// These bytes.
    Bytes(Vec<u8>),
    /// A text with this in it.
    With(&'static str),
    /// A text without this in it.
    Without(&'static str),
    /// So many bytes.
    Size(usize),
    /// Not there.
    Absent,
    /// There, whatever it is.
    There,
}

/// A step of a case. Texts of its values may hold `{me}`, `{outside}`, `{port}`, `{name:0}` of the first guest's name
/// and `{asset:a}` of the id of the asset that the case calls `a`.
#[derive(Debug, Clone)]
pub enum Step {
    /// Publishes the component of this number; it is not taken where there is a slug.
    Publish(usize, Option<&'static str>),
    /// Grants what the guest of this number asks for.
    Grant(usize, Value),
    /// Sets a secret.
    Secret(&'static str, &'static str),
    /// Gives the guest of this number its settings.
    Settings(usize, Value, Comes),
    /// Makes an asset of the guest of this number.
    Make {
        /// What the case calls it.
        asset: &'static str,
        /// The guest's number.
        of: usize,
        /// Where.
        place: Place,
        /// What it is made with.
        input: Value,
        /// What must come of it.
        comes: Comes,
    },
    /// Runs an action.
    Act {
        /// Which asset.
        asset: &'static str,
        /// Which action.
        action: &'static str,
        /// Its input.
        input: Value,
        /// What must come of it.
        comes: Comes,
    },
    /// Asks these assets so often side by side: what is not done fails with one of the words, and some have to with the
    /// first.
    AtOnce {
        /// Which assets.
        assets: &'static [&'static str],
        /// Which action; none where they are looked at.
        action: Option<&'static str>,
        /// Its input.
        input: Value,
        /// How often each.
        times: usize,
        /// With what they fail.
        fails: &'static [&'static str],
    },
    /// Runs an action with the record of the last call.
    Again {
        /// Which asset.
        asset: &'static str,
        /// Which action.
        action: &'static str,
        /// Its input.
        input: Value,
        /// What must come of it.
        comes: Comes,
    },
    /// Shows an asset.
    View(&'static str, Comes),
    /// Moves an asset to the version of the guest of this number.
    Upgrade(&'static str, &'static str, Comes),
    /// Puts a blob, as a person does.
    PutBlob(&'static str, &'static str, Vec<u8>, Comes),
    /// Puts blobs of so many bytes each, none like another, as a person does.
    FillBlobs {
        /// Whose.
        asset: &'static str,
        /// How many.
        many: u32,
        /// The size of each, in bytes.
        bytes: usize,
    },
    /// Lets the alarms ring that are due.
    Ring(&'static str),
    /// Rings an alarm that nobody set.
    RingAtWill(&'static str, &'static str, Comes),
    /// A key of an asset's state.
    Keeps(&'static str, &'static str, Is),
    /// A field of the asset, by its JSON pointer, as JSON.
    Has(&'static str, &'static str, Is),
    /// What whoever calls was told, as a list of JSON.
    Heard(Is),
    /// What an asset noted, as a list of JSON.
    Noted(&'static str, Is),
    /// Lines of the last call: how many, and the longest of them in bytes at most.
    Logged(usize, usize),
    /// Requests that reached the service outside at a path.
    Arrived(&'static str, usize),
    /// Requests that were there at the same time, at most.
    AtOnceOutside(usize),
}

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// A sentence.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// Limits that it crosses, by the names that our host has for them.
    pub crosses: Vec<&'static str>,
    /// What it needs beyond the verbs.
    pub needs: Vec<Need>,
    /// What is published in it.
    pub components: Vec<Component>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Case {
    /// A case in which nothing is there yet.
    pub fn new(group: Group, name: &'static str) -> Self {
        Self { name, group, crosses: Vec::new(), needs: Vec::new(), components: Vec::new(), steps: Vec::new() }
    }

    /// A case of a guest that is published, of which there is an asset `a`.
    pub fn of(group: Group, name: &'static str, guest: Guest) -> Self {
        Self::new(group, name).published(guest).made("a", 0)
    }

    /// A component that is not taken, with this slug.
    pub fn unfit(group: Group, name: &'static str, slug: &'static str, component: impl Into<Component>) -> Self {
        let mut case = Self::new(group, name);
        case.components.push(component.into());
        case.then(Step::Publish(0, Some(slug)))
    }

    /// A step more.
    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A guest more, which is published.
    pub fn published(mut self, guest: Guest) -> Self {
        self.components.push(guest.into());
        let number = self.components.len() - 1;
        self.then(Step::Publish(number, None))
    }

    /// A component more, which is not taken.
    pub fn and_unfit(mut self, slug: &'static str, component: impl Into<Component>) -> Self {
        self.components.push(component.into());
        let number = self.components.len() - 1;
        self.then(Step::Publish(number, Some(slug)))
    }

    /// An asset of the guest of a number, here.
    pub fn made(self, asset: &'static str, of: usize) -> Self {
        self.then(Step::Make { asset, of, place: Place::Here, input: json!("before"), comes: Comes::Done })
    }

    /// What the first guest is granted.
    pub fn granted(self, grants: Value) -> Self {
        self.then(Step::Grant(0, grants))
    }

    /// The action `go` of the asset `a` is run.
    pub fn goes(self, input: Value, comes: Comes) -> Self {
        self.then(Step::Act { asset: "a", action: "go", input, comes })
    }

    /// The same, which fails with this word for a limit.
    pub fn fails(self, limit: &'static [&'static str]) -> Self {
        self.goes(json!({}), Comes::Failed(limit))
    }

    /// The same, which is done.
    pub fn is_done(self) -> Self {
        self.goes(json!({}), Comes::Done)
    }

    /// A key of the asset `a`.
    pub fn keeps(self, key: &'static str, is: Is) -> Self {
        self.then(Step::Keeps("a", key, is))
    }

    /// A key of the asset `a` with this text.
    pub fn keeps_text(self, key: &'static str, text: &str) -> Self {
        self.keeps(key, Is::Text(text.into()))
    }

    /// What it needs.
    pub fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// Limits that it crosses.
    pub fn crossing(mut self, limits: &[&'static str]) -> Self {
        self.crosses.extend(limits);
        self
    }

    /// Slugs with which its components are not taken.
    pub fn refusals(&self) -> Vec<&'static str> {
        let refused = self.steps.iter().filter_map(|step| match step {
            Step::Publish(_, slug) => *slug,
            _ => None,
        });
        refused.collect()
    }

    /// Words for limits with which its calls fail, where nothing else is reached before.
    pub fn words(&self) -> Vec<&'static str> {
        let comes = self.steps.iter().filter_map(|step| match step {
            Step::Make { comes, .. }
            | Step::Act { comes, .. }
            | Step::Again { comes, .. }
            | Step::View(_, comes)
            | Step::Upgrade(_, _, comes)
            | Step::RingAtWill(_, _, comes) => Some(comes),
            _ => None,
        });
        let failing = comes.filter_map(|comes| match comes {
            Comes::Failed(words) => words.first().copied(),
            _ => None,
        });
        let others = self.steps.iter().filter_map(|step| match step {
            Step::AtOnce { fails, .. } => fails.first().copied(),
            _ => None,
        });
        failing.chain(others).collect()
    }
}

impl From<Guest> for Component {
    fn from(guest: Guest) -> Self {
        Self::Guest(Box::new(guest))
    }
}

impl From<Vec<u8>> for Component {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
