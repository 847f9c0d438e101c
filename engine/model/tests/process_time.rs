//! What happens in a process by itself: hours, deadlines, recurrences, votes, work of Interlinkers. Driven with a clock
//! that the test moves, as the runtime drives it: decide, seal, apply; timers when they are due.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{Micros, PersonId, ProcessId};
use interlink_model::process::*;
use interlink_model::schema::authoring::{Syntax, parse};
use interlink_model::sealed::SealedFields;
use interlink_model::time::moment::Moment;
use interlink_model::time::zone::Zone;
use serde_json::{Value, json};

struct World {
    process: Process,
    history: Vec<(ProcessEvent, Stamp)>,
    now: Micros,
    roles: Vec<&'static str>,
}

fn at(text: &str, zone: &Zone) -> Micros {
    Moment::parse(text).expect("a moment").resolve(None, zone).expect("an instant")
}

fn person(number: u8) -> Actor {
    Actor::Person(PersonId::from_bytes([number; 16]))
}

fn close(event: &mut impl SealedFields) {
    event.sealed_fields(&mut |_, field| field.close(&mut |bytes| bytes.to_vec()));
}

impl World {
    /// A process of a schema whose tasks are given as YAML, started at a time of its zone.
    fn start(schema: &str, start: &str) -> Self {
        Self::start_for(schema, start, None)
    }

    /// The same, for a task of another process.
    fn start_for(schema: &str, start: &str, parent: Option<Parent>) -> Self {
        let parsed = parse(schema.as_bytes(), Syntax::Yaml).unwrap_or_else(|refusal| panic!("{:?}", refusal.findings));
        let plan = Arc::new(Plan::new(parsed.schema));
        let now = at(start, &plan.schema.zone);
        let stamp = Stamp { at: now, actor: person(1), correlation: None, causation: None };
        let mut created = create(&plan, NewProcess { name: "P".into(), parent, ..NewProcess::default() });
        close(&mut created);
        let process = Process::created(ProcessId::from_bytes([9; 16]), &created, &stamp, plan);
        let mut world = Self { process, history: vec![(created.into(), stamp)], now, roles: vec!["contributor"] };
        world.does(person(1), Command::Start).expect("starts");
        world
    }

    fn does(&mut self, actor: Actor, command: Command) -> Result<(), Rejection> {
        let mut data = self.process.data.clone();
        if let Some(data) = &mut data {
            interlink_model::sealed::SealedField::open(data, &mut |bytes| Some(bytes.to_vec()));
        }
        let context = Context {
            data: data.as_ref().and_then(|data| data.opened()),
            roles: &self.roles,
            draw: uuid::Uuid::from_u128(u128::from(self.process.version) << 64 | 0x5bd1_e995),
            ..Context::new(self.now, actor)
        };
        let events = decide(&self.process, &command, None, &context)?;
        let stamp = Stamp { at: self.now, actor, correlation: None, causation: None };
        for mut event in events {
            close(&mut event);
            self.process.apply(&event, &stamp);
            self.history.push((event, stamp));
        }
        assert_eq!(self.process.broken_invariant(), None);
        Ok(())
    }

    fn by(&mut self, command: Command) {
        self.does(person(1), command).unwrap_or_else(|rejection| panic!("{}", rejection.detail));
    }

    /// Lets time pass, with every timer at its time.
    fn until(&mut self, text: &str) {
        let end = at(text, &self.process.zone);
        while let Some(due) = self.process.next_timer().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.does(Actor::System, Command::Tick { until: due }).expect("a timer is due");
        }
        self.now = end;
    }

    /// Lets time pass without a server, then one that comes back.
    fn outage_until(&mut self, text: &str) {
        self.now = at(text, &self.process.zone);
        while self.process.next_timer().is_some_and(|due| due <= self.now) {
            self.does(Actor::System, Command::Tick { until: self.now }).expect("a timer is due");
        }
    }

    fn status(&self, task: &str) -> &'static str {
        let number = self.process.plan.outline.task_index(task).expect("a task");
        self.process.task_status(number).as_str()
    }

    fn kinds(&self) -> Vec<&'static str> {
        use interlink_model::event::Event;
        self.history.iter().map(|(event, _)| event.kind()).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.kinds().into_iter().filter(|found| *found == kind).count()
    }

    fn fired(&self) -> Vec<(&'static str, String)> {
        let fired = self.history.iter().filter_map(|(event, _)| match event {
            ProcessEvent::TimerFired(fired) => Some((fired.timer.as_str(), self.process.zone.shown(fired.due_at))),
            _ => None,
        });
        fired.collect()
    }

    fn replayed(&self) -> Process {
        let (ProcessEvent::ProcessCreated(created), stamp) = &self.history[0] else { panic!("no beginning") };
        let mut process = Process::created(self.process.id, created, stamp, Arc::clone(&self.process.plan));
        self.history[1..].iter().for_each(|(event, stamp)| process.apply(event, stamp));
        process
    }

    fn effect(&self) -> (u64, Effect) {
        let (number, effect) = self.process.pending_effects().next().expect("an effect");
        (number, effect.clone())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.replayed(), self.process, "replay gives the same");
            let plan = Arc::clone(&self.process.plan);
            let row = Process::from_row(self.process.id, &self.process.to_row(), |_| Some(plan));
            assert_eq!(row.as_ref(), Some(&self.process), "a row gives the same");
        }
    }
}

fn schema(zone: &str, tasks: &str) -> String {
    format!(
        "name: timed\nversion: 1.0.0\nzone: {zone}\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}"
    )
}

#[test]
fn an_item_opens_and_closes_by_itself_and_both_are_events_with_their_cause() {
    let mut world = World::start(
        "name: timed\nversion: 1.0.0\nzone: Europe/Madrid\nphases:
  - { id: propose, opens: 2027-05-01 09:00, closes: 2027-05-31, objectives: [{ id: o, tasks: [{ id: a }, { id: b }] }] }
  - { id: decide, opens: 2027-05-15 12:00, objectives: [{ id: q, tasks: [{ id: c }] }] }\n",
        "2027-04-01 10:00",
    );
    assert_eq!(world.status("a"), "waiting");
    let refused = world.does(person(1), Command::Complete("a".into())).expect_err("too early");
    assert_eq!(refused.detail, "`a` waits for its time: 2027-05-01 09:00 Europe/Madrid");
    assert_eq!(world.process.guide().waiting[0].until, Some(at("2027-05-01 09:00", &world.process.zone)));
    world.until("2027-05-20 12:00");
    assert_eq!((world.status("a"), world.status("c")), ("ready", "ready"), "phases may overlap");
    world.by(Command::Complete("a".into()));
    world.until("2027-06-02");
    assert_eq!((world.status("a"), world.status("b"), world.status("c")), ("completed", "skipped", "ready"));
    let skipped = world.history.iter().position(|(event, _)| matches!(event, ProcessEvent::TaskSkipped(_)));
    let (cause, stamp) = &world.history[skipped.expect("skipped") - 1];
    assert!(matches!(cause, ProcessEvent::TimerFired(fired) if fired.timer == TimerKind::Closes));
    assert_eq!(stamp.actor, Actor::System);
    assert_eq!(
        world.fired(),
        [
            ("opens", "2027-05-01 09:00 Europe/Madrid".into()),
            ("opens", "2027-05-15 12:00 Europe/Madrid".into()),
            ("closes", "2027-05-31 23:59 Europe/Madrid".into()),
        ]
    );
}

#[test]
fn an_item_may_be_open_for_a_minute_and_an_hour_that_has_passed_opens_at_once() {
    let minute = "          - { id: a, opens: 2027-05-01 09:00, closes: 2027-05-01 09:01 }\n          - { id: b, opens: 2020-01-01 }\n";
    let mut world = World::start(&schema("UTC", minute), "2027-05-01 08:00");
    assert_eq!((world.status("a"), world.status("b")), ("waiting", "ready"));
    world.until("2027-05-01 09:00");
    assert_eq!(world.status("a"), "ready");
    world.until("2027-05-01 09:01");
    assert_eq!(world.status("a"), "skipped");
}

#[test]
fn what_is_due_comes_before_a_command_that_arrives_after_it() {
    let tasks = "          - { id: a, closes: 2027-05-01 09:00 }\n          - { id: b }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.now = at("2027-05-01 09:00", &Zone::UTC);
    let refused = world.does(person(1), Command::Complete("a".into())).expect_err("its time is over");
    assert_eq!(refused.rule, Rule::TaskFinished);
    assert_eq!(world.status("a"), "ready", "a refusal changes nothing");
    world.by(Command::Complete("b".into()));
    assert_eq!(world.status("a"), "skipped", "a command that is taken takes what was due with it");
    assert_eq!(world.process.status, ProcessStatus::Completed);
}

#[test]
fn deadlines_remind_and_escalate_in_order_and_each_once_after_an_outage() {
    let tasks = "          - id: a
            due: 1 week after ready
            reminder: [1 day before due, 1 day after due]
            escalation: { to: coordinator, at: 2 days after due }\n";
    let wanted = ["reminder", "due", "reminder", "escalation"];
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.until("2027-06-01");
    assert_eq!(world.fired().iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), wanted);
    let mut late = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    late.outage_until("2028-05-01");
    assert_eq!(late.fired(), world.fired());
    assert_eq!(late.count("TaskEscalated"), 1);
    assert_eq!(late.process.next_timer(), None);
}

#[test]
fn a_task_that_is_done_has_no_timers_and_one_that_is_reopened_has_new_ones() {
    let tasks = "          - { id: a, due: 1 week after ready }\n          - { id: b }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    assert_eq!(world.process.next_timer(), Some(at("2027-05-08 08:00", &Zone::UTC)));
    world.by(Command::Complete("a".into()));
    assert_eq!(world.process.next_timer(), None);
    world.until("2027-06-01");
    world.by(Command::Reopen("a".into()));
    assert_eq!(world.process.next_timer(), Some(at("2027-06-08 00:00", &Zone::UTC)));
}

#[test]
fn so_many_timers_fire_in_one_decision_and_the_rest_in_the_next() {
    let tasks: String = (0..FIRED_MAX + 10).map(|n| format!("          - {{ id: t{n}, due: 2027-05-02 }}\n")).collect();
    let mut world = World::start(&schema("UTC", &tasks), "2027-05-01 10:00");
    world.now = at("2027-06-01 10:00", &Zone::default());
    let tick = Command::Tick { until: world.now };
    world.does(Actor::System, tick.clone()).expect("much is due");
    assert_eq!(world.count("TimerFired"), FIRED_MAX);
    world.does(Actor::System, tick.clone()).expect("the rest is due");
    assert_eq!(world.count("TimerFired"), FIRED_MAX + 10);
    assert_eq!(world.does(Actor::System, tick).expect_err("nothing is due").rule, Rule::NothingToDo);
}

#[test]
fn a_process_that_rests_fires_nothing_and_makes_up_for_it_when_it_goes_on() {
    let tasks = "          - { id: a, due: 1 week after ready }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.by(Command::Suspend);
    assert_eq!(world.process.next_timer(), None);
    world.until("2027-06-01");
    world.by(Command::Resume);
    assert_eq!(world.fired().len(), 1, "what came due meanwhile is told with the resumption");
}

#[test]
fn a_timer_task_is_done_when_its_time_has_come() {
    let tasks = "          - { id: a }\n          - { id: b, kind: timer, wait: 3 days, after: a }\n          - { id: c, after: b }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.by(Command::Complete("a".into()));
    assert_eq!((world.status("b"), world.status("c")), ("waiting", "waiting"));
    let refused = world.does(person(1), Command::Complete("b".into())).expect_err("not by hand");
    assert_eq!(refused.rule, Rule::TaskNotByHand);
    world.until("2027-05-04 08:00");
    assert_eq!((world.status("b"), world.status("c")), ("completed", "ready"));
}

#[test]
fn a_year_of_a_process_with_recurrences_escalations_and_two_clock_changes_takes_well_under_a_second() {
    let begun = std::time::Instant::now();
    for (zone, march) in [("Europe/Madrid", 23), ("Africa/Cairo", 23), ("Australia/Lord_Howe", 23)] {
        let tasks = "          - id: daily
            every: \"30 2 * * *\"
            until: 2027-12-31
            due: 6 hours after ready
            escalation: { to: coordinator, at: 1 hour after due }
          - { id: monthly, every: \"0 9 1 * *\", times: 12 }\n";
        let mut world = World::start(&schema(zone, tasks), "2027-01-01 00:00");
        for day in 1..=365 {
            let date = format!("2027-01-01T{march}:00");
            let noon = Moment::parse(&format!("{day} days after start at {}", &date[11..])).expect("a moment");
            let noon = noon.resolve(world.process.started_at, &world.process.zone).expect("an instant");
            while let Some(due) = world.process.next_timer().filter(|due| *due <= noon) {
                world.now = due;
                world.does(Actor::System, Command::Tick { until: due }).expect("due");
            }
            world.now = noon;
            if day % 2 == 0 && world.status("daily") == "ready" {
                world.by(Command::Complete("daily".into()));
            }
            if world.status("monthly") == "ready" {
                world.by(Command::Complete("monthly".into()));
            }
        }
        let opened = |task: &str| {
            let opened = world
                .history
                .iter()
                .filter(|(event, _)| matches!(event, ProcessEvent::OccurrenceOpened(opened) if opened.task == task));
            opened.count()
        };
        assert_eq!(opened("daily"), 365, "{zone}: every night of the year once, the long and the short one too");
        assert_eq!(opened("monthly"), 12, "{zone}");
        assert_eq!(world.status("monthly"), "completed", "{zone}");
        assert!(world.count("OccurrenceMissed") > 100, "{zone}: what was not done stays in the history");
        assert!(world.count("TaskEscalated") > 300, "{zone}");
    }
    assert!(begun.elapsed().as_secs_f64() < 3.0, "three years took {:?}", begun.elapsed());
}

#[test]
fn missed_runs_follow_their_rule() {
    for (misfire, opened, skipped) in [("fire_once", 1, 8), ("catch_up", 9, 0), ("skip", 0, 9)] {
        let tasks = format!("          - {{ id: a, every: \"0 9 * * *\", misfire: {misfire} }}\n");
        let mut world = World::start(&schema("UTC", &tasks), "2027-05-01 10:00");
        world.outage_until("2027-05-10 12:00");
        assert_eq!(world.count("OccurrenceOpened"), opened, "{misfire}");
        let passed: u32 = world
            .history
            .iter()
            .map(|(event, _)| match event {
                ProcessEvent::RunsSkipped(skipped) => skipped.count,
                _ => 0,
            })
            .sum();
        assert_eq!(passed, skipped, "{misfire}");
        assert_eq!(world.process.next_timer(), Some(at("2027-05-11 09:00", &Zone::UTC)), "{misfire}");
    }
}

#[test]
fn another_rule_takes_effect_at_once() {
    let tasks = "          - { id: a, every: \"0 9 * * *\" }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 10:00");
    let dates = Dates { every: Some("0 12 * * MON".into()), ..Dates::default() };
    let dates = Box::new(SetDates::read(&dates).expect("dates"));
    world.by(Command::Reschedule { item: "a".into(), dates });
    assert_eq!(world.process.next_timer(), Some(at("2027-05-03 12:00", &Zone::UTC)));
    let error = SetDates::read(&Dates { due: Some("soonish".into()), ..Dates::default() }).expect_err("no moment");
    assert_eq!(error.key, "due");
}

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

fn failed(world: &World, code: &str) -> Command {
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

const INNER: &str = "          - { id: a }
          - id: inner
            after: a
            kind: subprocess
            schema: other
            input: { twice: data.number * 2 }
            output: { result: answer }
          - { id: after, after: inner }\n";

/// A process whose task has started another, and what it is told when that one ends.
fn with_inner() -> (World, impl Fn(bool, serde_json::Value) -> Command) {
    let mut world = World::start(&schema("UTC", INNER), "2027-05-01 10:00");
    world.by(Command::SetData(BTreeMap::from([("number".into(), json!(21))])));
    world.by(Command::Complete("a".into()));
    let (effect, known) = world.effect();
    let EffectKind::Subprocess { process, .. } = known.kind else { panic!("no subprocess") };
    world.does(Actor::System, Command::EffectDone { effect, asset: None, outcome: false }).expect("done");
    assert_eq!(world.status("inner"), "in_progress");
    let ended = move |completed, answer| Command::SubprocessEnded {
        task: "inner".into(),
        process,
        completed,
        outputs: BTreeMap::from([("answer".into(), answer), ("other".into(), json!(1))]),
    };
    (world, ended)
}

#[test]
fn a_process_within_a_process_takes_values_in_and_brings_values_back() {
    let (mut world, ended) = with_inner();
    world.does(Actor::System, ended(true, json!(42))).expect("told");
    assert_eq!((world.status("inner"), world.status("after")), ("completed", "ready"));
    assert_eq!(world.does(Actor::System, ended(true, json!(42))).expect_err("told before").rule, Rule::NothingToDo);
    let mut data = world.process.data.clone().expect("values");
    interlink_model::sealed::SealedField::open(&mut data, &mut |bytes| Some(bytes.to_vec()));
    assert_eq!(data.opened().map(|data| json!(data)), Some(json!({"number": 21, "result": 42})));
}

#[test]
fn a_process_within_a_process_that_was_cancelled_or_brings_back_too_much_is_a_task_that_failed() {
    for (completed, answer) in [(false, json!(42)), (true, json!("x".repeat(DATA_BYTES_MAX)))] {
        let (mut world, ended) = with_inner();
        world.does(Actor::System, ended(completed, answer)).expect("told");
        assert_eq!((world.status("inner"), world.status("after")), ("failed", "waiting"));
        world.by(Command::RetryTask("inner".into()));
        assert_eq!(world.status("inner"), "in_progress", "another is started");
    }
}

/// An Interlinker's task, a process within the process after it, and another Interlinker's task.
const UNDONE: &str = "          - { id: one, kind: interlinker, interlinker: poll, compensation: { action: close } }
          - { id: inner, kind: subprocess, schema: other, after: one }
          - { id: two, kind: interlinker, interlinker: poll, compensation: { action: close }, after: inner }
          - { id: end, after: two }\n";

impl World {
    /// Carries out the one effect that waits, as whoever does so would tell.
    fn carried_out(&mut self) -> EffectKind {
        let (effect, known) = self.effect();
        self.now = Micros(self.now.0 + 1_000_000);
        let asset = matches!(known.kind, EffectKind::Instantiate { .. }).then(|| "poll".to_owned());
        self.does(Actor::System, Command::EffectDone { effect, asset, outcome: true }).expect("it was awaited");
        known.kind
    }

    fn ended(&mut self, process: ProcessId, completed: bool) {
        let outputs = BTreeMap::new();
        let ended = Command::SubprocessEnded { task: "inner".into(), process, completed, outputs };
        self.does(Actor::System, ended).expect("it was awaited");
    }
}

fn started(effect: EffectKind) -> ProcessId {
    let EffectKind::Subprocess { process, .. } = effect else { panic!("no process was started: {effect:?}") };
    process
}

#[test]
fn what_a_process_within_a_process_did_is_undone_in_its_turn_and_what_was_before_it_waits() {
    let mut world = World::start(&schema("UTC", UNDONE), "2027-05-01 10:00");
    world.carried_out();
    let inner = started(world.carried_out());
    world.ended(inner, true);
    world.carried_out();
    world.by(Command::Cancel);
    assert!(matches!(world.carried_out(), EffectKind::Compensate { .. }), "the last first");
    let undone = Command::SubprocessCompensated { task: "inner".into(), process: inner };
    assert_eq!(world.effect().1.kind, EffectKind::CompensateSubprocess { process: inner });
    let (process, history) = (world.process.clone(), world.history.clone());
    let mut told_first = World { process, history, now: world.now, roles: world.roles.clone() };
    world.carried_out();
    assert_eq!(world.process.pending_effects().count(), 0, "it takes its time");
    assert!(world.process.is_awaited());
    world.does(Actor::System, undone.clone()).expect("awaited");
    assert!(matches!(world.carried_out(), EffectKind::Compensate { .. }));
    assert!(!world.process.is_awaited());
    assert_eq!(world.does(Actor::System, undone.clone()).expect_err("told before").rule, Rule::NothingToDo);

    // Its word that all is undone may come before the word that it was told to.
    let (effect, _) = told_first.effect();
    told_first.does(Actor::System, undone).expect("awaited");
    let done = Command::EffectDone { effect, asset: None, outcome: false };
    assert_eq!(told_first.does(Actor::System, done).expect_err("old news").rule, Rule::NothingToDo);
    assert!(matches!(told_first.carried_out(), EffectKind::Compensate { .. }));
    assert_eq!(told_first.process.pending_effects().count(), 0);
}

#[test]
fn a_process_within_a_process_that_is_under_way_ends_and_is_undone_before_anything_else_is() {
    for completed in [false, true] {
        let mut world = World::start(&schema("UTC", UNDONE), "2027-05-01 10:00");
        world.carried_out();
        let inner = started(world.carried_out());
        world.by(Command::Cancel);
        assert_eq!(world.carried_out(), EffectKind::CancelSubprocess { process: inner });
        assert_eq!(world.process.pending_effects().count(), 0, "what was done before it waits");
        world.ended(inner, completed);
        if completed {
            // It was faster than the word that it was to be cancelled.
            assert_eq!(world.carried_out(), EffectKind::CompensateSubprocess { process: inner });
            let undone = Command::SubprocessCompensated { task: "inner".into(), process: inner };
            world.does(Actor::System, undone).expect("awaited");
        }
        assert!(matches!(world.carried_out(), EffectKind::Compensate { .. }));
        assert_eq!(world.process.pending_effects().count(), 0);
    }
}

#[test]
fn a_process_that_an_operator_gives_up_to_cancel_holds_nothing_up() {
    let mut world = World::start(&schema("UTC", UNDONE), "2027-05-01 10:00");
    world.carried_out();
    started(world.carried_out());
    world.by(Command::Cancel);
    let failure = AttemptFailure { code: "damaged".into(), detail: "it cannot be read".into(), is_final: true };
    let effect = world.effect().0;
    world.does(Actor::System, Command::EffectFailed { effect, failure }).expect("it was awaited");
    let incident = *world.process.incidents.keys().next().expect("an incident");
    world.by(Command::CloseIncident { incident, resolution: Resolution::Skipped });
    assert!(matches!(world.carried_out(), EffectKind::Compensate { .. }));
}

#[test]
fn a_process_that_was_asked_for_and_is_wanted_no_more_is_cancelled_wherever_it_got_to() {
    let mut world = World::start(&schema("UTC", UNDONE), "2027-05-01 10:00");
    world.carried_out();
    let inner = started(world.effect().1.kind);
    world.by(Command::Cancel);
    let asked: Vec<_> = world.process.pending_effects().map(|(_, effect)| effect.kind.clone()).collect();
    assert!(asked.contains(&EffectKind::CancelSubprocess { process: inner }), "{asked:?}");
}

#[test]
fn a_process_undoes_what_it_did_when_the_one_that_started_it_wants_so_and_then_says_so() {
    let tasks = "          - { id: one, kind: interlinker, interlinker: poll, compensation: { action: close } }\n";
    let parent = Parent { process: ProcessId::from_bytes([3; 16]), task: "inner".into() };
    let mut world = World::start_for(&schema("UTC", tasks), "2027-05-01 10:00", Some(parent.clone()));
    assert_eq!(world.does(Actor::System, Command::Compensate).expect_err("it runs").rule, Rule::ProcessNotEnded);
    world.carried_out();
    let Parent { process, task } = parent;
    assert_eq!(world.carried_out(), EffectKind::TellParent { process, task: task.clone() });
    assert!(world.process.pending_effects().next().is_none(), "what was done stays done");
    world.does(Actor::System, Command::Compensate).expect("wanted");
    assert_eq!(world.does(Actor::System, Command::Compensate).expect_err("wanted before").rule, Rule::NothingToDo);
    assert!(matches!(world.carried_out(), EffectKind::Compensate { .. }));
    assert_eq!(world.carried_out(), EffectKind::TellCompensated { process, task });
    assert_eq!(world.does(Actor::System, Command::Compensate).expect_err("undone before").rule, Rule::NothingToDo);
    assert_eq!((world.replayed(), world.process.status), (world.process.clone(), ProcessStatus::Completed));
}

#[test]
fn the_values_of_a_process_have_a_largest_size() {
    let mut world = World::start(&schema("UTC", "          - { id: a }\n"), "2027-05-01 10:00");
    let large = |bytes| Command::SetData(BTreeMap::from([("text".into(), json!("x".repeat(bytes)))]));
    let refused = world.does(Actor::System, large(DATA_BYTES_MAX)).expect_err("too much");
    assert_eq!(refused.rule, Rule::TooMuch);
    world.by(large(DATA_BYTES_MAX - 100));
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

fn plan_of(source: &str) -> Arc<Plan> {
    let parsed = parse(source.as_bytes(), Syntax::Yaml).unwrap_or_else(|refusal| panic!("{:?}", refusal.findings));
    Arc::new(Plan::new(parsed.schema))
}

fn newer(tasks: &str) -> Arc<Plan> {
    plan_of(&schema("UTC", tasks).replace("version: 1.0.0", "version: 2.0.0"))
}

#[test]
fn a_process_moves_to_a_newer_schema_with_everything_that_hangs_on_its_items_and_back() {
    let tasks = "          - { id: done }
          - { id: old, due: 1 week after ready }
          - { id: vote, kind: approval, quorum: 3, deadline: 1 month after ready }
          - { id: ask, kind: interlinker, interlinker: poll, retry: { attempts: 1 } }
          - { id: again, every: \"0 9 * * *\" }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.by(Command::Complete("done".into()));
    world.by(Command::Claim("old".into()));
    world.does(person(2), Command::Vote { task: "vote".into(), choice: Choice::Approve }).expect("taken");
    let failed = failed(&world, "trap");
    world.does(Actor::System, failed).expect("told");
    world.until("2027-05-02 10:00");
    let before = world.process.clone();
    let to = newer(
        "          - { id: done }
          - { id: added }
          - { id: again, every: \"0 9 * * *\" }
          - { id: ask, kind: interlinker, interlinker: poll, retry: { attempts: 1 } }
          - { id: vote, kind: approval, quorum: 5, deadline: 1 month after ready }
          - { id: fresh, due: 1 week after ready }\n",
    );
    let plan = world.process.plan_migration(&to, &Mapping::new());
    assert_eq!(plan.added, ["added", "fresh"]);
    assert_eq!(plan.removed, [Removed { id: "old".into(), work: Some("claimed"), becomes: None }]);
    assert_eq!(plan.changed, [Changed { id: "vote".into(), what: vec!["work"] }]);
    assert_eq!(plan.refused.len(), 1, "{:?}", plan.refused);
    let refused = world.does(person(1), Command::Migrate { plan: Arc::clone(&to), mapping: Mapping::new() });
    assert_eq!(refused.expect_err("it would lose work").rule, Rule::MigrationRefused);

    let mapping = Mapping::from([("old".to_owned(), Some("fresh".to_owned()))]);
    world.by(Command::Migrate { plan: Arc::clone(&to), mapping });
    assert_eq!(world.process.plan.schema.version.to_string(), "2.0.0");
    let statuses = ["done", "fresh", "vote", "ask", "again", "added"].map(|task| world.status(task));
    assert_eq!(statuses, ["completed", "reserved", "ready", "failed", "ready", "ready"]);
    let vote = world.process.vote(world.process.plan.outline.task_index("vote").expect("there")).expect("open");
    assert_eq!((vote.tally().approve, vote.rules.quorum), (1, 3), "the rules of an open vote stay");
    assert_eq!(world.process.incidents.values().next().expect("kept").task, Some(3));
    assert_eq!(world.process.next_timer(), Some(at("2027-05-03 09:00", &Zone::UTC)), "and so do its timers");
    let due = |world: &World, task: &str| {
        let number = world.process.plan.outline.task_index(task).expect("a task");
        world.process.timer(interlink_model::schema::outline::ItemRef::Task(number), TimerKind::Due)
    };
    assert_eq!(due(&world, "fresh").map(|timer| timer.due_at), Some(at("2027-05-08 08:00", &Zone::UTC)));

    let back = Command::MigrateBack { plan: Arc::clone(&before.plan), mapping: Mapping::new() };
    world.by(back.clone());
    assert_eq!((&world.process.tasks, &world.process.votes), (&before.tasks, &before.votes));
    assert_eq!(world.process.timers, before.timers);
    assert_eq!(world.does(person(1), back).expect_err("once").rule, Rule::NeverMoved);
    world.by(Command::Suspend);
    let mapping = Mapping::from([("old".to_owned(), None)]);
    world.by(Command::Migrate { plan: to, mapping });
    assert_eq!(world.process.set_aside.len(), 1, "a second time, while it rests, and with work set aside");
    world.by(Command::MigrateBack { plan: Arc::clone(&before.plan), mapping: Mapping::new() });
    world.by(Command::Resume);
    assert_eq!(world.status("old"), "reserved", "what was set aside comes back");
}

#[test]
fn a_move_that_cannot_be_says_why() {
    let mut world = World::start(&schema("UTC", "          - { id: a }\n          - { id: b }\n"), "2027-05-01 08:00");
    world.by(Command::Complete("a".into()));
    let to = newer("          - { id: c }\n");
    let refused = |mapping: &[(&str, Option<&str>)]| {
        let mapping = mapping.iter().map(|(from, to)| ((*from).to_owned(), to.map(str::to_owned))).collect();
        world.process.plan_migration(&to, &mapping).refused.join("; ")
    };
    assert!(refused(&[]).contains("`a` is not in the new schema, and is completed"));
    assert!(refused(&[("a", Some("z"))]).contains("`z` is no task of the new schema"));
    assert!(refused(&[("z", Some("c"))]).contains("`z` is no task of this process"));
    assert!(refused(&[("a", Some("c")), ("b", Some("c"))]).contains("cannot both become `c`"));
    assert_eq!(refused(&[("a", Some("c"))]), "");
    let same = Arc::clone(&world.process.plan);
    assert!(world.process.plan_migration(&same, &Mapping::new()).refused[0].contains("has this schema already"));
}

#[test]
fn a_fork_begins_where_another_process_was() {
    let tasks = "          - { id: a }\n          - { id: b, due: 1 week after ready }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.by(Command::Complete("a".into()));
    let forked = world.process.fork();
    let stamp = Stamp { at: at("2027-06-01", &Zone::UTC), actor: person(2), correlation: None, causation: None };
    let mut created = create(&world.process.plan, NewProcess { name: "F".into(), ..NewProcess::default() });
    close(&mut created);
    let mut fork = Process::created(ProcessId::from_bytes([8; 16]), &created, &stamp, Arc::clone(&world.process.plan));
    fork.apply(&forked.into(), &stamp);
    assert_eq!(
        (fork.version, fork.lineage),
        (1, Some(Lineage { process: world.process.id, version: world.process.version }))
    );
    assert_eq!((fork.tasks.clone(), fork.timers.clone()), (world.process.tasks.clone(), world.process.timers.clone()));
    assert_eq!((fork.status, fork.broken_invariant()), (ProcessStatus::Running, None));
    assert_ne!(fork.name, world.process.name);
}
