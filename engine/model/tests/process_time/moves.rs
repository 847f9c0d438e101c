//! A process as a whole: its values, moves to newer schemas, forks.

use super::work::failed;
use super::*;

#[test]
fn the_values_of_a_process_have_a_largest_size() {
    let mut world = World::start(&schema("UTC", "          - { id: a }\n"), "2027-05-01 10:00");
    let large = |bytes| Command::SetData(BTreeMap::from([("text".into(), json!("x".repeat(bytes)))]));
    let refused = world.does(Actor::System, large(DATA_BYTES_MAX)).expect_err("too much");
    assert_eq!(refused.rule, Rule::TooMuch);
    world.by(large(DATA_BYTES_MAX - 100));
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
