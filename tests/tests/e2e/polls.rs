//! A poll: an Interlinker at work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Client;
use crate::given::{asset, id_of, library, next, poll, running, text, vote};
use crate::server::Server;

/// Uses of an asset of a kind, once so many are there: a view's record need not be there at once.
#[track_caller]
pub fn uses(client: &Client, asset: &str, kind: &str, many: usize) -> Vec<Value> {
    for _ in 0..100 {
        let all = client.all(&format!("/v1/usage?asset={}", id_of(asset)), 1_000);
        let found: Vec<_> = all.into_iter().filter(|used| used["kind"] == kind).collect();
        if found.len() >= many {
            assert_eq!(found.len(), many, "more uses of kind {kind} than were made");
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("there are not {many} uses of kind {kind}");
}

fn version(client: &Client, asset: &str) -> u64 {
    client.get(asset).is(200)["state_version"].as_u64().expect("a version")
}

#[test]
fn reaching_the_quorum_declares_the_outcome_and_closing_does_not() {
    let server = library();
    let [ana, boris, carla] = ["ana", "boris", "carla"].map(|login| server.member(login));
    let process = running(&ana, "Evenings");
    let poll = poll(&ana, &process, "find-room", 2);
    let shown = ana.get(&poll).is(200);
    assert_eq!(
        (&shown["name"], &shown["task"], &shown["state_version"]),
        (&json!("a poll"), &json!("find-room"), &json!(0))
    );
    assert_eq!((&shown["interlinker"]["name"], &shown["created_by"]), (&json!("poll"), &json!(ana.id())));
    assert_eq!(shown.get("outcome"), None);

    let voted = vote(&ana, &poll, "Monday");
    assert_eq!(voted.is(200)["state_version"], json!(1));
    assert_eq!(ana.get(&poll).is(200).get("outcome"), None, "one vote of two");
    vote(&boris, &poll, "Thursday").is(200);
    let outcome = ana.get(&poll).is(200)["outcome"].clone();
    let votes = json!({"Monday": 1, "Thursday": 1});
    assert_eq!((&outcome["votes"], &outcome["quorum"]), (&votes, &json!(2)));

    vote(&carla, &poll, "Thursday").is(200);
    carla.post(&format!("{poll}/actions/close"), &json!({})).is(200);
    vote(&server.member("dan"), &poll, "Monday").refused(409, "poll-closed");
    carla.tell(&format!("{poll}/actions/close")).refused(409, "poll-closed");
    let view = ana.get(&format!("{poll}/view")).is(200);
    assert_eq!(view["votes"], json!({"Monday": 1, "Thursday": 2}));
    assert_eq!((&view["closed"], &view["question"]), (&json!(true), &json!("Which evening?")));
    assert_eq!(ana.get(&poll).is(200)["outcome"], outcome, "it stays what it was when the quorum was reached");

    let events = ana.all(&format!("{process}/events"), 100);
    let declared = events.iter().filter(|event| event["kind"] == "OutcomeDeclared").count();
    assert_eq!(declared, 1);
    assert_eq!(next(&ana, &process), ["find-room", "collect-tools"], "an outcome completes no task by itself");
}

#[test]
fn a_second_vote_is_refused_and_changes_nothing_but_the_registry() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Evenings");
    let poll = poll(&ana, &process, "find-room", 5);
    vote(&ana, &poll, "Monday").is(200);
    let before = crate::given::seen(&ana, &process);
    let shown = ana.get(&poll);
    let refused = vote(&ana, &poll, "Thursday").refused(409, "already-voted");
    assert_eq!(refused["detail"], json!("you have voted already"));
    vote(&ana, &poll, "Friday").refused(409, "already-voted");
    assert_eq!(ana.get(&poll).body, shown.body);
    assert_eq!(crate::given::seen(&ana, &process), before);
    let outcomes: Vec<_> = uses(&ana, &poll, "action", 3).iter().map(|used| used["outcome"].clone()).collect();
    assert_eq!(json!(outcomes), json!(["done", "refused", "refused"]));
}

#[test]
fn a_view_changes_no_version_and_is_in_the_registry() {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Evenings");
    let poll = poll(&ana, &process, "find-room", 5);
    let versions = || (version(&ana, &poll), ana.get(&process).is(200)["version"].clone());
    let before = versions();
    for _ in 0..3 {
        boris.get(&format!("{poll}/view")).is(200);
    }
    assert_eq!(versions(), before);
    for used in uses(&ana, &poll, "view", 3) {
        assert_eq!((&used["actor"], &used["outcome"]), (&json!(boris.id()), &json!("done")));
        assert_eq!((&used["task"], &used["phase"]), (&json!("find-room"), &json!("prepare")));
    }
}

#[test]
fn three_hundred_people_vote_at_once_and_every_vote_counts_once() {
    const PEOPLE: usize = 300;
    const THREADS: usize = 12;
    let server = library();
    let operator = server.operator();
    let process = running(operator, "The whole street");
    let poll = poll(operator, &process, "find-room", PEOPLE as u64);
    let people: Vec<Client> = std::thread::scope(|scope| {
        let minting = (0..2).map(|half| {
            let server = &server;
            let mine = move || (half..PEOPLE).step_by(2).map(|number| server.member(&format!("neighbour-{number}")));
            scope.spawn(move || mine().collect::<Vec<_>>())
        });
        minting.collect::<Vec<_>>().into_iter().flat_map(|minting| minting.join().expect("minted")).collect()
    });
    std::thread::scope(|scope| {
        for share in people.chunks(PEOPLE / THREADS) {
            let poll = &poll;
            scope.spawn(move || {
                for (person, option) in share.iter().zip(["Monday", "Thursday"].into_iter().cycle()) {
                    vote(person, poll, option).is(200);
                    vote(person, poll, "Monday").refused(409, "already-voted");
                }
            });
        }
    });
    let view = operator.get(&format!("{poll}/view")).is(200);
    let votes = |option: &str| view["votes"][option].as_u64().expect("a number");
    assert_eq!(votes("Monday") + votes("Thursday"), PEOPLE as u64);
    let outcome = &operator.get(&poll).is(200)["outcome"];
    assert_eq!(outcome["votes"], view["votes"]);
    assert_eq!(version(operator, &poll), PEOPLE as u64 + 1, "a vote is a version, and the outcome is one");

    let actions = uses(operator, &poll, "action", 2 * PEOPLE);
    for outcome in ["done", "refused"] {
        let of_outcome = actions.iter().filter(|used| used["outcome"] == outcome);
        let actors: BTreeSet<_> = of_outcome.map(|used| text(&used["actor"])).collect();
        assert_eq!(actors.len(), PEOPLE, "{outcome}");
    }
    let adoption = operator.get("/v1/adoption/interlinkers/poll").is(200);
    assert_eq!(adoption["people"]["active"], json!(PEOPLE + 1), "the voters, and who opened it and looked");
}

#[test]
fn an_asset_that_is_removed_is_gone_and_its_history_and_its_uses_stay() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Evenings");
    let poll = poll(&ana, &process, "find-room", 2);
    vote(&boris, &poll, "Monday").is(200);
    let stale = crate::client::Ask::new("DELETE", &poll).header("if-match", "\"0\"");
    boris.ask(&stale).refused(412, "wrong-version");
    let removed = boris.ask(&crate::client::Ask::new("DELETE", &poll));
    removed.is(204);
    assert!(removed.body.is_empty());

    let gone = |server: &Server| {
        let view = format!("{poll}/view");
        for path in [&poll, &view] {
            server.operator().get(path).refused(404, "not-found");
        }
        vote(&ana, &poll, "Monday").refused(404, "not-found");
        boris.ask(&crate::client::Ask::new("DELETE", &poll)).refused(404, "not-found");
        assert_eq!(ana.all(&format!("{process}/assets"), 10), Vec::<Value>::new());
        let kinds: Vec<_> =
            ana.all(&format!("{process}/events"), 3).iter().map(|event| event["kind"].clone()).collect();
        for kind in ["InterlinkerInstantiated", "ActionPerformed", "AssetRemoved", "AssetDropped"] {
            assert!(kinds.contains(&json!(kind)), "no {kind} in {kinds:?}");
        }
        let used = &uses(&ana, &poll, "remove", 1)[0];
        assert_eq!((&used["actor"], &used["outcome"]), (&json!(boris.id()), &json!("done")));
    };
    gone(&server);
    server.crash();
    gone(&server);
    server.audit();
}

#[test]
fn assets_are_listed_by_process_and_by_task() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Evenings");
    let on = |task: &str, title: &str| asset(&ana, &process, task, "document", &json!({"title": title}));
    let first = on("find-room", "One");
    let made = [first.clone(), on("find-room", "Two"), on("collect-tools", "Three")];
    let listed: Vec<_> = ana.all(&format!("{process}/assets"), 2).iter().map(|asset| asset["id"].clone()).collect();
    assert_eq!(json!(listed), json!(made.iter().map(|path| id_of(path)).collect::<Vec<_>>()));
    let of_task = ana.all(&format!("{process}/assets?task=collect-tools"), 2);
    assert_eq!(of_task.len(), 1);
    ana.get(&format!("{process}/assets?task=nothing-such")).refused(404, "not-found");
}
