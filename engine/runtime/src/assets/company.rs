//! The company of an asset: who takes part in its process, and the actions of other assets there that it may run.
//!
//! An action that an asset runs of another is a call of its own, for the person who made the first: with their roles, in
//! the other's lane, in an append of its own, once, whatever becomes of the call that asked. It has no outside, so it can
//! run nothing further and never waits for a thread that whoever waits for it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use interlink_host::{Company, Grants, Problem};
use interlink_model::event::Actor;
use interlink_model::id::{AssetId, CallId, PersonId, ProcessId, StreamKind};
use serde_json::{Value as Json, json};

use super::{Acted, Assets, Deed, Use, guest_of, roles_of};
use crate::core::Core;
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Entry, Request};
use crate::mended::{Backwards, RECORDS_AT_ONCE};
use crate::people::{Caller, CallerKind};
use crate::processes::ProcessCell;
use crate::usage::registry::{self, UseFilter};

/// How long a call waits for another asset's lane.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits where the other comes before it in the order of their ids: of two that wait for each other one gives way,
/// and the other goes on.
const PATIENCE_OF_THE_LATER: Duration = Duration::from_millis(500);
/// People that are told of, or told of something that concerns all of a process, at most.
pub const PEOPLE_MAX: usize = 1_000;

/// The company of one call.
pub(super) struct Neighbours {
    pub assets: Weak<Assets>,
    /// What drives calls of others while this one's thread waits.
    pub runtime: tokio::runtime::Handle,
    pub process: Arc<ProcessCell>,
    pub asset: AssetId,
    pub actor: Actor,
    pub call: CallId,
    pub language: String,
}

fn problem(code: &str, detail: impl Into<String>) -> Problem {
    Problem { code: code.into(), detail: detail.into(), pointer: None, data: None }
}

impl Company for Neighbours {
    fn people(&self) -> String {
        let Some(assets) = self.assets.upgrade() else { return "[]".into() };
        told(&self.runtime.block_on(taking_part(&assets.core, self.process.id)).unwrap_or_default())
    }

    fn act(&self, grants: &Grants, number: u32, asset: &str, action: &str, input: &str) -> Result<String, Problem> {
        let Some(assets) = self.assets.upgrade() else { return Err(problem("failed", "the server is stopping")) };
        self.runtime.block_on(self.run(&assets, grants, number, asset, action, input))
    }
}

impl Neighbours {
    async fn run(
        &self,
        assets: &Arc<Assets>,
        grants: &Grants,
        number: u32,
        asset: &str,
        action: &str,
        input: &str,
    ) -> Result<String, Problem> {
        let none = || problem("no-such-asset", format!("this process has no asset {asset:?}"));
        let id = AssetId::parse(asset).ok_or_else(none)?;
        if id == self.asset {
            return Err(problem("too-deep", "an asset does not run its own actions"));
        }
        let cell = assets.cell(id).map_err(|trouble| or_problem(&trouble, none))?;
        let other = cell.snapshot().asset;
        // Whatever is elsewhere is not there: the answer says nothing of other processes.
        if other.process != self.process.id {
            return Err(none());
        }
        let name = &other.interlinker.name;
        if !grants.allow_asset(name, action) {
            return Err(Problem::not_granted(&format!("to run `{action}` of {name}")));
        }
        let catalogue = &assets.world.catalogue;
        let input: Json = serde_json::from_str(input)
            .map_err(|error| problem("invalid-input", format!("the input is no JSON: {error}")))?;
        let failed = |trouble: Trouble| of_trouble(&trouble);
        catalogue.not_revoked(&other.interlinker).map_err(failed)?;
        if catalogue.pause(name).is_some() {
            return Err(problem("failed", format!("{name} was paused by an operator")));
        }
        let guest = guest_of(&assets.core, catalogue, &other).await.map_err(failed)?;
        // Asked for again under the same number, it is answered as before: the key belongs to the asset that asks.
        let asking = PersonId::from_bytes(self.asset.bytes());
        let caller =
            Caller { person: asking, operator: false, kind: CallerKind::Member, key: self.process.key.clone() };
        let (path, key, body) = (format!("{id}/{action}"), format!("{}-{number}", self.call), input.to_string());
        let request = Request { method: "ASSET", path: &path, key: &key, body: body.as_bytes() };
        let permit = match assets.world.gate.enter(&assets.core, &caller, request).await.map_err(failed)? {
            Entry::New(permit) => permit,
            Entry::Answered(answer) => return read(&answer),
            Entry::OtherBody => return Err(problem("failed", "this call asked for something else before")),
        };
        let remember = permit.clone();
        let settle = |acted: Result<&Acted<'_>, &Trouble>| {
            let told = match acted {
                Ok(acted) => json!({ "output": acted.output }),
                Err(trouble) => {
                    let Problem { code, detail, .. } = of_trouble(trouble);
                    json!({"code": code, "detail": detail})
                }
            };
            let answer = Answer { status: 200, body: told.to_string().into_bytes(), ..Answer::default() };
            let keeps = matches!(acted, Ok(_) | Err(Trouble::Refused(_)));
            let record = if keeps { remember.record(&assets.core, &answer) } else { None };
            (answer, record)
        };
        let asked = Use {
            language: &self.language,
            expected: None,
            effect: None,
            resumed: None,
            with: None,
            service: None,
            by: Some((self.asset, patience(self.asset, id))),
        };
        let deed = Deed::Action { name: action, input };
        let acted = assets.perform(&self.process, &cell, &guest, self.actor, deed, asked, settle, permit).await;
        acted.map_err(failed).and_then(|answer| read(&answer))
    }
}

/// How long one asset waits for another.
fn patience(asking: AssetId, asked: AssetId) -> Duration {
    if asking < asked { PATIENCE } else { PATIENCE_OF_THE_LATER }
}

/// Who takes part in a process: whoever did something in it, or used one of its assets; so many of them.
pub(crate) async fn taking_part(core: &Core, id: ProcessId) -> Outcome<BTreeSet<PersonId>> {
    Ok(taking_part_as(core, id).await?.into_keys().collect())
}

/// The same, and as what: as an operator, where they were one at least once. All of the process's history is read for it, a
/// page at a time, and whoever waits for the same thread has their turn between two.
pub(crate) async fn taking_part_as(core: &Core, id: ProcessId) -> Outcome<BTreeMap<PersonId, Actor>> {
    let mut people = BTreeMap::new();
    let mut history = Backwards::of(&*core.journal, stream(StreamKind::Process, id.bytes()), "process", &id)?;
    while let Some(actors) = history.actors(RECORDS_AT_ONCE)? {
        note(&mut people, actors);
        tokio::task::yield_now().await;
    }
    let filter = UseFilter { process: Some(id), ..UseFilter::default() };
    let mut after = Some(0);
    while let Some(reached) = after {
        let page = registry::page(&core.state, &filter, reached, RECORDS_AT_ONCE);
        note(&mut people, page.uses.iter().map(|(_, used)| used.actor));
        after = page.next;
        tokio::task::yield_now().await;
    }
    Ok(so_many(people))
}

fn note(people: &mut BTreeMap<PersonId, Actor>, actors: impl IntoIterator<Item = Actor>) {
    for (person, actor) in actors.into_iter().filter_map(|actor| Some((actor.person()?, actor))) {
        let known = people.entry(person).or_insert(actor);
        if matches!(actor, Actor::Operator(_)) {
            *known = actor;
        }
    }
}

fn so_many(people: BTreeMap<PersonId, Actor>) -> BTreeMap<PersonId, Actor> {
    people.into_iter().take(PEOPLE_MAX).collect()
}

/// People as a call is told of them.
fn told(people: &BTreeSet<PersonId>) -> String {
    let told = people.iter().map(|person| json!({"id": person.to_string(), "roles": roles_of(Actor::Person(*person))}));
    Json::from_iter(told).to_string()
}

/// What an answer says that was remembered, or has just been given.
fn read(answer: &Answer) -> Result<String, Problem> {
    let told: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    match told.get("output") {
        Some(output) => Ok(output.to_string()),
        None => {
            let text = |name: &str| told[name].as_str().unwrap_or("failed").to_owned();
            Err(problem(&text("code"), text("detail")))
        }
    }
}

fn or_problem(trouble: &Trouble, gone: impl Fn() -> Problem) -> Problem {
    if matches!(trouble, Trouble::NotFound { .. }) { gone() } else { of_trouble(trouble) }
}

/// What an asset that asks is told of another's trouble.
fn of_trouble(trouble: &Trouble) -> Problem {
    let code = match trouble {
        Trouble::Refused(refused) => return Problem { code: refused.slug().into(), ..refused.clone() },
        Trouble::NotFound { what: "action", .. } => "no-such-action",
        Trouble::Input(errors) => {
            let told: Vec<_> = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
            return problem("invalid-input", told.join("; "));
        }
        Trouble::Forbidden { .. } => "not-allowed",
        Trouble::Busy { .. } => "busy",
        _ => "failed",
    };
    problem(code, trouble.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_wait_for_each_other_one_gives_way() {
        let [one, other] = [1, 2].map(|number| AssetId::from_bytes([number; 16]));
        assert!(patience(one, other) > 2 * patience(other, one));
    }

    #[test]
    fn so_many_people_take_part() {
        let person = |number: u64| PersonId::from_bytes(u128::from(number).to_be_bytes());
        let many = (0..PEOPLE_MAX as u64 + 5).map(|number| (person(number), Actor::Person(person(number))));
        let so_many = so_many(many.collect()).into_keys().collect();
        let read: Vec<Json> = serde_json::from_str(&told(&so_many)).expect("a list");
        assert_eq!((read.len(), &read[0]["roles"]), (PEOPLE_MAX, &json!(["contributor"])));
    }
}
