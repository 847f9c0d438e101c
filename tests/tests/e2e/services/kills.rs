//! Kills while people are at the door: nothing that was answered is lost, and nothing is counted twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{DESK, DOOR, apply, open_desk, prepared, visitor};
use crate::client::{Answer, Ask};
use crate::given::{becomes, publish_webhook, text};
use crate::outside::Outside;

#[test]
fn votes_that_were_answered_are_there_after_kills_and_are_counted_once() {
    const ROUNDS: usize = 3;
    const PEOPLE: usize = 6;
    let mut server = open_desk();
    let operator = server.operator().clone();
    let path = format!("{DOOR}/evening/actions/vote");
    let mut asked: Vec<(crate::client::Client, String, Option<Answer>)> = Vec::new();
    for round in 0..ROUNDS {
        let guests: Vec<_> = (0..PEOPLE * 4).map(|_| visitor(&server)).collect();
        let over = AtomicBool::new(false);
        let answers = std::thread::scope(|scope| {
            let voting = guests.chunks(4).enumerate().map(|(person, guests)| {
                let (path, over) = (&path, &over);
                scope.spawn(move || {
                    let vote = |(number, guest): (usize, &crate::client::Client)| {
                        let key = format!("vote-{round}-{person}-{number}");
                        let ask = Ask::post(path, &json!({"option": "Monday"})).key(key.as_str());
                        let answer = if over.load(Ordering::Acquire) { None } else { guest.try_ask(&ask) };
                        (guest.clone(), key, answer)
                    };
                    guests.iter().enumerate().map(vote).collect::<Vec<_>>()
                })
            });
            let voting: Vec<_> = voting.collect();
            std::thread::sleep(Duration::from_millis(20));
            server.kill();
            over.store(true, Ordering::Release);
            voting.into_iter().flat_map(|voting| voting.join().expect("it ended")).collect::<Vec<_>>()
        });
        asked.extend(answers);
        server.launch();
    }
    for (guest, key, before) in &asked {
        let ask = Ask::post(&path, &json!({"option": "Monday"})).key(key.as_str());
        let answer = guest.ask(&ask);
        answer.is(200);
        if let Some(before) = before {
            assert_eq!((before.is(200), answer.header("idempotent-replayed")), (answer.json(), "true"), "{key}");
        }
    }
    let all = ROUNDS * PEOPLE * 4;
    let view = server.nobody().get(&format!("{DOOR}/evening/view")).is(200);
    assert_eq!(view["votes"], json!({"Monday": all, "Thursday": 0}));
    let used = || operator.get("/v1/adoption/services/tool-desk").is(200);
    assert!(becomes(|| used()["uses"]["by_action"] == json!({"view": 1, "vote": all})), "{}", used());
    assert_eq!(used()["people"]["visitors"], json!(all));
    assert_eq!(operator.all("/v1/usage?service=tool-desk", 100).len(), all + 1);
    server.audit();
}

#[test]
fn a_call_at_the_door_that_a_kill_cuts_off_goes_on_and_is_the_services() {
    let mut server = prepared();
    let operator = server.operator().clone();
    publish_webhook(&server);
    let outside = Outside::start();
    let file = format!(
        "{{service: hooks, schema: tool-library, interlinkers: [webhook], process: {{name: H, start: true}}, \
         assets: [{{id: hook, task: find-room, interlinker: webhook, open: {{actions: [send]}}, \
         input: {{urls: ['{}', '{}']}}}}]}}",
        outside.url("one"),
        outside.url("gate")
    );
    apply(&operator, &file).is(201);
    outside.grant(&server);
    operator.tell("/v1/services/hooks/activate").is(200);
    let visit = server.nobody().tell("/v1/services/hooks/visits").is(201);
    let guest = server.nobody().with_token(Some(text(&visit["token"])));
    let body = json!({"text": "hello"});
    let ask = || Ask::post("/v1/services/hooks/hook/actions/send", &body).key("send");
    outside.open(false);
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| guest.try_ask(&ask()));
        assert!(becomes(|| outside.keys("gate").len() == 1), "the second address was not asked");
        server.kill();
        asking.join().expect("it ended")
    });
    assert!(answer.is_none(), "nothing was answered");
    outside.open(true);
    server.launch();
    let answered = guest.ask(&ask());
    answered.is(200);
    assert_eq!((outside.keys("one").len(), outside.keys("gate").len()), (1, 2));
    assert_eq!(outside.keys("gate")[0], outside.keys("gate")[1], "asked again, with the same key");
    let used: Vec<Value> = operator.all("/v1/usage?service=hooks", 10);
    let told = json!([used[0]["kind"], used[0]["action"], used[0]["actor"]]);
    assert_eq!((used.len(), told), (1, json!(["action", "send", format!("visitor:{}", text(&visit["visitor"]))])));
    let process = text(&operator.get("/v1/services/hooks").is(200)["process"]).to_owned();
    let of_process = operator.get(&format!("/v1/adoption/processes/{process}")).is(200);
    assert_eq!(of_process["uses"]["total"], json!(1), "it was made, and nothing else was done in the process");
    assert!(apply(&operator, DESK).status == 201);
    server.audit();
}
