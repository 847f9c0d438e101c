//! Applying: all that a file asks for, in one append, or nothing.
//!
//! The process with its assets, what Interlinkers are granted and told, and the word that the service is what its file says
//! are written together: a crash leaves all of it or nothing, and a guest that refuses leaves nothing. For that the guests
//! run first (`assets/tried.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_host::{Grants, InputError};
use interlink_journal::{Position, Stream};
use interlink_model::event::Stamp;
use interlink_model::facts::{InterlinkerConfigured, InterlinkerEvent, InterlinkerGranted, ServiceProvisioned};
use interlink_model::id::{AssetId, OrganizationId, ProcessId, StreamKind, named};
use interlink_model::process::{Command, NewProcess, Process};
use interlink_model::sealed::Sealed;
use interlink_model::service::{AssetFile, Change, ChangeAction, Service, ServiceFile};
use serde_json::{Value as Json, json};

use crate::ambient::{asset_id, process_id};
use crate::assets::{NewAsset, Tried};
use crate::catalogue::{Catalogue, CatalogueEntry, SETTINGS_BYTES_MAX};
use crate::core::{Core, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::keys::SealingKey;
use crate::people::Caller;
use crate::processes::{Ask, Beside, Done, Making};
use crate::usage::held::Hosted;

/// Trouble with a part of a file, with its places below that part's.
fn below(at: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Input(errors) => {
            let moved = |error: InputError| InputError { pointer: format!("{at}{}", error.pointer), ..error };
            Trouble::Input(errors.into_iter().map(moved).collect())
        }
        Trouble::Refused(mut problem) => {
            problem.pointer = Some(format!("{at}{}", problem.pointer.unwrap_or_default()));
            Trouble::Refused(problem)
        }
        other => other,
    }
}

/// An event of the catalogue that is written with a service, with the key that seals it.
struct OfCatalogue {
    at: Stream,
    version: u64,
    event: AnyEvent,
    key: Option<SealingKey>,
}

/// All that is written with the word that a service is what its file says.
struct Provisioning {
    document: Json,
    name: String,
    version: u64,
    assets: BTreeMap<String, AssetId>,
    tried: Vec<Tried>,
    of_catalogue: Vec<OfCatalogue>,
}

impl Provisioning {
    /// What the process hears of its assets.
    fn added(&self) -> Command {
        let added =
            self.tried.iter().map(|tried| (tried.new.task.clone(), tried.id, tried.new.interlinker.name.clone()));
        Command::AddAssets(added.collect())
    }

    /// The events beside the process's own, and what is to be done once they are durable.
    fn write(
        self,
        core: &Arc<Core>,
        catalogue: &Arc<Catalogue>,
        stamp: Stamp,
        process: ProcessId,
        key: &SealingKey,
    ) -> Beside {
        let (mut written, mut settles) = (Vec::new(), Vec::new());
        for tried in self.tried {
            let (own, settle) = tried.write(core, key, stamp);
            settles.push((written.len() as u64, settle));
            written.extend(own);
        }
        let mut open = Vec::new();
        for OfCatalogue { at, version, event, key } in self.of_catalogue {
            open.push(event.clone());
            let mut event = event;
            if let Some(key) = &key {
                event.close(&*core.ambient, &at, key);
            }
            let key = key.map_or(0, |key| key.number);
            written.push(Written { stream: at, version, process: None, key, stamp, event });
        }
        let at = stream(StreamKind::Service, named(StreamKind::Service, &self.name));
        let document = Sealed::Open(self.document);
        let provisioned = ServiceProvisioned { name: self.name, document, process: Some(process), assets: self.assets };
        let mut event = AnyEvent::Service(provisioned.into());
        open.push(event.clone());
        event.close(&*core.ambient, &at, key);
        let (version, process) = (self.version, Some(process));
        written.push(Written { stream: at, version, process, key: key.number, stamp, event });
        let catalogue = Arc::clone(catalogue);
        let settle = move |first: Option<Position>| {
            for (offset, settle) in settles {
                settle(first.map(|first| first + offset));
            }
            // What stands in the open can be read.
            first.into_iter().for_each(|_| open.iter().for_each(|event| drop(catalogue.apply(event, &stamp))));
        };
        Beside { written, settle: Box::new(settle) }
    }
}

impl Engine {
    /// Makes a service what its file says: all of it in one append, or nothing. `expected` is the version of the service that
    /// the caller saw.
    pub async fn apply_service(
        &self,
        caller: &Caller,
        file: &ServiceFile,
        expected: Option<u64>,
        answer: impl FnOnce(&[Change], Option<ProcessId>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let _provisioning = self.provisioning.lock().await;
        let changes = self.plan_service(file);
        if let Some(obstacle) = changes.iter().find(|change| change.is_obstacle()) {
            return Err(self.in_the_way(obstacle, file));
        }
        let known = self.catalogue.service(&file.service);
        let found = known.as_ref().map(|known| known.version);
        if let Some(expected) = expected.filter(|expected| Some(*expected) != found) {
            return Err(Trouble::WrongVersion { expected, found: found.unwrap_or(0) });
        }
        self.check_service(file).await?;
        let process = known.as_ref().and_then(|known| known.process);
        if changes.iter().all(|change| change.action == ChangeAction::Keep) {
            let answer = answer(&changes, process);
            self.remember(permit, &answer).await?;
            return Ok(answer);
        }
        let id = process.unwrap_or_else(|| process_id(&*self.core.ambient));
        let organization = match process {
            Some(process) => self.processes.cell(process)?.process().organization,
            None => file.organization.as_ref().map(|wanted| self.host_meant(wanted)).transpose()?,
        };
        let hosted = Hosted { process: id, organization };
        let tried = self.try_assets(caller, file, &changes, hosted).await?;
        // Held until they are counted.
        let _rooms = tried.iter().map(|tried| tried.room(&self.assets)).collect::<Outcome<Vec<_>>>()?;
        // Nothing else is written of the catalogue until this is.
        let _making = self.catalogue.hold().await;
        let provisioning = self.provisioning_of(file, known.as_deref(), &changes, tried)?;
        let (core, catalogue) = (&self.core, &self.catalogue);
        let remember = permit.clone();
        let Some(process) = process else {
            let schema = self.schema(&file.schema)?;
            let interlink_model::service::ProcessFile { name, language, start } = file.process.clone();
            let new = NewProcess { name, language, organization, ..NewProcess::default() };
            let starting = start.then_some(Command::Start);
            let first = starting.into_iter().chain((!provisioning.tried.is_empty()).then(|| provisioning.added()));
            let making = Making { id: Some(id), plan: schema.plan, new, before: Vec::new(), first: first.collect() };
            let beside = |stamp: &Stamp, process: ProcessId, key: &SealingKey| {
                Some(provisioning.write(core, catalogue, *stamp, process, key))
            };
            let shown = |process: &Process, _: &str| {
                let answer = answer(&changes, Some(process.id));
                let record = remember.record(&self.core, &answer);
                (answer, record)
            };
            let (_, answer) = self.processes.create(caller.actor(), making, beside, shown, permit).await?;
            return Ok(answer);
        };
        let cell = self.processes.cell(process)?;
        let key = cell.key.clone();
        if provisioning.tried.is_empty() {
            let stamp = core.stamp(core.now(), caller.actor());
            let Beside { written, settle } = provisioning.write(core, catalogue, stamp, process, &key);
            let answer = answer(&changes, Some(process));
            let record = permit.record(core, &answer);
            let fate = core.commit(&written, record, move |first| {
                settle(first);
                drop(permit);
            });
            settled(fate).await?;
            return Ok(answer);
        }
        let command = provisioning.added();
        let ask = Ask { command: &command, note: None, expected: None };
        let beside = |stamp: &Stamp| Some(provisioning.write(core, catalogue, *stamp, process, &key));
        let shown = |_: &Done<'_>| {
            let answer = answer(&changes, Some(process));
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        self.processes.command(&cell, caller.actor(), ask, beside, shown, permit).await
    }

    /// The one organization that a file means: another may have taken its name since the plan.
    fn host_meant(&self, wanted: &str) -> Outcome<OrganizationId> {
        match self.organizations.meant(wanted)[..] {
            [one] => Ok(one),
            _ => {
                let detail = format!("`{wanted}` is not the name of one organization; say its id");
                Err(Trouble::Input(vec![InputError { pointer: "/organization".into(), detail }]))
            }
        }
    }

    /// Why a file cannot be applied.
    fn in_the_way(&self, obstacle: &Change, file: &ServiceFile) -> Trouble {
        let Change { kind, name, detail, pointer, .. } = obstacle.clone();
        if kind == "interlinker"
            && let Some(found) = self.catalogue.interlinker(&name)
            && let Err(revoked) = self.catalogue.not_revoked(&found.reference)
        {
            return revoked;
        }
        match obstacle.action {
            ChangeAction::Missing if matches!(kind, "schema" | "interlinker" | "secret") => {
                Trouble::Names { what: kind, id: name, pointer }
            }
            ChangeAction::Missing => Trouble::Input(vec![InputError { pointer, detail }]),
            _ => Trouble::Conflict { what: kind, id: format!("{name}` of service `{}", file.service), detail, pointer },
        }
    }

    /// Checks what a file tells Interlinkers: their settings, and what assets are made with. What is missing is left out.
    pub async fn check_service(&self, file: &ServiceFile) -> Outcome<()> {
        let mut unfit = Vec::new();
        for (number, needed) in file.interlinkers.iter().enumerate() {
            let at = format!("/interlinkers/{number}");
            let Some(found) = self.catalogue.interlinker(&needed.wanted()) else { continue };
            if let Some(settings) = &needed.settings {
                unfit.extend(self.misfits_of_settings(&found, settings, &format!("{at}/settings")).await?);
            }
            if let Some(grants) = &needed.grants
                && let Err(error) = serde_json::from_value::<Grants>(grants.clone())
            {
                unfit.push(InputError {
                    pointer: format!("{at}/grants"),
                    detail: format!("these are no grants: {error}"),
                });
            }
        }
        for (number, asset) in file.assets.iter().enumerate() {
            let found = file.interlinker_of(asset).and_then(|needed| self.catalogue.interlinker(&needed.wanted()));
            let Some(found) = found.filter(|found| matches!(found.entry, CatalogueEntry::Software(_))) else {
                continue;
            };
            let guest = self.load(&found.reference).await?;
            if let Err(errors) = guest.check_instantiate(&asset.input) {
                let Trouble::Input(errors) = below(&format!("/assets/{number}/input"), Trouble::Input(errors)) else {
                    continue;
                };
                unfit.extend(errors);
            }
        }
        if unfit.is_empty() { Ok(()) } else { Err(Trouble::Input(unfit)) }
    }

    /// What of settings does not fit the Interlinker that they are for.
    pub(crate) async fn misfits_of_settings(
        &self,
        version: &crate::catalogue::InterlinkerVersion,
        settings: &Json,
        at: &str,
    ) -> Outcome<Vec<InputError>> {
        let unfit = |detail: String| Ok(vec![InputError { pointer: at.to_owned(), detail }]);
        let CatalogueEntry::Software(_) = &version.entry else {
            return unfit(format!("`{}` does not run here and takes no settings", version.reference.name));
        };
        if !settings.is_object() {
            return unfit("settings are an object".into());
        }
        let bytes = settings.to_string().len();
        if bytes > SETTINGS_BYTES_MAX {
            return unfit(format!("settings have {SETTINGS_BYTES_MAX} bytes of JSON at most, and these have {bytes}"));
        }
        let guest = self.load(&version.reference).await?;
        let errors = guest.check_settings(settings).err().unwrap_or_default();
        Ok(errors.into_iter().map(|error| InputError { pointer: format!("{at}{}", error.pointer), ..error }).collect())
    }

    /// Runs the guests of the assets that are to be made.
    async fn try_assets(
        &self,
        caller: &Caller,
        file: &ServiceFile,
        changes: &[Change],
        hosted: Hosted,
    ) -> Outcome<Vec<Tried>> {
        let wanted = |asset: &AssetFile| {
            let is_it = |change: &&Change| change.kind == "asset" && change.name == asset.id;
            changes.iter().find(is_it).is_some_and(|change| change.action == ChangeAction::Create)
        };
        let mut tried = Vec::new();
        for (number, asset) in file.assets.iter().enumerate().filter(|(_, asset)| wanted(asset)) {
            let needed = file.interlinker_of(asset).map_or_else(|| asset.interlinker.clone(), |needed| needed.wanted());
            let version = self.interlinker(&needed)?;
            self.catalogue.may_be_called(&version.reference)?;
            let guest = self.load(&version.reference).await?;
            let language = file.process.language.as_deref().unwrap_or("en");
            let title = &guest.manifest().title;
            let titled = title.pick(&[language.to_owned()], &guest.manifest().languages).map(|(_, title)| title);
            let name = asset.name.as_deref().or(titled).unwrap_or(&asset.interlinker).to_owned();
            let (task, input) = (asset.task.clone(), asset.input.clone());
            let new = NewAsset { task, interlinker: version.reference.clone(), name, input };
            let id = asset_id(&*self.core.ambient);
            let of = file.interlinkers.iter().find(|needed| needed.name == guest.manifest().name);
            let own = &guest.manifest().name;
            let settings = of.and_then(|of| of.settings.clone()).unwrap_or_else(|| self.interlinker_settings(own));
            let grants = of.and_then(|of| of.grants.clone()).unwrap_or_else(|| json!(self.catalogue.grants(own)));
            let given = Some(json!({"settings": settings, "grants": grants}));
            let made = self.assets.try_out(&guest, caller.actor(), hosted, id, new, language, given).await;
            tried.push(made.map_err(|trouble| below(&format!("/assets/{number}/input"), trouble))?);
        }
        Ok(tried)
    }

    /// All that is written with the word that a service is what its file says.
    fn provisioning_of(
        &self,
        file: &ServiceFile,
        known: Option<&Service>,
        changes: &[Change],
        tried: Vec<Tried>,
    ) -> Outcome<Provisioning> {
        let core = &self.core;
        let updated = |kind: &str, name: &str| {
            let is_it = |change: &Change| change.kind == kind && change.name == name;
            changes.iter().any(|change| is_it(change) && change.action == ChangeAction::Update)
        };
        let mut of_catalogue: Vec<OfCatalogue> = Vec::new();
        for needed in &file.interlinkers {
            let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, &needed.name));
            let mut version = core.next_version(&at)?;
            let mut add = |event: InterlinkerEvent, key| {
                of_catalogue.push(OfCatalogue { at, version, event: AnyEvent::Interlinker(event), key });
                version += 1;
            };
            let name = needed.name.clone();
            if let Some(grants) = needed.grants.as_ref().filter(|_| updated("grants", &needed.name)) {
                add(InterlinkerGranted { name: name.clone(), grants: grants.to_string() }.into(), None);
            }
            if let Some(settings) = needed.settings.as_ref().filter(|_| updated("settings", &needed.name)) {
                let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
                let settings = Sealed::Open(settings.clone());
                add(InterlinkerConfigured { name, settings }.into(), Some(key));
            }
        }
        let mut made: BTreeMap<String, AssetId> = BTreeMap::new();
        let created = changes.iter().filter(|change| change.kind == "asset" && change.action == ChangeAction::Create);
        made.extend(created.zip(&tried).map(|(change, tried)| (change.name.clone(), tried.id)));
        let kept = |id: &String| known.and_then(|known| known.assets.get(id)).copied();
        let assets = file
            .assets
            .iter()
            .filter_map(|asset| Some((asset.id.clone(), made.get(&asset.id).copied().or_else(|| kept(&asset.id))?)));
        let at = stream(StreamKind::Service, named(StreamKind::Service, &file.service));
        Ok(Provisioning {
            document: serde_json::to_value(file).expect("a service file encodes"),
            name: file.service.clone(),
            version: core.next_version(&at)?,
            assets: assets.collect(),
            tried,
            of_catalogue,
        })
    }
}
