//! Work that is not a person's: votes, Interlinkers, what fails, what is undone, conditions.

use super::*;

fn vote(choice: Choice) -> Command {
    Command::Vote { task: "v".into(), choice }
}

#[test]
fn a_vote_is_decided_by_its_quorum_and_its_threshold() {
    let tasks = "          - { id: v, kind: approval, quorum: 3, threshold: 2/3 }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
    world.does(person(1), vote(Choice::Approve)).expect("taken");
    let again = world.does(person(1), vote(Choice::Reject)).expect_err("once");
    assert_eq!(again.rule, Rule::VotedAlready);
    world.does(person(2), vote(Choice::Reject)).expect("taken");
    assert_eq!(world.status("v"), "ready");
    world.does(person(3), vote(Choice::Approve)).expect("taken");
    assert_eq!(world.status("v"), "completed", "two of three are two thirds");
    world.by(Command::Reopen("v".into()));
    let opened = world.history.iter().rev().find_map(|(event, _)| match event {
        ProcessEvent::VoteOpened(opened) => Some(opened.round),
        _ => None,
    });
    assert_eq!((opened, world.status("v")), (Some(2), "ready"), "a new round, for everyone");
    world.does(person(1), vote(Choice::Approve)).expect("a new round, a new vote");
}

#[test]
fn a_vote_with_a_deadline_stays_open_until_then_and_fails_without_its_quorum() {
    let tasks = "          - { id: v, kind: approval, quorum: 2, deadline: 1 week after ready }\n          - { id: after, after: v }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
    world.does(person(1), vote(Choice::Approve)).expect("taken");
    world.does(person(2), vote(Choice::Approve)).expect("taken");
    assert_eq!(world.status("v"), "ready", "others may still vote");
    world.until("2027-05-08 10:00");
    assert_eq!((world.status("v"), world.status("after")), ("completed", "ready"));
    let mut lonely = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
    lonely.does(person(1), vote(Choice::Approve)).expect("taken");
    lonely.until("2027-05-08 10:00");
    assert_eq!((lonely.status("v"), lonely.status("after")), ("failed", "waiting"));
    let late = lonely.does(person(2), vote(Choice::Approve)).expect_err("over");
    assert_eq!(late.rule, Rule::NoVote);
    lonely.by(Command::RetryTask("v".into()));
    assert_eq!(lonely.status("v"), "ready");
}

#[test]
fn a_tie_follows_its_rule_and_a_veto_decides() {
    for (tie, wanted) in [("reject", "failed"), ("approve", "completed"), ("extend", "ready")] {
        let tasks = format!("          - {{ id: v, kind: approval, quorum: 2, tie: {tie}, veto: [coordinator] }}\n");
        let mut world = World::start(&schema("UTC", &tasks), "2027-05-01 10:00");
        let refused = world.does(person(3), vote(Choice::Veto)).expect_err("not theirs to say");
        assert_eq!(refused.rule, Rule::MayNotVote);
        world.does(person(1), vote(Choice::Approve)).expect("taken");
        world.does(person(2), vote(Choice::Reject)).expect("taken");
        assert_eq!(world.status("v"), wanted, "{tie}");
        if tie == "extend" {
            world.roles = vec!["coordinator"];
            world.does(person(3), vote(Choice::Veto)).expect("taken");
            assert_eq!(world.status("v"), "failed");
        }
    }
}

const WORK: &str = "          - id: ask
            kind: interlinker
            interlinker: poll
            retry: { attempts: 3, first: 10 seconds, factor: 2, except: [refused] }
            compensation: { action: close }
          - id: then
            after: ask\n";

fn done(world: &World) -> Command {
    Command::EffectDone { effect: world.effect().0, asset: Some("poll".into()), outcome: false }
}

pub fn failed(world: &World, code: &str) -> Command {
    let failure = AttemptFailure { code: code.into(), detail: "no answer".into(), is_final: false };
    Command::EffectFailed { effect: world.effect().0, failure }
}

#[test]
fn an_interlinker_is_wanted_when_its_task_is_ready_and_its_outcome_completes_it() {
    let mut world = World::start(&schema("UTC", WORK), "2027-05-01 10:00");
    let (_, effect) = world.effect();
    let EffectKind::Instantiate { asset, .. } = effect.kind else { panic!("not an Interlinker") };
    let done = done(&world);
    world.does(Actor::System, done.clone()).expect("done");
    assert_eq!(world.does(Actor::System, done).expect_err("old news").rule, Rule::NothingToDo);
    assert_eq!(world.status("ask"), "ready");
    world.by(Command::Suspend);
    world.does(Actor::System, Command::NoteOutcome(asset)).expect("an outcome is a fact");
    assert_eq!(world.status("ask"), "suspended");
    world.by(Command::Resume);
    assert_eq!((world.status("ask"), world.status("then")), ("completed", "ready"), "as soon as it may be");
}

#[test]
fn that_the_version_of_an_asset_was_withdrawn_is_told_once_and_again_when_it_weighs_more() {
    let mut world = World::start(&schema("UTC", WORK), "2027-05-01 10:00");
    let (_, effect) = world.effect();
    let EffectKind::Instantiate { asset, .. } = effect.kind else { panic!("not an Interlinker") };
    world.does(Actor::System, done(&world)).expect("done");
    world.by(Command::Suspend);
    let version =
        |version: &str| InterlinkerRef { name: "poll".into(), version: version.into(), digest: version.into() };
    let withdrawn = |asset, interlinker, how| Command::NoteWithdrawn { asset, interlinker, how, to: Vec::new() };
    let mut told = |version, how| world.does(Actor::System, withdrawn(asset, version, how)).is_ok();
    let all = [
        ("1.0.0", Withdrawn::Deprecated, true),
        ("1.0.0", Withdrawn::Deprecated, false),
        ("1.0.0", Withdrawn::Revoked, true),
        ("1.0.0", Withdrawn::Deprecated, false),
        ("1.1.0", Withdrawn::Deprecated, true),
    ];
    for (number, how, is_news) in all {
        assert_eq!(told(version(number), how), is_news, "{number} {how:?}");
    }
    let stranger = interlink_model::id::AssetId::from_bytes([9; 16]);
    let refused = world.does(Actor::System, withdrawn(stranger, version("1.0.0"), Withdrawn::Revoked));
    assert_eq!(refused.expect_err("no asset of this process").rule, Rule::NothingToDo);
}

#[test]
fn what_fails_is_tried_again_with_pauses_that_grow_and_then_waits_for_an_operator() {
    let mut world = World::start(&schema("UTC", WORK), "2027-05-01 10:00");
    let mut pauses = Vec::new();
    for _ in 0..2 {
        let begun = world.now.0;
        let failed = failed(&world, "trap");
        world.does(Actor::System, failed).expect("told");
        assert_eq!(world.process.pending_effects().count(), 0);
        let due = world.process.next_timer().expect("a retry");
        pauses.push((due.0 - begun) as f64 / 1e6);
        world.now = due;
        world.does(Actor::System, Command::Tick { until: due }).expect("due");
    }
    assert!((5.0..=10.0).contains(&pauses[0]) && (10.0..=20.0).contains(&pauses[1]), "{pauses:?}");
    let last = failed(&world, "trap");
    world.does(Actor::System, last).expect("told");
    assert_eq!(world.status("ask"), "failed");
    let (incident, raised) =
        world.process.incidents.iter().next().map(|(id, raised)| (*id, raised.clone())).expect("one");
    assert_eq!((raised.attempts, raised.code.as_str()), (3, "trap"));
    world.by(Command::CloseIncident { incident, resolution: Resolution::Retried });
    assert_eq!(world.status("ask"), "ready");
    assert_eq!(world.process.pending_effects().count(), 1);
    let again = world.does(person(1), Command::CloseIncident { incident, resolution: Resolution::Skipped });
    assert_eq!(again.expect_err("closed").rule, Rule::IncidentClosed);
}

#[test]
fn a_failure_that_no_attempt_would_mend_is_told_at_once_and_can_be_skipped_or_resolved() {
    for (resolution, wanted) in [(Resolution::Skipped, "skipped"), (Resolution::Resolved, "completed")] {
        let mut world = World::start(&schema("UTC", WORK), "2027-05-01 10:00");
        let failed = failed(&world, "refused");
        world.does(Actor::System, failed).expect("told");
        let incident = *world.process.incidents.keys().next().expect("raised");
        world.by(Command::CloseIncident { incident, resolution });
        assert_eq!((world.status("ask"), world.status("then")), (wanted, "ready"));
        assert!(world.process.effects.is_empty());
    }
}

#[test]
fn cancelling_makes_undone_what_was_done_the_last_first() {
    let tasks = ["one", "two", "three"].map(|id| {
        format!("          - {{ id: {id}, kind: interlinker, interlinker: poll, compensation: {{ action: close }} }}\n")
    });
    let mut world = World::start(&schema("UTC", &(tasks.concat() + "          - { id: end }\n")), "2027-05-01 10:00");
    for number in 0..3 {
        let (effect, known) = world.effect();
        let EffectKind::Instantiate { asset, .. } = known.kind else { panic!("not an Interlinker") };
        world.now = Micros(world.now.0 + 1_000_000 * number);
        world
            .does(Actor::System, Command::EffectDone { effect, asset: Some("poll".into()), outcome: false })
            .expect("done");
        world.does(Actor::System, Command::NoteOutcome(asset)).expect("noted");
    }
    world.by(Command::Cancel);
    let mut undone = Vec::new();
    while world.process.pending_effects().next().is_some() {
        let (effect, known) = world.effect();
        assert!(matches!(known.kind, EffectKind::Compensate { .. }));
        undone.push(world.process.plan.outline.tasks[known.task.expect("a task") as usize].id.clone());
        world.does(Actor::System, Command::EffectDone { effect, asset: None, outcome: false }).expect("done");
    }
    assert_eq!(undone, ["three", "two", "one"]);
}

#[test]
fn a_condition_decides_once_whether_a_task_is_done_at_all() {
    let tasks = "          - { id: a }\n          - { id: b, after: a, when: data.wanted == true }\n";
    for wanted in [true, false] {
        let mut world = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
        world.by(Command::SetData(BTreeMap::from([("wanted".into(), json!(wanted))])));
        world.by(Command::Complete("a".into()));
        assert_eq!(world.status("b"), if wanted { "ready" } else { "skipped" });
        world.by(Command::SetData(BTreeMap::from([("wanted".into(), Value::Null)])));
        assert_eq!(world.count("ConditionEvaluated"), 1);
    }
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
    world.by(Command::Complete("a".into()));
    assert_eq!(world.status("b"), "failed", "a value that is not there is no answer");
}

#[test]
fn a_task_takes_so_many_votes_and_no_more() {
    let approval = "          - { id: a, kind: approval, quorum: 200000 }\n";
    let mut process = World::start(&schema("UTC", approval), "2027-05-01 10:00").process.clone();
    let voter = |number: usize| PersonId::from_bytes((number as u128 + 1).to_be_bytes());
    let vote = Command::Vote { task: "a".into(), choice: Choice::Approve };
    let context = Context::new(process.created_at, Actor::Person(voter(VOTES_MAX)));
    let cast = (0..VOTES_MAX - 1).map(|number| (voter(number), Choice::Approve));
    process.votes.get_mut(&0).expect("a vote").cast.extend(cast);
    assert!(decide(&process, &vote, None, &context).is_ok(), "there is room for one");
    process.votes.get_mut(&0).expect("a vote").cast.insert(voter(VOTES_MAX - 1), Choice::Approve);
    assert_eq!(decide(&process, &vote, None, &context).expect_err("too many").rule, Rule::TooMuch);
}
