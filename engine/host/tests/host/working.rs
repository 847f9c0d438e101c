//! Interlinkers that work: `poll` and `document`, as they are shipped.

use std::sync::Arc;

use interlink_host::{Call, CallContext, Done, Entry, Failure, Fault, Host, Interlinker, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::{Value, json};

use super::given::{action, call, dist, done, fault, host, instantiate, refused, shared, small, view};

/// An asset: a guest and its state.
struct Asset {
    host: Host,
    guest: Arc<Interlinker>,
    state: KeyValues,
}

impl Asset {
    fn open(name: &str, input: Value) -> Self {
        let host = shared().host.clone();
        let guest = host.load(&dist(name)).expect("it is sound");
        guest.check_instantiate(&input).expect("the input fits");
        let opened = done(call(&host, &guest, "ana", instantiate(input), &KeyValues::default()));
        Self { host, guest, state: opened.state }
    }

    fn act(&mut self, person: &str, name: &str, input: Value) -> Done {
        self.guest.check_action(name, &input).expect("the input fits");
        let done = done(self.call(person, action(name, input)));
        self.state = done.state.clone();
        done
    }

    fn call(&self, person: &str, entry: Entry) -> interlink_host::Called {
        call(&self.host, &self.guest, person, entry, &self.state)
    }

    fn view(&self) -> Value {
        done(self.call("ana", view())).output
    }
}

fn poll(quorum: u64) -> Asset {
    Asset::open("poll", json!({"question": "Which park?", "options": ["A", "B"], "quorum": quorum}))
}

fn vote(option: &str) -> Value {
    json!({ "option": option })
}

/// The state before with the changes of a call, as whoever replays a journal has it.
fn replayed(before: &KeyValues, done: &Done) -> KeyValues {
    let mut state = before.clone();
    for (key, value) in &done.changes {
        match value {
            Some(value) => state.set(key, Arc::clone(value)),
            None => assert!(state.delete(key), "what is deleted was there"),
        }
    }
    state
}

#[test]
fn a_poll_is_opened_voted_in_and_looked_at() {
    let mut poll = poll(2);
    let voted = poll.act("ana", "vote", vote("A"));
    assert_eq!(voted.output["at"], "2026-01-01T09:00:00Z");
    assert_eq!(voted.outcome, None);
    let expected = json!({
        "question": "Which park?", "options": ["A", "B"], "votes": {"A": 1, "B": 0}, "closed": false, "quorum": 2
    });
    assert_eq!(poll.view(), expected);
}

#[test]
fn a_second_vote_is_refused_with_a_code_and_changes_nothing() {
    let mut poll = poll(2);
    poll.act("ana", "vote", vote("A"));
    let before = (poll.state.clone(), poll.view());
    let problem = refused(poll.call("ana", action("vote", vote("B"))));
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("already-voted", "you have voted already"));
    let problem = refused(poll.call("boris", action("vote", vote("C"))));
    assert_eq!((problem.code.as_str(), problem.pointer.as_deref()), ("no-such-option", Some("/option")));
    assert_eq!((poll.state.clone(), poll.view()), before);
}

#[test]
fn the_outcome_is_declared_when_the_quorum_is_reached_and_not_again() {
    let mut poll = poll(2);
    assert_eq!(poll.act("ana", "vote", vote("A")).outcome, None);
    let outcome = poll.act("boris", "vote", vote("B")).outcome.expect("the quorum is reached");
    assert_eq!(outcome["votes"], json!({"A": 1, "B": 1}));
    assert_eq!(poll.act("eva", "vote", vote("B")).outcome, None);
}

#[test]
fn what_a_guest_logs_comes_with_the_call() {
    let mut poll = poll(1);
    let called = poll.call("ana", action("vote", vote("A")));
    let logged: Vec<_> = called.logs.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect();
    assert_eq!(logged, [("info", "the quorum of 1 is reached")]);
    assert!(called.cost.fuel > 0 && called.cost.call_us > 0);
    assert!(poll.act("ana", "vote", vote("A")).changes.len() == 2);
}

#[test]
fn changes_are_in_order_counts_are_absolute_and_only_those_that_moved() {
    let mut poll = poll(9);
    let before = poll.state.clone();
    let first = poll.act("ana", "vote", vote("B"));
    let keys: Vec<_> = first.changes.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["counts/0000000001", "votes/ana"]);
    let counts: Vec<_> = first.counts.iter().map(|(prefix, count)| (prefix.as_str(), *count)).collect();
    assert_eq!(counts, [("", before.len() as u64 + 2), ("counts/", 1), ("votes/", 1)]);
    assert_eq!(replayed(&before, &first), first.state);
    let before = poll.state.clone();
    let second = poll.act("boris", "vote", vote("B"));
    let counts: Vec<_> = second.counts.iter().map(|(prefix, count)| (prefix.as_str(), *count)).collect();
    assert_eq!(
        counts,
        [("", before.len() as u64 + 1), ("votes/", 2)],
        "another number under `counts/` is no other key"
    );
    assert_eq!(replayed(&before, &second), second.state);
    for prefix in ["", "votes/", "counts/"] {
        assert_eq!(second.state.count(prefix), replayed(&before, &second).count(prefix));
    }
}

#[test]
fn two_assets_of_one_interlinker_know_nothing_of_each_other() {
    let (mut one, mut two) = (poll(5), poll(5));
    for person in ["ana", "boris", "eva"] {
        one.act(person, "vote", vote("A"));
    }
    two.act("ana", "vote", vote("B"));
    assert_eq!(one.view()["votes"], json!({"A": 3, "B": 0}));
    assert_eq!(two.view()["votes"], json!({"A": 0, "B": 1}));
}

#[test]
fn a_state_that_was_is_still_there_for_whoever_holds_it() {
    let mut poll = poll(5);
    let early = poll.state.clone();
    poll.act("ana", "vote", vote("A"));
    let seen = done(call(&poll.host, &poll.guest, "ana", view(), &early));
    assert_eq!(seen.output["votes"], json!({"A": 0, "B": 0}));
    assert!(seen.changes.is_empty() && seen.counts.is_empty());
}

#[test]
fn a_panic_is_told_in_its_own_words() {
    let mut poll = poll(5);
    poll.state.set("open", b"no question".to_vec());
    match fault(poll.call("ana", action("vote", vote("A")))) {
        Fault::Trap { message } => assert!(message.contains("open"), "{message}"),
        other => panic!("{other:?}"),
    }
    shared().serves();
}

#[test]
fn an_action_that_is_not_there_is_refused() {
    let poll = poll(5);
    assert!(poll.guest.action("bribe").is_none());
    let problem = refused(poll.call("ana", action("bribe", json!({}))));
    assert!(!problem.code.is_empty(), "{problem:?}");
}

#[test]
fn nobody_in_particular_cannot_vote() {
    let poll = poll(5);
    let (tell, told) = std::sync::mpsc::channel();
    let call = Call {
        entry: action("vote", vote("A")),
        state: poll.state.clone(),
        context: CallContext::default(),
        given: Default::default(),
    };
    poll.host.call(&poll.guest, call, Box::new(move |called| tell.send(called).expect("the test waits")));
    told.recv().expect("every call is answered").result.expect_err("a vote is somebody's");
}

#[test]
fn an_input_that_does_not_fit_is_told_with_its_places() {
    let poll = poll(5);
    let wrong = json!({"question": 7, "options": ["A"], "quorum": 0});
    let errors = poll.guest.check_instantiate(&wrong).expect_err("it does not fit");
    let mut places: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/options", "/question", "/quorum"]);
    let errors = poll.guest.check_action("vote", &json!({"option": 1})).expect_err("it does not fit");
    assert_eq!(errors[0].pointer, "/option");
}

#[test]
fn what_a_component_says_of_itself_is_read_without_running_it() {
    for name in ["poll", "document"] {
        let inspected = shared().host.inspect(&dist(name)).expect("it is sound");
        let loaded = shared().host.load(&dist(name)).expect("it is sound");
        assert_eq!((inspected.manifest.name.as_str(), inspected.digest.as_str()), (name, loaded.digest()));
        let reference = loaded.reference();
        assert_eq!((reference.name, reference.version), (name.into(), inspected.manifest.version.to_string()));
    }
}

#[test]
fn a_document_is_written_by_two_and_read_with_its_history() {
    let why = json!({"id": "why", "heading": "Why", "text": "It floods."});
    let mut document = Asset::open("document", json!({"title": "Our street", "sections": [why]}));
    let before = document.state.clone();
    let write = json!({"section": "why", "text": "It floods in autumn.", "based_on": 1});
    let written = document.act("boris", "write", write.clone());
    assert_eq!(written.output, json!({"section": "why", "revision": 2, "at": "2026-01-01T09:00:00Z"}));
    assert_eq!(replayed(&before, &written), written.state);
    let kept = document.state.clone();
    assert_eq!(refused(document.call("eva", action("write", write))).code, "changed-meanwhile");
    assert_eq!(document.state, kept);
    document.act("eva", "write", json!({"section": "how", "heading": null, "text": "A drain."}));
    let seen = document.view();
    assert_eq!((&seen["title"], &seen["sections"][0]["by"]), (&json!("Our street"), &json!("boris")));
    assert_eq!(seen["sections"][1]["text"], "A drain.");
    let history = document.act("ana", "history", json!({}));
    assert!(history.changes.is_empty());
    assert_eq!(history.output["revisions"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_call_has_room_in_the_memory_that_its_instance_begins_with() {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    for name in ["poll", "document", "webhook", "booking"] {
        // The least with which it is taken: an instance may not grow.
        let least = (1..64).find_map(|pages| {
            let host = host(Limits { memory_bytes: pages << 16, ..small() }, Some(cache.clone()), [7; 32]);
            host.load(&dist(name)).ok().map(|guest| (host, guest))
        });
        let (host, guest) = least.expect("it needs less than 4 MiB");
        let input = json!({"question": "Which park?", "options": ["A", "B"], "quorum": 3});
        // What that is no input of refuses it, which takes memory too.
        let called = call(&host, &guest, "ana", instantiate(input), &KeyValues::default());
        assert!(matches!(called.result, Ok(_) | Err(Failure::Refused(_))), "{name}: {:?}", called.result);
    }
}
