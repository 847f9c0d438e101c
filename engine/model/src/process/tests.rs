use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::event::{Event, Stamp, decode};
use crate::facts::{ProcessCreated, ProcessEvent, SchemaRef};
use crate::id::OrganizationId;
use crate::schema::authoring::{Syntax, parse};
use crate::sealed::SealedFields;

const SCHEMA: &str = "
name: fair
version: 1.0.0
title: A street fair
phases:
  - id: plan
    name: Plan
    objectives:
      - id: agree
        name: Agree
        tasks:
          - { id: aim, name: Aim }
          - { id: date, name: Date, after: aim }
          - { id: place, name: Place, after: aim }
  - id: hold
    name: Hold
    after: plan
    objectives:
      - id: run
        name: Run
        tasks:
          - { id: open, name: Open }
          - { id: close, name: Close, after: open }
";

fn person(number: u8) -> PersonId {
    PersonId::from_bytes([number; 16])
}

fn close(event: &mut impl SealedFields) {
    event.sealed_fields(&mut |_, field| field.close(&mut |bytes| bytes.to_vec()));
}

/// A process with its history, driven as the runtime drives it: decide, seal, apply.
struct Run {
    process: Process,
    events: Vec<(ProcessEvent, Stamp)>,
    now: i64,
}

impl Run {
    fn new() -> Self {
        let plan = Arc::new(Plan::new(parse(SCHEMA.as_bytes(), Syntax::Yaml).expect("a sound schema").schema));
        let stamp = Stamp { at: Micros(1), actor: Actor::Person(person(1)), correlation: None, causation: None };
        let mut created: ProcessCreated = create(&plan, NewProcess { name: "Fair".into(), ..NewProcess::default() });
        close(&mut created);
        let process = Process::created(ProcessId::from_bytes([9; 16]), &created, &stamp, plan);
        Self { process, events: vec![(created.into(), stamp)], now: 1 }
    }

    fn started() -> Self {
        let mut run = Self::new();
        run.does(1, Command::Start).expect("starts");
        run
    }

    fn does(&mut self, who: u8, command: Command) -> Result<(), Rejection> {
        self.acts(Actor::Person(person(who)), command)
    }

    fn acts(&mut self, actor: Actor, command: Command) -> Result<(), Rejection> {
        self.now += 1;
        let context = Context::new(Micros(self.now), actor);
        let events = decide(&self.process, &command, Some("a word"), &context)?;
        let stamp = Stamp { at: context.at, actor, correlation: None, causation: None };
        for mut event in events {
            close(&mut event);
            self.process.apply(&event, &stamp);
            self.events.push((event, stamp));
        }
        Ok(())
    }

    fn next(&self) -> Vec<&str> {
        let guide = self.process.guide();
        guide.next.iter().map(|next| self.process.plan.outline.tasks[next.task].id.as_str()).collect()
    }

    fn refuses(&mut self, who: u8, command: Command, rule: Rule) -> String {
        let before = self.process.clone();
        let rejection = self.does(who, command).expect_err("refused");
        assert_eq!(rejection.rule, rule, "{}", rejection.detail);
        assert_eq!(self.process, before, "a refusal changes nothing");
        rejection.detail
    }
}

fn t(id: &str) -> String {
    id.into()
}

#[test]
fn the_guide_alone_leads_to_the_end() {
    let mut run = Run::started();
    let mut done = Vec::new();
    while let Some(task) = run.next().first().map(|task| t(task)) {
        run.does(1, Command::Complete(task.clone())).expect("the guide offers what can be done");
        done.push(task);
    }
    assert_eq!(done, ["aim", "date", "place", "open", "close"]);
    assert_eq!(run.process.status, ProcessStatus::Completed);
    assert_eq!(run.process.progress(), 1.0);
    assert!(run.process.guide().waiting.is_empty());
}

#[test]
fn a_task_out_of_order_is_refused_with_what_it_waits_for() {
    let mut run = Run::started();
    let detail = run.refuses(1, Command::Complete(t("open")), Rule::TaskNotReady);
    assert_eq!(detail, "`open` waits for `plan`");
    assert_eq!(run.next(), ["aim"]);
}

#[test]
fn nothing_can_be_done_before_the_process_starts_or_while_it_rests_or_after_its_end() {
    let mut run = Run::new();
    run.refuses(1, Command::Claim(t("aim")), Rule::ProcessNotStarted);
    run.refuses(1, Command::Suspend, Rule::ProcessNotStarted);
    run.does(1, Command::Start).expect("starts");
    run.refuses(1, Command::Start, Rule::ProcessStarted);
    run.does(1, Command::Suspend).expect("rests");
    run.refuses(1, Command::Complete(t("aim")), Rule::ProcessSuspended);
    assert_eq!(run.process.task_status(0), TaskStatus::Suspended);
    run.does(1, Command::Resume).expect("goes on");
    run.refuses(1, Command::Resume, Rule::ProcessNotSuspended);
    run.does(1, Command::Cancel).expect("is given up");
    run.refuses(1, Command::Complete(t("aim")), Rule::ProcessEnded);
}

#[test]
fn a_process_that_has_ended_is_put_away_and_comes_back_as_it_was() {
    let mut run = Run::started();
    run.refuses(1, Command::Archive, Rule::ProcessNotEnded);
    run.refuses(1, Command::Unarchive, Rule::ProcessNotArchived);
    run.does(1, Command::Complete(t("aim"))).expect("done");
    run.does(1, Command::Cancel).expect("is given up");
    let before = run.process.clone();
    run.does(1, Command::Archive).expect("is put away");
    assert_eq!(run.process.status_word(), "archived");
    for command in
        [Command::Archive, Command::Start, Command::Cancel, Command::Reopen(t("aim")), Command::Restore(t("plan"))]
    {
        run.refuses(1, command, Rule::ProcessArchived);
    }
    run.refuses(1, Command::Tick { until: Micros(i64::MAX) }, Rule::ProcessArchived);
    run.does(2, Command::Unarchive).expect("comes back");
    let (version, touched_at) = (run.process.version, run.process.touched_at);
    assert_eq!(run.process, Process { version, touched_at, ..before });
}

#[test]
fn what_begins_where_an_archived_process_was_is_not_archived() {
    let mut run = Run::started();
    run.does(1, Command::Cancel).expect("is given up");
    run.does(1, Command::Archive).expect("is put away");
    let mut fresh = Run::new();
    let forked: ProcessEvent = run.process.fork().into();
    fresh.process.apply(&forked, &fresh.events[0].1.clone());
    assert_eq!((fresh.process.status, fresh.process.archived_at), (ProcessStatus::Cancelled, None));
}

/// Of an organization, as it is made.
fn hosted(organization: Option<OrganizationId>) -> (Process, Stamp) {
    let run = Run::new();
    let new = NewProcess { name: "Fair".into(), organization, ..NewProcess::default() };
    let mut created = create(&run.process.plan, new);
    close(&mut created);
    let stamp = run.events[0].1;
    (Process::created(run.process.id, &created, &stamp, run.process.plan), stamp)
}

#[test]
fn a_process_stays_with_its_organization_in_its_row_and_where_another_begins_as_it_was() {
    let [one, other] = [[1; 16], [2; 16]].map(|id| Some(OrganizationId::from_bytes(id)));
    let (process, stamp) = hosted(one);
    assert_eq!(process.organization, one);
    let plan = |_: &SchemaRef| Some(Arc::clone(&process.plan));
    for row in [process.to_row(), process.to_snapshot()] {
        assert_eq!(Process::from_row(process.id, &row, plan), Some(process.clone()));
    }
    let (mut begun, _) = hosted(other);
    begun.apply(&process.fork().into(), &stamp);
    assert_eq!(begun.organization, other, "it is whose it was made for");
}

#[test]
fn what_was_written_before_there_were_organizations_is_of_none() {
    let (process, stamp) = hosted(None);
    let created = create(&process.plan, NewProcess { name: "Fair".into(), ..NewProcess::default() });
    let mut created = ProcessEvent::from(created);
    close(&mut created);
    let body = created.encode(&stamp).expect("sealed");
    assert!(!body.windows(12).any(|part| part == b"organization"), "it is written as it was");
    let mut before: Vec<rmpv::Value> = rmp_serde::from_slice(&process.to_row()).expect("an array");
    assert_eq!(before.pop(), Some(rmpv::Value::Nil), "the field came last");
    let before = rmp_serde::to_vec(&before).expect("an array");
    let read = Process::from_row(process.id, &before, |_| Some(Arc::clone(&process.plan)));
    assert_eq!(read, Some(process));
}

#[test]
fn one_of_two_people_gets_the_task() {
    let mut run = Run::started();
    run.does(1, Command::Claim(t("aim"))).expect("the first gets it");
    run.refuses(2, Command::Claim(t("aim")), Rule::TaskClaimed);
    run.refuses(1, Command::Claim(t("aim")), Rule::TaskClaimed);
    run.refuses(2, Command::Complete(t("aim")), Rule::TaskClaimed);
    run.refuses(2, Command::Release(t("aim")), Rule::TaskClaimed);
    run.acts(Actor::Operator(person(3)), Command::Release(t("aim"))).expect("an operator can give it back");
    run.refuses(1, Command::Release(t("aim")), Rule::TaskNotClaimed);
    run.does(2, Command::StartTask(t("aim"))).expect("it is free again");
    run.refuses(2, Command::StartTask(t("aim")), Rule::TaskInProgress);
    run.does(2, Command::Complete(t("aim"))).expect("done");
    run.refuses(2, Command::Claim(t("aim")), Rule::TaskFinished);
}

#[test]
fn reopening_says_which_followers_it_holds_up_and_they_wait_for_it() {
    let mut run = Run::started();
    run.does(1, Command::Complete(t("aim"))).expect("done");
    run.does(2, Command::StartTask(t("date"))).expect("begun");
    run.does(1, Command::Reopen(t("aim"))).expect("reopened");
    let Some((ProcessEvent::TaskReopened(reopened), _)) = run.events.last() else { panic!("{:?}", run.events) };
    assert_eq!(reopened.held_up, ["date"]);
    assert_eq!(run.process.task_status(1), TaskStatus::InProgress, "what was begun is kept");
    run.refuses(2, Command::Complete(t("date")), Rule::TaskNotReady);
    assert_eq!(run.next(), ["aim"]);
    run.does(1, Command::Complete(t("aim"))).expect("done again");
    run.does(2, Command::Complete(t("date"))).expect("now it can be finished");
    assert_eq!(run.process.tasks[0].reopened, 1);
}

#[test]
fn a_completed_process_goes_on_when_a_task_is_reopened() {
    let mut run = Run::started();
    for task in ["aim", "date", "place", "open", "close"] {
        run.does(1, Command::Complete(t(task))).expect("in order");
    }
    run.does(1, Command::Reopen(t("close"))).expect("reopened");
    assert_eq!(run.process.status, ProcessStatus::Running);
    run.does(1, Command::Complete(t("close"))).expect("done");
    assert_eq!(run.process.status, ProcessStatus::Completed);
}

#[test]
fn skipping_a_phase_leaves_its_tasks_out_and_restoring_takes_them_in() {
    let mut run = Run::started();
    run.does(1, Command::Skip(t("plan"))).expect("left out");
    assert_eq!(run.next(), ["open"]);
    assert_eq!(run.process.progress(), 0.0);
    run.refuses(1, Command::Skip(t("plan")), Rule::TaskFinished);
    run.refuses(1, Command::Reopen(t("aim")), Rule::TaskNotFinished);
    run.does(1, Command::Restore(t("place"))).expect("taken in");
    assert_eq!(run.next(), ["place"]);
    run.refuses(1, Command::Restore(t("place")), Rule::ItemNotSkipped);
    run.does(1, Command::Skip(t("place"))).expect("out again");
    run.does(1, Command::Skip(t("hold"))).expect("all of it");
    assert_eq!((run.process.status, run.process.progress()), (ProcessStatus::Completed, 1.0));
}

#[test]
fn what_is_not_there_is_said_by_name() {
    let mut run = Run::started();
    let detail = run.refuses(1, Command::Complete(t("dance")), Rule::NoSuchItem);
    assert_eq!(detail, "`dance` is no task of this process");
    run.refuses(1, Command::Skip(t("dance")), Rule::NoSuchItem);
    run.refuses(1, Command::DropAsset(AssetId::from_bytes([1; 16])), Rule::NoSuchAsset);
}

#[test]
fn a_row_gives_the_process_back_byte_for_byte() {
    let mut run = Run::started();
    run.does(1, Command::Complete(t("aim"))).expect("done");
    run.does(2, Command::Claim(t("date"))).expect("claimed");
    let row = run.process.to_row();
    let plan = Arc::clone(&run.process.plan);
    let back = Process::from_row(run.process.id, &row, |_| Some(plan)).expect("a row of this version");
    assert_eq!(back, run.process);
    assert_eq!(back.to_row(), row);
    assert!(Process::from_row(run.process.id, &row[..row.len() - 3], |_| None).is_none());
}

fn command() -> impl Strategy<Value = (u8, Command)> {
    let task = prop::sample::select(vec!["aim", "date", "place", "open", "close", "nowhere"]);
    let item = prop::sample::select(vec!["plan", "hold", "agree", "run", "aim", "close"]);
    let asset = (0u8..3).prop_map(|number| AssetId::from_bytes([number; 16]));
    let command = prop_oneof![
        2 => Just(Command::Start),
        1 => Just(Command::Suspend),
        1 => Just(Command::Archive),
        1 => Just(Command::Unarchive),
        2 => Just(Command::Resume),
        1 => task.clone().prop_map(|task| Command::Claim(t(task))),
        1 => task.clone().prop_map(|task| Command::Release(t(task))),
        2 => task.clone().prop_map(|task| Command::StartTask(t(task))),
        6 => task.clone().prop_map(|task| Command::Complete(t(task))),
        2 => task.clone().prop_map(|task| Command::Reopen(t(task))),
        1 => item.clone().prop_map(|item| Command::Skip(t(item))),
        1 => item.prop_map(|item| Command::Restore(t(item))),
        1 => (task.clone(), asset.clone()).prop_map(|(task, asset)| Command::AddAsset {
            task: t(task), asset, interlinker: "poll".into(),
        }),
        1 => (task, asset.clone()).prop_map(|(task, asset)| {
            Command::AddAssets(vec![("aim".into(), asset, "poll".into()), (t(task), asset, "document".into())])
        }),
        1 => asset.prop_map(Command::DropAsset),
    ];
    (1u8..4, command)
}

proptest! {
    #[test]
    fn any_sequence_of_commands_keeps_the_invariants_and_replays_the_same(
        commands in prop::collection::vec(command(), 0..60),
        cancelled in prop::option::weighted(0.1, 0usize..60),
    ) {
        let mut run = Run::new();
        for (number, (who, command)) in commands.into_iter().enumerate() {
            let before = run.process.clone();
            let completing = match &command {
                Command::Complete(task) => before.plan.outline.task_index(task),
                _ => None,
            };
            if run.does(who, command).is_ok() {
                if let Some(task) = completing {
                    prop_assert!(before.is_free(task), "completed while it waited");
                }
            } else {
                prop_assert_eq!(&run.process, &before);
            }
            if cancelled == Some(number) {
                let _ = run.does(1, Command::Cancel);
            }
            prop_assert_eq!(run.process.broken_invariant(), None);
            prop_assert_eq!(run.process.version + 1, run.events.len() as u64);
        }
        // Replay from what is written.
        let mut written = run.events.iter().map(|(event, stamp)| event.encode(stamp).expect("sealed"));
        let (first, stamp) = decode::<ProcessEvent>(&written.next().expect("created")).expect("readable");
        let ProcessEvent::ProcessCreated(created) = first else { panic!("{first:?}") };
        let plan = Arc::clone(&run.process.plan);
        let mut replayed = Process::created(run.process.id, &created, &stamp, plan);
        for body in written {
            let (event, stamp) = decode::<ProcessEvent>(&body).expect("readable");
            replayed.apply(&event, &stamp);
        }
        prop_assert_eq!(&replayed, &run.process);
        prop_assert_eq!(replayed.to_row(), run.process.to_row());
    }
}
