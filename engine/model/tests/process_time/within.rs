//! Processes within processes: values in and back, and undoing what they did, each in its turn.

use super::*;

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
