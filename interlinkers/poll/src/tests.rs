use super::*;

fn poll(quorum: u64) -> TestHost {
    TestHost::open::<Poll>(json!({"question": "Which park?", "options": ["A", "B"], "quorum": quorum}))
}

fn vote(poll: &mut TestHost, name: &str, option: &str) {
    poll.act_as(name, "vote", json!({ "option": option })).ok();
}

#[test]
fn a_poll_begins_with_no_votes() {
    let expected = json!({
        "question": "Which park?", "options": ["A", "B"], "votes": {"A": 0, "B": 0}, "closed": false, "quorum": 3
    });
    assert_eq!(poll(3).view(), expected);
}

#[test]
fn nobody_votes_twice() {
    let mut poll = poll(3);
    vote(&mut poll, "boris", "A");
    let before = poll.state();
    poll.act_as("boris", "vote", json!({"option": "B"})).refused("already-voted");
    assert_eq!(poll.state(), before);
    assert_eq!(poll.view()["votes"], json!({"A": 1, "B": 0}));
}

#[test]
fn an_option_that_is_not_there_is_pointed_at() {
    let problem = poll(3).act_as("boris", "vote", json!({"option": "C"})).refused("no-such-option");
    assert_eq!(problem.pointer.as_deref(), Some("/option"));
}

#[test]
fn reaching_the_quorum_declares_the_tally_once_and_votes_go_on_counting() {
    let mut poll = poll(2);
    vote(&mut poll, "ana", "A");
    assert_eq!(poll.outcome(), None);
    vote(&mut poll, "boris", "B");
    assert_eq!(poll.outcome().map(|tally| &tally["votes"]), Some(&json!({"A": 1, "B": 1})));
    vote(&mut poll, "eva", "A");
    assert_eq!(poll.outcomes().len(), 1);
    assert_eq!(poll.view()["votes"], json!({"A": 2, "B": 1}));
}

#[test]
fn a_closed_poll_takes_no_votes_and_its_closing_is_no_outcome() {
    let mut poll = poll(1);
    poll.act_as("ana", "close", json!({})).ok();
    poll.act_as("boris", "vote", json!({"option": "A"})).refused("poll-closed");
    poll.act_as("ana", "close", json!({})).refused("poll-closed");
    assert_eq!(poll.view()["closed"], json!(true));
    assert_eq!(poll.outcome(), None);
}

#[test]
fn a_vote_changes_two_keys_however_many_there_are() {
    let mut poll = poll(1000);
    for number in 0..100 {
        vote(&mut poll, &format!("person {number}"), if number % 3 == 0 { "A" } else { "B" });
    }
    assert_eq!(poll.view()["votes"], json!({"A": 34, "B": 66}));
    let keys = |prefix: &str| poll.state().keys().filter(|key| key.starts_with(prefix)).count();
    assert_eq!((keys("votes/"), keys("counts/")), (100, 2));
}

#[test]
fn a_poll_that_makes_no_sense_is_not_opened() {
    let question = "Which park?";
    let long = "x".repeat(201);
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    for (input, pointer) in [
        (json!({"question": "", "options": ["A", "B"], "quorum": 1}), "/question"),
        (json!({"question": " ", "options": ["A", "B"], "quorum": 1}), "/question"),
        (json!({"question": question, "options": ["A"], "quorum": 1}), "/options"),
        (json!({"question": question, "options": many, "quorum": 1}), "/options"),
        (json!({"question": question, "options": ["A", "A"], "quorum": 1}), "/options"),
        (json!({"question": question, "options": ["A", " A "], "quorum": 1}), "/options/1"),
        (json!({"question": question, "options": ["A", " "], "quorum": 1}), "/options/1"),
        (json!({"question": question, "options": ["A", long], "quorum": 1}), "/options/1"),
        (json!({"question": question, "options": ["A", "B"], "quorum": 0}), "/quorum"),
    ] {
        let problem = TestHost::try_open::<Poll>(input.clone()).expect_err("it makes no sense");
        assert_eq!(problem.pointer.as_deref(), Some(pointer), "{input}");
    }
}
