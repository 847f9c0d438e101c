//! Who calls, when, and on what.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::{Request, Response};
use crate::key::{MapKey, OwnedMapKey};
use crate::outside::Outside;
use crate::problem::{Problem, Result};
use crate::session::Session;

/// Random bytes that a call can take, all together.
pub const RANDOM_BYTES_MAX: usize = 4 * 1024;

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
    /// Whether it only looks at the asset.
    looks: bool,
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
        Ok(Self { context, session, looks: false })
    }

    /// The call of a view.
    pub(crate) fn looking(self) -> Self {
        Self { looks: true, ..self }
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

    /// When the call was made, in RFC 3339 and UTC. It costs nothing, where [`now`](Self::now) waits for the disk.
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

    /// The time, in microseconds since 1970-01-01T00:00:00Z.
    ///
    /// As all that is asked of the outside, its answer is recorded before it is seen here: a call that a crash cut off is
    /// run again, and sees the same.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view.
    pub fn now(&self) -> Result<i64> {
        self.outside("the clock").map(|outside| outside.now())
    }

    /// Random bytes that nobody can guess, for tokens and draws: `cx.random::<16>()?`.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let count = const {
            assert!(N <= RANDOM_BYTES_MAX, "a call has no more than RANDOM_BYTES_MAX random bytes");
            N as u32
        };
        let bytes = self.outside("randomness")?.random(count);
        Ok(bytes.try_into().expect("the host gives as many bytes as it is asked for"))
    }

    /// Sends a request to what the operator has granted, and waits for the response. Any status is a response, a redirect
    /// too; [`Response::success`] makes a problem of those that are none of success.
    ///
    /// The request carries an `Idempotency-Key`: if the server fails before the response is recorded, the request is sent
    /// again with the same key.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `not-granted` where the operator has not granted it, `invalid-request` for one that
    /// cannot be sent, `request-too-large`, `not-sent` where the server may not go there, `unreachable`, `timeout`, and
    /// `response-too-large`.
    pub fn http(&self, request: Request) -> Result<Response> {
        let outside = self.outside("HTTP")?;
        request.check()?;
        let (head, body) = outside.http(&request.head(), request.content())?;
        Response::read(&head, body)
    }

    /// A secret, if the operator has set and granted it.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view.
    pub fn secret(&self, name: &str) -> Result<Option<String>> {
        self.outside("a secret").map(|outside| outside.secret(name))
    }

    fn outside(&self, what: &str) -> Result<impl Outside> {
        if self.looks {
            return Err(Problem::new("not-in-a-view", format!("a view looks at the asset and cannot ask for {what}")));
        }
        self.session.outside()
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
