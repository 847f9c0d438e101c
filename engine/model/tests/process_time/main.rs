//! What happens in a process by itself: hours, deadlines, recurrences, votes, work of Interlinkers. Driven with a clock
//! that the test moves, as the runtime drives it: decide, seal, apply; timers when they are due.

mod moves;
mod within;
mod work;

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
fn whom_a_task_concerns_is_told_of_it_once_and_that_this_fails_is_no_trouble_of_the_task() {
    let tasks = "          - id: a
            due: 1 week after ready
            reminder: [1 day before due, 1 day after due]
            escalation: { to: coordinator, at: 2 days after due }\n";
    let mut world = World::start(&schema("UTC", tasks), "2027-05-01 08:00");
    world.outage_until("2027-06-01");
    let asked: Vec<_> = world.process.pending_effects().map(|(number, effect)| (number, effect.kind.clone())).collect();
    let tell = |of, role: Option<&str>| EffectKind::TellPeople { task: "a".into(), of, role: role.map(str::to_owned) };
    let kinds: Vec<_> = asked.iter().map(|(_, kind)| kind.clone()).collect();
    let reminder = tell(TimerKind::Reminder, None);
    assert_eq!(kinds, [reminder.clone(), reminder, tell(TimerKind::Escalation, Some("coordinator"))]);
    let Actor::Person(ana) = person(1) else { panic!("a person") };
    let told = |effect: u64, to: Vec<PersonId>| Command::NoteTold { effect, to };
    world.does(Actor::System, told(asked[0].0, vec![ana])).expect("it was awaited");
    let refused = world.does(Actor::System, told(asked[0].0, vec![ana])).expect_err("nobody is told twice");
    assert_eq!((refused.rule, world.count("PeopleTold")), (Rule::NothingToDo, 1));
    world.does(Actor::System, told(asked[1].0, Vec::new())).expect("there is nobody to tell");
    assert_eq!((world.count("PeopleTold"), world.count("EffectSucceeded")), (1, 2));
    let failure = AttemptFailure { code: "damaged".into(), detail: "it cannot be read".into(), is_final: true };
    world.does(Actor::System, Command::EffectFailed { effect: asked[2].0, failure }).expect("it was awaited");
    assert_eq!((world.count("IncidentRaised"), world.count("TaskFailed")), (1, 0));
    assert_eq!(world.status("a"), "ready", "an operator sees it, and the work goes on");
    world.by(Command::Complete("a".into()));
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
