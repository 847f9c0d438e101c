//! Organizations: who hosts processes, and how much the assets of these may be and hold together. Few, so all of them are in
//! memory, read from their streams at the start.
//!
//! An organization's words are sealed under a key of its own, whose number stands in the record that registered it.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::{NewRecord, Position, ReadError, Record, Stream};
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::{OrganizationEvent, OrganizationQuotaSet, OrganizationRegistered};
use interlink_model::id::{OrganizationId, StreamKind};
use interlink_model::organization::{ORGANIZATIONS_MAX, Organization, OrganizationKind};
use interlink_model::sealed::Sealed;
use parking_lot::RwLock;

use crate::ambient::organization_id;
use crate::core::{Core, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::keys::SealingKey;
use crate::usage::held::Quota;

/// All organizations.
#[derive(Default)]
pub(crate) struct Organizations {
    all: RwLock<BTreeMap<OrganizationId, Arc<Organization>>>,
    making: tokio::sync::Mutex<()>,
}

fn stream_of(id: OrganizationId) -> Stream {
    stream(StreamKind::Organization, id.bytes())
}

impl Organizations {
    /// Reads the stream of every organization. Answers with what is damaged, too; a reading that fails ends it.
    pub fn read(core: &Core) -> Result<(Self, Vec<String>), ReadError> {
        let (organizations, mut troubles) = (Self::default(), Vec::new());
        for found in core.journal.streams(StreamKind::Organization as u8, None, usize::MAX)? {
            let taken_in = match core.journal.read_stream(&found, 0, Position::MAX) {
                Err(error @ ReadError::Io { .. }) => return Err(error),
                Err(error) => Err(error.to_string()),
                Ok(records) => organizations.take_in(core, &found, records),
            };
            if let Err(trouble) = taken_in {
                // What is known of a part of it would pass for all of it.
                organizations.all.write().remove(&OrganizationId::from_bytes(found.id));
                troubles.push(format!("{found}: {trouble}"));
            }
        }
        Ok((organizations, troubles))
    }

    fn take_in(&self, core: &Core, found: &Stream, records: Vec<Record>) -> Result<(), String> {
        for record in records {
            let decoded = AnyEvent::decode(found, &record.body).map_err(|error| error.to_string())?;
            let Some((mut event, stamp)) = decoded else { continue };
            if let Ok(key) = core.keys.key(record.key) {
                event.open(found, &key);
            }
            let AnyEvent::Organization(event) = event else { continue };
            self.apply(OrganizationId::from_bytes(found.id), &event, &stamp)?;
        }
        Ok(())
    }

    /// Takes in an event that is durable, opened.
    fn apply(&self, id: OrganizationId, event: &OrganizationEvent, stamp: &Stamp) -> Result<(), String> {
        let mut all = self.all.write();
        let before = all.get(&id).map(|before| (**before).clone());
        let next = Organization::step(before, id, event, stamp);
        all.insert(id, Arc::new(next.ok_or("its events are none of an organization")?));
        Ok(())
    }

    /// An organization.
    pub fn get(&self, core: &Core, id: OrganizationId) -> Outcome<Arc<Organization>> {
        if let Some(found) = self.all.read().get(&id) {
            return Ok(Arc::clone(found));
        }
        let (what, id_text) = ("organization", id.to_string());
        match core.head(&stream_of(id))? {
            Some(_) => Err(Trouble::Damaged { what, id: id_text }),
            None => Err(Trouble::NotFound { what, id: id_text }),
        }
    }

    /// All of them, in the order in which they were registered.
    pub fn all(&self) -> Vec<Arc<Organization>> {
        self.all.read().values().cloned().collect()
    }

    /// Those that an id or a name may mean: the one of the id, or else all of the name.
    pub fn meant(&self, wanted: &str) -> Vec<OrganizationId> {
        let all = self.all.read();
        match OrganizationId::parse(wanted).filter(|id| all.contains_key(id)) {
            Some(id) => vec![id],
            None => all.values().filter(|one| one.name.as_deref() == Some(wanted)).map(|one| one.id).collect(),
        }
    }

    /// How much the assets of an organization's processes may be and hold together.
    pub fn quota(&self, id: OrganizationId) -> Quota {
        self.all.read().get(&id).map_or(Quota::OF_ORGANIZATION, |found| quota_of(found))
    }

    /// Makes an organization known.
    pub async fn register(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        (name, kind): (String, OrganizationKind),
        settle: impl FnOnce(&Organization) -> Option<NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if self.all.read().len() >= ORGANIZATIONS_MAX {
            let detail = format!("there are {ORGANIZATIONS_MAX} organizations, and a server has no more");
            return Err(Trouble::InTheWay { slug: "too-many-organizations", detail });
        }
        let id = organization_id(&*core.ambient);
        let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
        let event = OrganizationRegistered { name: Sealed::Open(name), kind }.into();
        self.write(core, id, None, (event, actor), Some(&key), settle).await
    }

    /// Decides how much its assets may be and hold together, in place of what was decided before. `expected` is the version
    /// that the caller saw.
    pub async fn set_quota(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        id: OrganizationId,
        (assets, state_bytes): (Option<u64>, Option<u64>),
        expected: Option<u64>,
        settle: impl FnOnce(&Organization) -> Option<NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        let before = self.get(core, id)?;
        if let Some(expected) = expected.filter(|expected| *expected != before.version) {
            return Err(Trouble::WrongVersion { expected, found: before.version });
        }
        let event = OrganizationQuotaSet { assets, state_bytes }.into();
        self.write(core, id, Some(&before), (event, actor), None, settle).await
    }

    async fn write(
        self: &Arc<Self>,
        core: &Core,
        id: OrganizationId,
        before: Option<&Organization>,
        (event, actor): (OrganizationEvent, Actor),
        key: Option<&SealingKey>,
        settle: impl FnOnce(&Organization) -> Option<NewRecord>,
    ) -> Outcome<()> {
        let (at, stamp) = (stream_of(id), core.stamp(core.now(), actor));
        let next = Organization::step(before.cloned(), id, &event, &stamp).expect("it is registered once, and first");
        let answer = settle(&next);
        let mut sealed = AnyEvent::Organization(event.clone());
        if let Some(key) = key {
            sealed.close(&*core.ambient, &at, key);
        }
        let key = key.map_or(0, |key| key.number);
        let written = Written { stream: at, version: next.version, process: None, key, stamp, event: sealed };
        let organizations = Arc::clone(self);
        let fate = core.commit(std::slice::from_ref(&written), answer, move |first| {
            if first.is_some()
                && let Err(error) = organizations.apply(id, &event, &stamp)
            {
                tracing::error!(%error, organization = %id, "an event of an organization cannot be taken in");
            }
        });
        settled(fate).await?;
        Ok(())
    }
}

/// How much the assets of an organization's processes may be and hold together.
pub fn quota_of(organization: &Organization) -> Quota {
    let Quota { assets, state_bytes } = Quota::OF_ORGANIZATION;
    Quota {
        assets: organization.assets_max.unwrap_or(assets),
        state_bytes: organization.state_bytes_max.unwrap_or(state_bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use interlink_model::id::Micros;

    use super::*;
    use crate::engine::{Engine, Options};
    use crate::gate::{Answer, Permit};

    const KIND: OrganizationKind = OrganizationKind::Citizens;

    fn open(data: &Path) -> Engine {
        Engine::open(data, Options::default(), &mut |_| {}).expect("opens")
    }

    async fn register(engine: &Engine, name: &str) -> Outcome<Answer> {
        let answer = |_: &Organization| Answer { status: 201, ..Answer::default() };
        engine.register_organization(Actor::System, name.into(), KIND, answer, &Permit::default()).await
    }

    fn only(engine: &Engine) -> Arc<Organization> {
        let all = engine.organizations();
        assert_eq!(all.len(), 1);
        Arc::clone(&all[0])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn so_many_organizations_are_registered_and_no_more() {
        let data = tempfile::tempdir().expect("a directory");
        let engine = open(data.path());
        let stamp = Stamp { at: Micros(0), actor: Actor::System, correlation: None, causation: None };
        for number in 1..ORGANIZATIONS_MAX {
            let id = OrganizationId(uuid::Uuid::from_u128(number as u128));
            let registered = OrganizationRegistered { name: Sealed::Open(number.to_string()), kind: KIND };
            engine.organizations.apply(id, &registered.into(), &stamp).expect("it begins");
        }
        register(&engine, "The last").await.expect("there is room for it");
        let refused = register(&engine, "One more").await.expect_err("there is not");
        assert!(matches!(&refused, Trouble::InTheWay { slug: "too-many-organizations", .. }), "{refused}");
        assert_eq!(engine.organizations().len(), ORGANIZATIONS_MAX);
        engine.close();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_organization_is_there_again_and_its_name_is_gone_with_its_key() {
        let data = tempfile::tempdir().expect("a directory");
        let engine = open(data.path());
        register(&engine, "Allotments of the north").await.expect("registered");
        let (made, quota) = (only(&engine), (Some(3), None));
        let (set, permit) = (|_: &Organization| Answer::default(), Permit::default());
        let saw = |version| engine.set_quota_of_organization(Actor::System, made.id, quota, version, set, &permit);
        assert!(matches!(saw(Some(7)).await, Err(Trouble::WrongVersion { expected: 7, found: 0 })));
        saw(Some(0)).await.expect("set");
        let found = only(&engine);
        assert_eq!((found.name.as_deref(), found.version), (Some("Allotments of the north"), 1));
        assert_eq!(quota_of(&found), Quota { assets: 3, ..Quota::OF_ORGANIZATION });
        let records = engine.core.journal.read_stream(&stream_of(found.id), 0, Position::MAX).expect("read");
        let number = records[0].key;
        assert!(number > 0 && records.iter().all(|record| !record.body.windows(10).any(|part| part == b"Allotments")));
        engine.close();
        drop(engine);
        let engine = open(data.path());
        assert_eq!(only(&engine), found);
        engine.core.keys.destroy(&[number]).expect("destroyed");
        engine.close();
        drop(engine);
        let engine = open(data.path());
        assert_eq!(*only(&engine), Organization { name: None, ..(*found).clone() });
        engine.close();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_organization_that_cannot_be_read_is_damaged_and_the_others_are_there() {
        let data = tempfile::tempdir().expect("a directory");
        let engine = open(data.path());
        register(&engine, "Whole").await.expect("registered");
        let whole = only(&engine);
        register(&engine, "Damaged").await.expect("registered");
        let damaged = engine.organizations().into_iter().find(|one| one.id != whole.id).expect("registered").id;
        let stamp = engine.core.stamp(engine.core.now(), Actor::System);
        let event = AnyEvent::Person(interlink_model::facts::NoticesRead { until: None, each: Vec::new() }.into());
        let written = Written { stream: stream_of(damaged), version: 1, process: None, key: 0, stamp, event };
        settled(engine.core.commit(&[written], None, |_| {})).await.expect("written");
        engine.close();
        drop(engine);
        let engine = open(data.path());
        assert_eq!(only(&engine), whole);
        let told = engine.organization(damaged).expect_err("what is read of it is not all");
        assert!(matches!(told, Trouble::Damaged { what: "organization", .. }), "{told}");
        assert_eq!(engine.organizations.quota(damaged), Quota::OF_ORGANIZATION);
        engine.close();
        drop(engine);
        let audit = crate::audit::verify(data.path()).expect("verified");
        assert!(audit.differences.iter().any(|difference| difference.contains("NoticesRead")), "{audit:?}");
    }
}
