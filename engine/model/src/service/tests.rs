use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::ServiceProvisioned;
use crate::id::OrganizationId;

fn stamp(at: i64) -> Stamp {
    Stamp { at: Micros(at), actor: Actor::System, correlation: None, causation: None }
}

fn file() -> ServiceFile {
    let file = json!({
        "service": "desk",
        "schema": "tool-library",
        "interlinkers": ["document", {"name": "poll", "version": "1.0.0", "grants": {"http": [], "secrets": []}, "settings": {"zone": "north"}}],
        "secrets": ["mail"],
        "process": {"name": "Tools", "start": true},
        "assets": [{"id": "vote", "task": "find-room", "interlinker": "poll", "input": {"question": "?"},
            "open": {"view": true, "actions": ["vote"]}}],
    });
    serde_json::from_value(file).expect("a file")
}

/// What is there when all is as the file says but the service itself.
fn there() -> AsIs {
    let tasks = BTreeSet::from(["find-room".to_owned()]);
    let interlinker = |actions: &[&str]| InterlinkerAsIs {
        version: "1.0.0".into(),
        actions: Some(actions.iter().map(|action| (*action).to_owned()).collect()),
        grants: json!({"http": [], "secrets": []}),
        settings: json!({"zone": "north"}),
        withdrawn: None,
    };
    AsIs {
        schema: Some(("1.0.0".into(), tasks)),
        interlinkers: [("poll", &["vote", "close"][..]), ("document", &["write"])]
            .map(|(name, actions)| (name.to_owned(), interlinker(actions)))
            .into(),
        secrets: BTreeSet::from(["mail".to_owned()]),
        organizations: Vec::new(),
        before: None,
    }
}

fn provisioned(file: &ServiceFile) -> Service {
    let assets = file.assets.iter().map(|asset| (asset.id.clone(), AssetId::from_bytes([1; 16]))).collect();
    let document = Sealed::Open(serde_json::to_value(file).expect("JSON"));
    let event = ServiceProvisioned {
        name: file.service.clone(),
        document,
        process: Some(ProcessId::from_bytes([2; 16])),
        assets,
    };
    Service::step(None, &event.into(), &stamp(1)).expect("it begins so")
}

/// The same, with the service as its file says.
fn as_it_says(file: &ServiceFile) -> AsIs {
    let service = Arc::new(provisioned(file));
    let there_are = service.assets.keys().cloned().collect();
    AsIs { before: Some(Before { service, there: there_are, resting: None, host: Some(None) }), ..there() }
}

/// What of a plan is not as the file says: action, kind, name.
fn differs(file: &ServiceFile, is: &AsIs) -> Vec<(ChangeAction, &'static str, String)> {
    let changes = plan(file, is).into_iter().filter(|change| change.action != ChangeAction::Keep);
    changes.map(|change| (change.action, change.kind, change.name)).collect()
}

use ChangeAction::{Conflict, Create, Missing, Update};

#[test]
fn a_file_reads_its_old_and_its_full_form_and_is_written_as_it_was() {
    let file = file();
    assert_eq!(
        (file.interlinkers[0].wanted(), file.interlinkers[1].wanted()),
        ("document".into(), "poll@1.0.0".into())
    );
    let written = serde_json::to_value(&file).expect("JSON");
    assert_eq!(written["interlinkers"][0], json!("document"));
    assert_eq!(serde_json::from_value::<ServiceFile>(written).expect("a file"), file);
    let old = json!({"service": "a", "schema": "s", "interlinkers": ["poll@2.0.0"], "process": {"name": "P"}});
    let old: ServiceFile = serde_json::from_value(old).expect("the form of before");
    assert_eq!(old.interlinkers[0].version.as_deref(), Some("2.0.0"));
    assert!(old.check().is_empty() && old.assets.is_empty());
}

#[test]
fn what_cannot_be_in_a_file_is_told_with_its_place() {
    let told = |change: &dyn Fn(&mut ServiceFile)| {
        let mut changed = file();
        change(&mut changed);
        changed.check().into_iter().map(|unfit| unfit.pointer).collect::<Vec<_>>()
    };
    assert_eq!(told(&|_| {}), Vec::<String>::new());
    assert_eq!(told(&|file| file.service = "a desk".into()), ["/service"]);
    assert_eq!(told(&|file| file.service = "x".repeat(TEXT_BYTES_MAX + 1)), ["/service"]);
    assert_eq!(told(&|file| file.process.name = " ".into()), ["/process/name"]);
    assert_eq!(told(&|file| file.process.start = false), ["/process/start"]);
    assert_eq!(told(&|file| file.assets[0].interlinker = "map".into()), ["/assets/0/interlinker"]);
    assert_eq!(told(&|file| file.assets[0].id = "visits".into()), ["/assets/0/id"], "that is a door of its own");
    assert_eq!(told(&|file| file.assets.push(file.assets[0].clone())), ["/assets/1/id"]);
    assert_eq!(told(&|file| file.interlinkers[0].name = "poll".into()), ["/interlinkers/1"]);
}

#[test]
fn a_file_names_so_many_things_and_no_more() {
    let told = |change: &dyn Fn(&mut ServiceFile)| {
        let mut changed = file();
        change(&mut changed);
        changed.check().into_iter().map(|unfit| unfit.pointer).collect::<Vec<_>>()
    };
    let needed = |most: usize| {
        move |file: &mut ServiceFile| {
            let another = |number| Needed { name: format!("n{number}"), ..file.interlinkers[0].clone() };
            let more: Vec<_> = (file.interlinkers.len()..most).map(another).collect();
            file.interlinkers.extend(more);
        }
    };
    assert!(told(&needed(INTERLINKERS_MAX)).is_empty());
    assert_eq!(told(&needed(INTERLINKERS_MAX + 1)), ["/interlinkers"]);
    let secrets = |most: usize| move |file: &mut ServiceFile| file.secrets = vec!["s".into(); most];
    assert!(told(&secrets(SECRETS_MAX)).is_empty());
    assert_eq!(told(&secrets(SECRETS_MAX + 1)), ["/secrets"]);
    let assets = |most: usize| {
        move |file: &mut ServiceFile| {
            file.assets =
                (0..most).map(|number| AssetFile { id: format!("a{number}"), ..file.assets[0].clone() }).collect();
        }
    };
    assert!(told(&assets(ASSETS_MAX)).is_empty());
    assert_eq!(told(&assets(ASSETS_MAX + 1)), ["/assets"]);
    let actions = |most: usize| move |file: &mut ServiceFile| file.assets[0].open.actions = vec!["vote".into(); most];
    assert!(told(&actions(ACTIONS_OPEN_MAX)).is_empty());
    assert_eq!(told(&actions(ACTIONS_OPEN_MAX + 1)), ["/assets/0/open/actions"]);
}

#[test]
fn a_plan_is_what_differs_and_nothing_once_it_was_applied() {
    let file = file();
    let all = [(Create, "process", "Tools"), (Create, "asset", "vote"), (Create, "service", "desk")];
    assert_eq!(differs(&file, &there()), all.map(|(action, kind, name)| (action, kind, name.to_owned())));
    assert_eq!(differs(&file, &as_it_says(&file)), []);
    let nothing = differs(&file, &AsIs::default());
    let missing: Vec<_> = nothing.iter().filter(|(action, ..)| *action == Missing).map(|(_, kind, _)| *kind).collect();
    assert_eq!(missing, ["schema", "interlinker", "interlinker", "secret"]);
}

#[test]
fn every_kind_of_drift_is_told() {
    let file = file();
    let told = |change: &dyn Fn(&mut AsIs)| {
        let mut is = as_it_says(&file);
        change(&mut is);
        let (action, kind, _) = differs(&file, &is).remove(0);
        (action, kind)
    };
    let poll =
        |is: &mut AsIs, change: &dyn Fn(&mut InterlinkerAsIs)| change(is.interlinkers.get_mut("poll").expect("it"));
    assert_eq!(
        told(&|is| poll(is, &|poll| poll.grants = json!({"http": [], "secrets": ["mail"]}))),
        (Update, "grants")
    );
    assert_eq!(told(&|is| poll(is, &|poll| poll.settings = json!({}))), (Update, "settings"));
    assert_eq!(told(&|is| poll(is, &|poll| poll.withdrawn = Some(("bad".into(), true)))), (Conflict, "interlinker"));
    assert_eq!(told(&|is| is.secrets.clear()), (Missing, "secret"));
    assert_eq!(told(&|is| is.before.as_mut().expect("it").there.clear()), (Create, "asset"));
    let mut deprecated = as_it_says(&file);
    poll(&mut deprecated, &|poll| poll.withdrawn = Some(("old".into(), false)));
    assert_eq!(differs(&file, &deprecated), [], "what is deprecated goes on");
    let gone_and_resting = |is: &mut AsIs| {
        let before = is.before.as_mut().expect("it");
        before.there.clear();
        before.resting = Some("suspended");
    };
    assert_eq!(told(&gone_and_resting), (Conflict, "asset"));
}

#[test]
fn a_file_names_one_organization_that_is_there_and_its_process_stays_with_it() {
    let [one, other] = [[1; 16], [2; 16]].map(OrganizationId::from_bytes);
    let named = ServiceFile { organization: Some("Allotments".into()), ..file() };
    let told = |file: &ServiceFile, meant: &[OrganizationId], host: Option<Option<OrganizationId>>| {
        let mut is = if host.is_some() { as_it_says(file) } else { there() };
        is.organizations = meant.to_vec();
        is.before.as_mut().into_iter().for_each(|before| before.host = host);
        let found = plan(file, &is).into_iter().find(|change| change.kind == "organization");
        found.map(|change| (change.action, change.detail))
    };
    let action = |told: Option<(ChangeAction, String)>| told.map(|(action, _)| action);
    assert_eq!(action(told(&named, &[one], None)), Some(ChangeAction::Keep));
    let (missing, detail) = told(&named, &[], None).expect("told");
    assert!(missing == Missing && detail.contains("POST /v1/organizations"), "{detail}");
    let (missing, detail) = told(&named, &[one, other], None).expect("told");
    assert!(missing == Missing && detail.contains("say its id") && detail.contains(&other.to_string()), "{detail}");
    assert_eq!(action(told(&named, &[one], Some(Some(one)))), Some(ChangeAction::Keep));
    assert_eq!(action(told(&named, &[one, other], Some(Some(one)))), Some(ChangeAction::Keep), "a later namesake");
    assert_eq!(action(told(&named, &[], Some(Some(one)))), Some(Conflict));
    let (conflict, detail) = told(&named, &[other], Some(Some(one))).expect("told");
    assert!(conflict == Conflict && detail.contains("cannot be moved yet"), "{detail}");
    assert_eq!(action(told(&named, &[one], Some(None))), Some(Conflict));
    assert_eq!(action(told(&file(), &[], Some(Some(one)))), Some(Conflict), "it is left out now");
    assert_eq!([told(&file(), &[], None), told(&file(), &[], Some(None))], [None, None]);
    let empty = ServiceFile { organization: Some(" ".into()), ..file() };
    assert_eq!(empty.check().into_iter().map(|unfit| unfit.pointer).collect::<Vec<_>>(), ["/organization"]);
}

#[test]
fn settings_are_compared_and_never_shown() {
    let file = file();
    let mut is = as_it_says(&file);
    is.interlinkers.get_mut("poll").expect("it").settings = json!({"zone": "south", "code": "swordfish"});
    let told = plan(&file, &is).into_iter().find(|change| change.kind == "settings").expect("told").detail;
    assert!(told.contains("`code`, `zone`") && !told.contains("swordfish") && !told.contains("south"), "{told}");
}

#[test]
fn a_changed_file_updates_what_loses_no_work_and_conflicts_with_the_rest() {
    let before = file();
    let told = |change: &dyn Fn(&mut ServiceFile)| {
        let mut changed = before.clone();
        change(&mut changed);
        let (action, kind, _) = differs(&changed, &as_it_says(&before)).remove(0);
        (action, kind)
    };
    assert_eq!(told(&|file| file.assets[0].open.actions.clear()), (Update, "asset"));
    assert_eq!(told(&|file| drop(file.assets.pop())), (Update, "service"), "the asset stays in the process");
    assert_eq!(told(&|file| file.assets[0].id = "other".into()), (Create, "asset"));
    assert_eq!(told(&|file| file.assets[0].input = json!({"question": "!"})), (Conflict, "asset"));
    assert_eq!(told(&|file| file.assets[0].task = "no-task".into()), (Missing, "asset"));
    assert_eq!(told(&|file| file.assets[0].open.actions.push("fly".into())), (Missing, "asset"));
    assert_eq!(told(&|file| file.schema = "other".into()), (Conflict, "process"));
    assert_eq!(told(&|file| file.process.language = Some("es".into())), (Conflict, "process"));
}

#[test]
fn a_service_takes_the_steps_of_its_life_and_says_what_would_be_right_of_the_others() {
    use Command::{Activate, Pause, Retire};
    let walk = |steps: &[Command]| {
        steps.iter().try_fold(provisioned(&file()), |service, step| {
            let event = decide(&service, *step, Some("because".into()))?;
            Ok::<_, Refusal>(Service::step(Some(service), &event, &stamp(2)).expect("it was there"))
        })
    };
    let ends = [
        (&[][..], Ok(ServiceStatus::Deployed)),
        (&[Activate], Ok(ServiceStatus::Active)),
        (&[Activate, Pause], Ok(ServiceStatus::Paused)),
        (&[Activate, Pause, Activate], Ok(ServiceStatus::Active)),
        (&[Activate, Retire], Ok(ServiceStatus::Retired)),
        (&[Activate, Pause, Retire], Ok(ServiceStatus::Retired)),
        (&[Retire], Ok(ServiceStatus::Retired)),
        (&[Pause], Err("service-not-active")),
        (&[Activate, Activate], Err("service-active")),
        (&[Activate, Pause, Pause], Err("service-paused")),
        (&[Retire, Activate], Err("service-retired")),
        (&[Retire, Retire], Err("service-retired")),
    ];
    for (steps, end) in ends {
        let came_to = walk(steps);
        assert_eq!(came_to.as_ref().map(|service| service.status).map_err(|refusal| refusal.rule), end, "{steps:?}");
        if let Ok(service) = came_to {
            assert_eq!(service.history.len(), steps.len() + 1);
            assert_eq!(service.version as usize, steps.len());
        }
    }
    let paused = walk(&[Activate, Pause]).expect("it is paused");
    assert_eq!(paused.last_move().and_then(|step| step.reason.as_deref()), Some("because"));
}

#[test]
fn a_retired_service_takes_no_other_file() {
    let file = file();
    let mut is = as_it_says(&file);
    let before = is.before.as_mut().expect("it");
    let retired = decide(&before.service, Command::Retire, None).expect("it can be");
    let next = Service::step(Some((*before.service).clone()), &retired, &stamp(3)).expect("it was there");
    before.service = Arc::new(next);
    assert_eq!(differs(&file, &is), [], "what it was stays so");
    let mut other = file.clone();
    other.assets[0].open.view = false;
    assert!(differs(&other, &is).contains(&(Conflict, "service", "desk".into())));
}

#[test]
fn the_latest_steps_are_shown_and_so_many() {
    let mut service = provisioned(&file());
    for turn in 0..STEPS_SHOWN_MAX {
        let command = if turn % 2 == 0 { Command::Activate } else { Command::Pause };
        let event = decide(&service, command, None).expect("it can be");
        service = Service::step(Some(service), &event, &stamp(2)).expect("it was there");
    }
    assert_eq!((service.history.len(), service.steps_shown().len()), (STEPS_SHOWN_MAX + 1, STEPS_SHOWN_MAX));
    assert_eq!(service.steps_shown()[0].kind, StepKind::Activated);
}

proptest! {
    #[test]
    fn any_commands_keep_status_and_history_together(commands in prop::collection::vec(0..3, 0..40)) {
        let mut service = provisioned(&file());
        for number in commands {
            let command = [Command::Activate, Command::Pause, Command::Retire][number as usize];
            let before = service.clone();
            match decide(&before, command, None) {
                Ok(event) => {
                    service = Service::step(Some(service), &event, &stamp(2)).expect("it was there");
                    prop_assert!(service.status != before.status, "every step is one");
                    prop_assert!(before.status != ServiceStatus::Retired, "retired is for good");
                    prop_assert_eq!(service.last_move().map(|step| step.at), Some(Micros(2)));
                }
                Err(refusal) => prop_assert!(refusal.detail.contains("desk")),
            }
            prop_assert_eq!(service.history.len() as u64, service.version + 1);
        }
    }
}
