//! Who calls, when, and on what.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
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
    pub(crate) by: Option<String>,
}

/// Somebody who takes part in the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Who.
    pub id: PersonId,
    /// Their roles.
    #[serde(default)]
    pub roles: Vec<String>,
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

    /// What an operator has set for this Interlinker, read as a type; where nothing was set, of `{}`. It stays the same for
    /// the whole of a call, and views have it, too.
    ///
    /// # Errors
    ///
    /// `settings-not-understood` where it does not fit the type.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T> {
        let settings = self.session.outside()?.settings();
        serde_json::from_str(&settings)
            .map_err(|error| Problem::new("settings-not-understood", format!("the operator's settings: {error}")))
    }

    /// Who takes part in the process, where the operator has granted it.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, and `not-granted`.
    pub fn people(&self) -> Result<Vec<Participant>> {
        let people = self.outside("the people of the process")?.people()?;
        serde_json::from_str(&people)
            .map_err(|error| Problem::new("people-not-understood", format!("the host's list of people: {error}")))
    }

    /// Runs an action of another asset of the same process, where the operator has granted it, for the person who makes this
    /// call. It is done once, and stays done whatever becomes of this call.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `not-granted`, `no-such-asset`, `no-such-action`, `invalid-input`, `not-allowed`, `busy`,
    /// `failed`, `too-deep`, and what the other asset refuses.
    pub fn act_on<T: DeserializeOwned>(&self, asset: &str, action: &str, input: impl Serialize) -> Result<T> {
        let input = serde_json::to_string(&input)
            .map_err(|error| Problem::new("input-not-json", format!("the input cannot be JSON: {error}")))?;
        let output = self.outside("another asset")?.act_on(asset, action, &input)?;
        serde_json::from_str(&output)
            .map_err(|error| Problem::new("output-not-understood", format!("what `{action}` answered: {error}")))
    }

    /// Tells people something, where the operator has granted it: with what the call changes, it is in their notifications.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `not-granted`, `invalid-message` and `too-many`.
    pub fn notify<'p>(&self, to: impl IntoIterator<Item = &'p PersonId>, title: &str, text: &str) -> Result<()> {
        let to: Vec<_> = to.into_iter().map(PersonId::as_str).collect();
        let message = serde_json::json!({"to": to, "title": title, "text": text});
        self.outside("telling people something")?.notify(&message.to_string())
    }

    /// Says what happened in a word of its own, for the registry of usage and for adoption: `cx.note("meal-booked", 2)`.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `not-a-word` and `too-many`.
    pub fn note(&self, word: &str, amount: i64) -> Result<()> {
        self.outside("the registry of usage")?.note(word, amount)
    }

    /// Sets the alarm of this name, of a method marked `#[alarm]`, to microseconds since 1970-01-01T00:00:00Z, in place of
    /// one that was set. It rings once.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `no-alarms`, `invalid-alarm` and `too-many`.
    pub fn set_alarm(&self, name: &str, at: i64, input: impl Serialize) -> Result<()> {
        let input = serde_json::to_string(&input)
            .map_err(|error| Problem::new("input-not-json", format!("the input cannot be JSON: {error}")))?;
        self.outside("an alarm")?.set_alarm(name, at, &input)
    }

    /// Takes an alarm away; says whether it was set.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view.
    pub fn cancel_alarm(&self, name: &str) -> Result<bool> {
        Ok(self.outside("an alarm")?.cancel_alarm(name))
    }

    /// Keeps what is too large for the state, and answers by what it is known: `sha256:` and 64 hex digits.
    ///
    /// # Errors
    ///
    /// `not-in-a-view` in a view, `too-large`, `too-many` and `not-a-media-type`.
    pub fn put_blob(&self, media_type: &str, content: &[u8]) -> Result<String> {
        self.outside("a blob")?.put_blob(media_type, content)
    }

    /// How many bytes a blob has, if it is there; views can ask, too.
    ///
    /// # Errors
    ///
    /// Where a test has no outside.
    pub fn blob_size(&self, digest: &str) -> Result<Option<u64>> {
        Ok(self.session.outside()?.blob_size(digest))
    }

    /// At most `limit` bytes of a blob from `offset` on, if it is there; views can ask, too.
    ///
    /// # Errors
    ///
    /// Where a test has no outside.
    pub fn blob(&self, digest: &str, offset: u64, limit: u32) -> Result<Option<Vec<u8>>> {
        Ok(self.session.outside()?.blob(digest, offset, limit))
    }

    /// The asset that runs this action for whoever called that one; nothing where a person calls.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        self.context.by.as_deref()
    }

    fn outside(&self, what: &str) -> Result<impl Outside> {
        if self.looks {
            let detail = format!("a view looks at the asset, a migration at its state: neither can ask for {what}");
            return Err(Problem::new("not-in-a-view", detail));
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
