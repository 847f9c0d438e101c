//! What authors write, and what they are told when it cannot be run.

use interlink_model::schema::authoring::{Parsed, Syntax, parse};
use interlink_model::schema::finding::{Finding, Refusal, RefusalKind};
use interlink_model::schema::outline::{ItemRef, Outline};
use interlink_model::schema::text::accepted;
use interlink_model::schema::work::{OnFailure, Tie, Work};
use interlink_model::schema::{PrerequisiteKind, Text};

const BUDGET: &str = include_str!("../../../examples/schemas/participatory-budget.yaml");
const REVIEW: &str = include_str!("../../../examples/schemas/accessibility-review.yaml");

fn yaml(source: &str) -> Parsed {
    parse(source.as_bytes(), Syntax::Yaml).unwrap_or_else(|refusal| panic!("{refusal:#?}"))
}

fn refused(source: &str) -> Refusal {
    parse(source.as_bytes(), Syntax::Yaml).expect_err("this is refused")
}

fn refused_json(source: &str) -> Refusal {
    parse(source.as_bytes(), Syntax::Json).expect_err("this is refused")
}

/// A schema of one phase and one objective, with tasks written on lines from 9 on.
fn with_tasks(tasks: &str) -> String {
    format!(
        "name: small\nversion: 1.0.0\nroles: [reader]\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}"
    )
}

fn only(refusal: &Refusal) -> &Finding {
    assert_eq!(refusal.findings.len(), 1, "{refusal:#?}");
    &refusal.findings[0]
}

fn at(finding: &Finding) -> (usize, usize) {
    (finding.line.expect("a line"), finding.column.expect("a column"))
}

#[test]
fn the_examples_are_schemas_of_the_size_they_say() {
    let count = |source| {
        let outline = Outline::of(&yaml(source).schema);
        (outline.phases.len(), outline.objectives.len(), outline.tasks.len())
    };
    assert_eq!(count(BUDGET), (3, 8, 19));
    assert_eq!(count(REVIEW), (3, 6, 13));
}

#[test]
fn the_examples_face_problems_that_a_poll_and_a_document_address() {
    for source in [BUDGET, REVIEW] {
        let outline = Outline::of(&yaml(source).schema);
        for profile in ["decide-together", "write-together"] {
            assert!(outline.tasks.iter().any(|task| task.problem_profiles.iter().any(|p| p == profile)));
        }
    }
}

#[test]
fn a_prerequisite_on_nothing_is_told_with_its_place_and_what_is_near() {
    let source = with_tasks("          - id: agree-aim\n          - id: choose-park\n            after: agree-aims\n");
    let refusal = refused(&source);
    let finding = only(&refusal);
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert_eq!(finding.message, "task `choose-park` waits for `agree-aims`, which is nowhere in this schema");
    assert_eq!(finding.pointer, "/phases/0/objectives/0/tasks/1/after");
    assert_eq!(at(finding), (11, 20));
    assert_eq!(
        finding.render(&source, "budget.yaml"),
        "error: task `choose-park` waits for `agree-aims`, which is nowhere in this schema\n\
         \u{20} ┌─ budget.yaml:11:20\n\
         11 │             after: agree-aims\n\
         \u{20}  │                    ^^^^^^^^^^\n\
         \u{20} = help: did you mean `agree-aim`?\n"
    );
}

#[test]
fn a_finding_in_a_minified_document_is_shown_with_its_surroundings_only() {
    let long = "word ".repeat(2_000);
    let source =
        format!(r#"{{"name":"a","version":"1.0.0","description":"{long}","tagz":[],"phases":[{{"id":"p"}}]}}"#);
    let refusal = refused_json(&source);
    let shown = only(&refusal).render(&source, "a.json");
    assert!(shown.contains("did you mean `tags`?"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 140), "{shown}");
}

#[test]
fn control_characters_of_a_source_do_not_reach_the_terminal() {
    let source = "{\"name\": \"a\u{7f}\u{9b}31m\", \"version\": \"1.0.0\", \"phases\": [{\"id\": \"p\"}]}";
    let shown = only(&refused_json(source)).render(source, "a.json");
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

#[test]
fn a_circle_of_prerequisites_names_its_members() {
    let source = with_tasks(
        "          - { id: a, after: c }\n          - { id: b, after: a }\n          - { id: c, after: b }\n          - { id: d, after: a }\n",
    );
    let refusal = refused(&source);
    let message = &only(&refusal).message;
    for member in ["`a` waits for `c`", "waits for `b`", "waits for `a`"] {
        assert!(message.contains(member), "{message}");
    }
    assert!(!message.contains("`d`"), "{message}");
}

#[test]
fn a_circle_is_found_through_what_contains_its_members() {
    let source = "name: a\nversion: 1.0.0\nphases:
  - id: first
    objectives: [{ id: o1, tasks: [{ id: t1, after: t2 }] }]
  - id: second
    after: first
    objectives: [{ id: o2, tasks: [{ id: t2 }] }]\n";
    let refusal = refused(source);
    let message = &only(&refusal).message;
    assert!(
        message
            .ends_with("`t1` waits for `t2`, which is part of `second`, which waits for `first`, whose part is `t1`"),
        "{message}"
    );
}

#[test]
fn two_items_that_each_stand_before_the_other_are_a_circle() {
    let source = with_tasks(
        "          - { id: a, prerequisites: [{ item: b, type: previous }] }\n          - { id: b, prerequisites: [{ item: a, type: previous }] }\n",
    );
    assert!(only(&refused(&source)).message.contains("`a` comes after `b`, which comes after `a`"));
}

#[test]
fn what_waits_for_a_task_of_something_that_merely_stands_before_is_no_circle() {
    let source = "name: a\nversion: 1.0.0\nphases:
  - id: first
    objectives: [{ id: o1, tasks: [{ id: t1, after: t2 }] }]
  - id: second
    prerequisites: [{ item: first, type: previous }]
    objectives: [{ id: o2, tasks: [{ id: t2 }] }]\n";
    assert_eq!(yaml(source).schema.phases[0].id, "first");
}

#[test]
fn nothing_waits_for_itself_or_for_what_it_is_part_of_or_for_its_parts() {
    let tasks = "          - { id: t, after: t }\n          - { id: u, after: p }\n";
    let source = with_tasks(tasks).replace("id: o\n", "id: o\n        after: u\n");
    let messages: Vec<String> = refused(&source).findings.into_iter().map(|finding| finding.message).collect();
    assert_eq!(
        messages,
        [
            "objective `o` waits for `u`, which is part of it",
            "task `t` waits for itself",
            "task `u` waits for `p`, which it is part of"
        ]
    );
}

#[test]
fn an_id_given_twice_names_both_places() {
    let refusal = refused(&with_tasks("          - id: a\n          - id: p\n"));
    let finding = only(&refusal);
    assert_eq!(
        finding.message,
        "the id `p` is given twice: first to the phase at line 5, column 9, again to this task"
    );
    assert_eq!(at(finding), (10, 17));
}

#[test]
fn a_key_given_twice_in_yaml_names_both_places() {
    let refusal = refused(&with_tasks("          - id: a\n            kind: human\n            id: b\n"));
    let finding = only(&refusal);
    assert_eq!(finding.message, "the key `id` is given twice: first at line 9, column 13, again here");
    assert_eq!((at(finding), finding.pointer.as_str()), ((11, 13), "/phases/0/objectives/0/tasks/0/id"));
}

#[test]
fn a_key_given_twice_in_json_names_both_places() {
    let refusal =
        refused_json("{\"name\": \"a\", \"version\": \"1.0.0\",\n \"name\": \"b\", \"phases\": [{\"id\": \"p\"}]}");
    let finding = only(&refusal);
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert_eq!(finding.message, "the key `name` is given twice: first at line 1, column 2, again here");
    assert_eq!(at(finding), (2, 2));
}

#[test]
fn a_key_that_the_server_does_not_execute_yet_is_refused_with_its_line() {
    let refusal = refused(&with_tasks("          - id: a\n            incentives: [x]\n"));
    let finding = only(&refusal);
    assert_eq!((finding.line, finding.message.as_str()), (Some(10), "this server does not execute `incentives` yet"));
}

#[test]
fn a_kind_of_task_that_does_not_exist_is_told_what_is_near() {
    let refusal = refused(&with_tasks("          - { id: a, kind: humna }\n"));
    assert_eq!(only(&refusal).help.as_deref(), Some("did you mean `human`?"));
}

#[test]
fn a_key_of_another_kind_of_task_is_told_apart() {
    let refusal = refused(&with_tasks("          - id: a\n            quorum: 30\n"));
    let finding = only(&refusal);
    assert_eq!(finding.message, "`quorum` belongs to tasks of kind `approval`, and this one is `human`");
    assert_eq!(finding.help.as_deref(), Some("write `kind: approval`, or leave `quorum` out"));
    for (kind, key) in [("timer", "wait"), ("interlinker", "interlinker"), ("subprocess", "schema")] {
        let refusal = refused(&with_tasks(&format!("          - {{ id: a, kind: {kind} }}\n")));
        let wanted = format!("a task of kind `{kind}` says `{key}`, and this one does not");
        assert_eq!(only(&refusal).message, wanted);
    }
}

#[test]
fn everything_about_time_and_work_is_read() {
    let source = with_tasks(
        "          - id: vote
            kind: approval
            voters: [contributor]
            quorum: 30
            threshold: 2/3
            veto: [coordinator]
            deadline: 2 weeks after ready
            tie: extend
          - id: check
            kind: interlinker
            interlinker: poll@1.0.0
            input: { question: Which? }
            retry: { attempts: 3, first: 10 seconds, factor: 1.5, most: 1 hour, except: [refused] }
            on_failure: compensate
            compensation: { action: close }
            when: data.wanted
          - id: monthly
            every: \"0 9 1 * *\"
            misfire: catch_up
            times: 12
            due: 3 days after ready
            reminder: [1 day before due, 2 days after due]
            escalation: { to: coordinator, at: 1 week after due }
          - id: pause
            kind: timer
            wait: 3 days
            opens: 1 month after vote at 09:00
            closes: 2027-12-31
          - id: inner
            kind: subprocess
            schema: small
            input: { question: data.question }
            output: { answer: result }
",
    );
    let schema = yaml(&source).schema;
    let tasks = &schema.phases[0].objectives[0].tasks;
    let Work::Approval(vote) = &tasks.iter().find(|task| task.id == "vote").expect("there").work else {
        panic!("no vote")
    };
    assert_eq!((vote.rules.quorum, vote.rules.threshold, vote.rules.tie), (30, (2, 3), Tie::Extend));
    let check = tasks.iter().find(|task| task.id == "check").expect("there");
    let Work::Interlinker(by) = &check.work else { panic!("no Interlinker") };
    assert_eq!((by.retry.attempts, by.retry.first_ms, by.retry.factor_permille), (3, 10_000, 1_500));
    assert_eq!(check.on_failure, OnFailure::Compensate);
    let monthly = tasks.iter().find(|task| task.id == "monthly").expect("there");
    assert_eq!(monthly.timing.reminders.len(), 2);
    assert_eq!(monthly.timing.every.as_ref().and_then(|every| every.times), Some(12));
    let pause = tasks.iter().find(|task| task.id == "pause").expect("there");
    assert_eq!(pause.prerequisites, [], "what opens after the end of an item waits for it, and that is the engine's");
    assert!(pause.opening.closes.is_some());
}

#[test]
fn a_moment_that_cannot_be_is_refused_with_what_would_be_right() {
    let cases = [
        ("opens: 3 days after ready", "only a task becomes ready"),
        ("reminder: 1 day before due", "nothing here is due: `due` is missing"),
        ("due: 3 days after nowhere", "it is after `nowhere`, which is nowhere in this schema"),
        ("every: \"0 9 31 2 *\"", "never runs"),
        ("times: 3", "`times` says how a task comes again, and this one has no `every`"),
        ("escalation: { to: mayor, at: 1 day after ready }", "nobody can have the role"),
        ("kind: approval\n            threshold: 3/2", "the threshold is a share of the votes"),
    ];
    for (key, wanted) in cases {
        let refusal = refused(&with_tasks(&format!("          - id: a\n            {key}\n")));
        assert!(refusal.findings[0].message.contains(wanted), "{key}: {:?}", refusal.findings[0].message);
        assert!(refusal.findings[0].line >= Some(10), "{key}");
    }
}

#[test]
fn an_unknown_key_is_refused_and_one_of_ones_own_is_kept() {
    let refusal = refused(&with_tasks("          - { id: a, descriptoin: b }\n"));
    assert_eq!(only(&refusal).help.as_deref(), Some("did you mean `description`?"));
    let refusal = refused(&with_tasks("          - { id: a, zebra: b }\n"));
    assert_eq!(only(&refusal).help.as_deref(), Some("keys of your own begin with `x-`"));
    let kept = yaml(&with_tasks("          - { id: a, x-colour: { on: [1, 2] } }\n")).schema;
    assert_eq!(kept.phases[0].objectives[0].tasks[0].extensions["x-colour"], serde_json::json!({"on": [1, 2]}));
}

#[test]
fn a_key_of_another_level_is_told_apart_from_an_unknown_one() {
    let source = "name: a\nversion: 1.0.0\nphases: [{ id: p, tasks: [] }]\n";
    assert_eq!(only(&refused(source)).message, "the key `tasks` belongs to an objective, not to this phase");
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_document() {
    let source =
        "name: Budget 2027\nversion: 1.0\nphases:\n  - id: p\n    after: nowhere\n    colour: red\n    name: 7\n";
    let lines: Vec<_> = refused(source).findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(5), Some(6), Some(7)]);
}

#[test]
fn a_version_that_yaml_reads_as_a_number_is_told_how_to_be_written() {
    for version in ["1.0", "1", "\"1.0\"", "first"] {
        let refusal = refused(&format!("name: a\nversion: {version}\nphases: [{{ id: p }}]\n"));
        assert_eq!(only(&refusal).help.as_deref(), Some("write three numbers, such as `1.0.0`"), "{version}");
    }
}

#[test]
fn an_id_with_other_letters_is_shown_one_that_would_do() {
    let finding = &refused("name: Budget 2027\nversion: 1.0.0\nphases: [{ id: p }]\n").findings[0];
    assert!(finding.help.as_deref().is_some_and(|help| help.contains("`budget-2027`")), "{finding:?}");
    for id in ["-a", "é", "a/b", "\"\"", "a@1"] {
        assert_eq!(refused(&with_tasks(&format!("          - id: {id}\n"))).findings.len(), 1, "{id}");
    }
}

#[test]
fn name_version_and_phases_are_needed() {
    let messages: Vec<String> = refused("title: x\n").findings.into_iter().map(|f| f.message).collect();
    let wanted = ["name", "version", "phases"].map(|key| format!("a schema has a key `{key}`, and this one has not"));
    assert_eq!(messages, wanted);
    assert!(only(&refused("name: a\nversion: 1.0.0\nphases: []\n")).message.contains("one phase or more"));
}

#[test]
fn what_is_no_map_is_well_formed_and_no_schema() {
    for source in ["just text", "- a\n- b", "", "7"] {
        assert_eq!(refused(source).kind, RefusalKind::Invalid, "{source}");
    }
    assert_eq!(refused_json("[]").kind, RefusalKind::Invalid);
}

#[test]
fn what_is_neither_yaml_nor_json_is_malformed() {
    for source in ["a: [1", "a: 'b", "a: b: c", "*nothing", "a:\n\tb: c", "a: &x [*x]"] {
        assert_eq!(refused(source).kind, RefusalKind::Malformed, "{source}");
    }
    let not_json = [
        "",
        "{",
        "{\"a\"}",
        "{'a': 1}",
        "{\"a\": 1,}",
        "[1 2]",
        "{} {}",
        "nul",
        "01",
        "1.",
        "+1",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"a\nb\"",
        "NaN",
        "// a\n{}",
        "a: b",
        "\"\\u12\"",
        "-",
        "1e",
        "\u{a0}{}",
    ];
    for source in not_json {
        assert_eq!(refused_json(source).kind, RefusalKind::Malformed, "{source}");
    }
}

#[test]
fn a_json_document_is_read_with_escapes_and_a_byte_order_mark() {
    let source = "\u{feff}{\"name\":\"a\",\"version\":\"1.0.0\",\"title\":\"\\u00bfQu\\u00e9? \\ud83d\\ude00 \\/\",\"phases\":[{\"id\":\"p\"}]}";
    let parsed = parse(source.as_bytes(), Syntax::Json).expect("a schema");
    assert_eq!(parsed.schema.title.0["en"], "¿Qué? 😀 /");
    let source = "\u{feff}{\n\"name\":\"é\",\"version\":\"1.0.0\",\"phases\":[{\"id\":\"p\"}]}";
    assert_eq!(at(only(&refused_json(source))), (2, 8));
    let source = "\u{feff}title: ñ\nname: é\nversion: 1.0.0\nphases: [{ id: p }]\n";
    assert_eq!(at(only(&refused(source))), (2, 7));
}

#[test]
fn text_that_is_not_utf_8_is_malformed() {
    for syntax in [Syntax::Yaml, Syntax::Json] {
        let refusal = parse(b"name: caf\xe9\n", syntax).expect_err("not UTF-8");
        assert_eq!(refusal.kind, RefusalKind::Malformed);
        assert!(only(&refusal).message.contains("byte 9"), "{refusal}");
    }
}

#[test]
fn a_second_document_a_tag_and_a_list_as_a_key_are_refused() {
    let small = "name: a\nversion: 1.0.0\nphases: [{ id: p }]\n";
    assert!(only(&refused(&format!("{small}---\n{small}"))).message.contains("second document"));
    assert!(refused(&format!("x-a: !python/object b\n{small}")).findings[0].message.contains("tag"));
    assert_eq!(refused(&format!("? [a]\n: b\n{small}")).kind, RefusalKind::Malformed);
    assert_eq!(yaml(&format!("x-a: !!str 1\n{small}")).schema.extensions["x-a"], "1");
}

#[test]
fn another_format_is_refused() {
    let refusal = refused("format: 2\nname: a\nversion: 1.0.0\nphases: [{ id: p }]\n");
    assert_eq!(only(&refusal).message, "this server reads format 1");
}

#[test]
fn a_role_that_nobody_can_have_is_refused() {
    yaml(&with_tasks("          - { id: a, roles: [reader, owner] }\n"));
    let refusal = refused(&with_tasks("          - { id: a, roles: [raeder] }\n"));
    assert_eq!(only(&refusal).help.as_deref(), Some("did you mean `reader`?"));
}

#[test]
fn a_prerequisite_named_twice_is_refused() {
    let refusal =
        refused(&with_tasks("          - { id: a }\n          - { id: b, after: a, prerequisites: [{ item: a }] }\n"));
    assert!(only(&refusal).message.starts_with("`a` is a prerequisite twice"));
}

#[test]
fn a_prerequisite_of_another_form_is_told_how_to_be_written() {
    let wrong =
        ["[a]", "[{ type: finished }]", "[{ item: a, type: done }]", "[7]", "a", "[{ item: a, status: finished }]"];
    for form in wrong {
        let source = with_tasks(&format!("          - {{ id: a }}\n          - {{ id: b, prerequisites: {form} }}\n"));
        assert_eq!(only(&refused(&source)).line, Some(10), "{form}");
    }
}

#[test]
fn after_takes_one_id_or_several() {
    let tasks = "          - { id: a }\n          - { id: b }\n          - { id: c, after: a }\n          - { id: d, after: [a, b] }\n";
    let schema = yaml(&with_tasks(tasks)).schema;
    let tasks = &schema.phases[0].objectives[0].tasks;
    assert!(tasks[3].prerequisites.iter().all(|p| p.kind == PrerequisiteKind::Finished));
    assert_eq!((tasks[2].prerequisites.len(), tasks[3].prerequisites.len()), (1, 2));
}

#[test]
fn languages_are_what_the_author_says_whatever_yaml_made_of_their_names() {
    let source = "name: a\nversion: 1.0.0\nlanguages: [no, pt-BR]\ntitle: { no: Ja, pt-BR: Sim }\ndescription: Kort\nphases: [{ id: p, name: Fase }]\n";
    let schema = yaml(source).schema;
    assert_eq!(schema.languages, ["no", "pt-br"]);
    assert_eq!(schema.title.0["pt-br"], "Sim");
    assert_eq!(schema.description.0["no"], "Kort");
    assert_eq!(schema.phases[0].name.0["no"], "Fase");
    let twice = "name: a\nversion: 1.0.0\ntitle: { pt-BR: a, pt-br: b }\nphases: [{ id: p }]\n";
    assert!(only(&refused(twice)).message.contains("twice in the language `pt-br`"));
    assert!(
        only(&refused("name: a\nversion: 1.0.0\ntitle: { english: a, 7: b }\nphases: [{ id: p }]\n"))
            .message
            .contains("`7`")
    );
}

#[test]
fn the_languages_of_one_content_do_not_depend_on_the_order_of_its_keys() {
    let source = |title| format!("name: a\nversion: 1.0.0\ntitle: {title}\nphases: [{{ id: p, name: x }}]\n");
    let (first, second) = (yaml(&source("{ es: A, en: B }")), yaml(&source("{ en: B, es: A }")));
    assert_eq!(first.schema, second.schema);
    assert_eq!(first.schema.languages, ["en", "es"]);
}

#[test]
fn items_without_a_name_are_shown_by_their_id_and_parts_may_be_missing() {
    let schema =
        yaml("name: a\nversion: 1.0.0\nphases: [{ id: p, objectives: [{ id: o, tasks: }] }, { id: q }]\n").schema;
    assert_eq!(schema.title.0["en"], "a");
    assert_eq!(schema.phases[0].name.0["en"], "p");
    assert!(schema.phases[0].objectives[0].tasks.is_empty());
}

#[test]
fn yaml_json_and_an_alias_of_the_same_content_have_one_digest() {
    let anchored = "name: a\nversion: 1.0.0\nx-a: &n { en: Weigh }\nphases: [{ id: p, name: *n }]\n";
    let plain = r#"{"phases": [{"name": {"en": "Weigh"}, "id": "p"}], "version": "1.0.0", "x-a": {"en": "Weigh"}, "name": "a", "format": 1.0}"#;
    let first = yaml(anchored);
    let second = parse(plain.as_bytes(), Syntax::Json).expect("a schema");
    assert_eq!(first, second);
    assert_eq!(first.document["format"], 1);
    assert_eq!(first.schema.digest.len(), "sha256:".len() + 64);
    let other = yaml(&anchored.replace("Weigh", "Weight"));
    assert_ne!(first.schema.digest, other.schema.digest);
}

#[test]
fn a_digest_is_the_sha_256_of_the_canonical_document() {
    let parsed = yaml("version: 1.0.0\nname: a\nphases: [{ id: p }]\n");
    let canonical = br#"{"format":1,"name":"a","phases":[{"id":"p"}],"version":"1.0.0"}"#;
    assert_eq!(parsed.schema.digest, interlink_model::schema::digest::of(canonical));
    // What `printf '…' | sha256sum` says of it.
    assert_eq!(parsed.schema.digest, "sha256:d4e48d57cd5a49e82295c490b97d2ad1cb4c78fd3f6e6a2cbec56261010bfa6f");
}

#[test]
fn a_number_that_not_every_reader_can_keep_is_refused() {
    let small = "name: a\nversion: 1.0.0\nphases: [{ id: p }]\n";
    for number in ["9007199254740993", "1e400"] {
        assert!(refused(&format!("{small}x-a: {number}\n")).findings[0].message.contains("larger than every reader"));
        let json = format!(r#"{{"name":"a","version":"1.0.0","phases":[{{"id":"p"}}],"x-a":{number}}}"#);
        assert!(refused_json(&json).findings[0].message.contains("larger than every reader"));
    }
}

#[test]
fn an_outline_numbers_tasks_and_inherits_prerequisites() {
    let source = "name: a\nversion: 1.0.0\nphases:
  - { id: p, objectives: [{ id: o, tasks: [{ id: t0 }, { id: t1 }] }, { id: empty }] }
  - id: q
    after: p
    objectives:
      - { id: r, after: o, problem_profiles: [x, y], tasks: [{ id: t2, after: [t0, p], problem_profiles: [z, x] }] }
      - { id: s, prerequisites: [{ item: r, type: previous }], tasks: [{ id: t3 }] }\n";
    let outline = Outline::of(&yaml(source).schema);
    assert_eq!(outline.task_index("t2"), Some(2));
    assert_eq!(outline.task_index("r"), None);
    assert_eq!(outline.item("r"), Some(ItemRef::Objective(2)));
    assert_eq!(outline.id(ItemRef::Objective(2)), Some("r"));
    assert_eq!(outline.phases[1].tasks, 2..4);
    assert_eq!(outline.objectives[1].tasks, 2..2);
    assert_eq!(outline.tasks_of(ItemRef::Phase(0)), 0..2);
    let waits = |task: usize| outline.tasks[task].waits_for.iter().map(|wait| wait.item).collect::<Vec<_>>();
    assert_eq!(waits(2), [ItemRef::Task(0), ItemRef::Phase(0), ItemRef::Objective(0)]);
    assert_eq!(waits(3), [ItemRef::Phase(0)]);
    assert_eq!((outline.tasks[2].phase, outline.tasks[2].objective), (1, 2));
    assert_eq!(outline.tasks[2].problem_profiles, ["z", "x", "y"]);
}

#[test]
fn a_text_is_picked_in_the_language_that_is_nearest_to_what_is_wanted() {
    let text = |pairs: &[(&str, &str)]| Text(pairs.iter().map(|(l, t)| ((*l).to_owned(), (*t).to_owned())).collect());
    let wanted = |languages: &[&str]| languages.iter().map(|language| (*language).to_owned()).collect::<Vec<_>>();
    let name = text(&[("en", "Aim"), ("es", "Objetivo"), ("pt", "Objetivo (pt)"), ("lv", " "), ("zh-hant", "目標")]);
    let pick = |languages: &[&str], fallback: &[&str]| {
        name.pick(&wanted(languages), &wanted(fallback)).map(|(language, _)| language.to_owned())
    };
    assert_eq!(pick(&["pt-BR", "en"], &["es"]).as_deref(), Some("pt"));
    assert_eq!(pick(&["zh"], &["es"]).as_deref(), Some("zh-hant"));
    assert_eq!(pick(&["lv", "de"], &["es"]).as_deref(), Some("es"));
    assert_eq!(pick(&["de"], &["lv"]).as_deref(), Some("en"));
    assert_eq!(text(&[("lv", "Mērķis")]).pick(&[], &[]), Some(("lv", "Mērķis")));
    assert_eq!(text(&[("lv", "")]).pick(&wanted(&["lv"]), &[]), None);
}

#[test]
fn an_accept_language_header_is_read_by_its_weights() {
    assert_eq!(accepted("fr;q=0.5, pt-BR, en;q=0.8, *;q=0.1, de;q=0"), ["pt-br", "en", "fr"]);
    assert_eq!(accepted("es , es;q=0.3,,;;q=1,x y,it;q=nan,lv;q=7"), ["es"]);
    assert!(accepted("").is_empty());
    let many: Vec<_> =
        (0..40).map(|n| format!("a{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26))).collect();
    assert_eq!(accepted(&many.join(",")), many[..32], "so many are looked at, and no more");
}
