//! Who calls, when, and on what.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::{MapKey, OwnedMapKey};
use crate::problem::{Problem, Result};
use crate::session::Session;

/// A person, as the server knows them: opaque, and the same in every call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PersonId(String);

impl PersonId {
    /// A person's id from its text.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for PersonId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl MapKey for PersonId {
    fn write(&self, segments: &mut String) {
        self.0.write(segments);
    }
}

impl OwnedMapKey for PersonId {
    fn read(segments: &str) -> Option<Self> {
        String::read(segments).map(Self)
    }
}

/// The call that is running.
#[derive(Debug)]
pub struct Call {
    context: Context,
    session: Session,
}

/// What the host says of a call. Fields that a newer host adds are ignored, those that it leaves out are empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Context {
    pub(crate) person: Option<Person>,
    pub(crate) process: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) asset: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: PersonId,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

impl Call {
    /// The call that a host's context describes.
    ///
    /// # Errors
    ///
    /// When the context is not what the world says.
    pub fn new(context: &str, session: Session) -> Result<Self> {
        let context = serde_json::from_str(context)
            .map_err(|error| Problem::new("context-not-understood", format!("the host's context: {error}")))?;
        Ok(Self { context, session })
    }

    /// Who calls.
    ///
    /// # Panics
    ///
    /// When the server calls by itself, as it may to make an asset: ask [`caller`](Self::caller) there.
    #[must_use]
    #[track_caller]
    pub fn person(&self) -> &PersonId {
        self.caller().expect("no person makes this call: ask `caller()`, which may be None")
    }

    /// Who calls, unless the server does so by itself.
    #[must_use]
    pub fn caller(&self) -> Option<&PersonId> {
        self.context.person.as_ref().map(|person| &person.id)
    }

    /// The caller's roles here.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        self.context.person.as_ref().map_or(&[], |person| &person.roles)
    }

    /// Whether the caller has a role here.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|own| own == role)
    }

    /// The process that the asset belongs to.
    #[must_use]
    pub fn process(&self) -> Option<&str> {
        self.context.process.as_deref()
    }

    /// The task that the asset serves.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.context.task.as_deref()
    }

    /// The asset.
    #[must_use]
    pub fn asset(&self) -> Option<&str> {
        self.context.asset.as_deref()
    }

    /// The language to answer in, as a BCP 47 tag.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.context.language.as_deref()
    }

    /// When the call was made, in RFC 3339 and UTC: the only clock there is.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.context.at
    }

    /// Says that the task has what it needed, with a result. It becomes a fact with what the call changes.
    ///
    /// # Errors
    ///
    /// When this call has declared an outcome before.
    pub fn declare_outcome(&self, outcome: impl Serialize) -> Result<()> {
        self.session.declare_outcome(&outcome)
    }
}

/// That something was done: the answer of actions that have nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// When it was done, in RFC 3339.
    pub at: String,
}

impl Receipt {
    /// The receipt of this call.
    #[must_use]
    pub fn of(cx: &Call) -> Self {
        Self { at: cx.at().to_owned() }
    }
}
