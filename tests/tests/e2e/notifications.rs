//! What people are told by a process itself, and what of it they have read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::automation::started;
use crate::client::{Ask, Client};
use crate::given::{id_of, text};
use crate::server::Server;

const NOTICES: &str = "/v1/me/notifications";
const READ: &str = "/v1/me/notifications/read";
const TASKS: &str = "          - { id: free, name: Find a room, due: 2999-06-01, reminder: [1 day after due] }
          - id: taken
            due: 2999-06-01
            reminder: [1 day after due]
            escalation: { to: coordinator, at: 2 days after due }\n";

/// What somebody was told, the newest first: why, and of which task.
fn told(client: &Client) -> Vec<String> {
    let items = client.all(NOTICES, 2);
    items.iter().map(|one| format!("{} {}", text(&one["kind"]), text(&one["task"]))).collect()
}

fn unread(client: &Client) -> Value {
    client.get(NOTICES).is(200)["unread"].clone()
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Moves a task's date into the past, which makes what reminds of it due.
fn is_late(client: &Client, process: &str, task: &str) {
    let path = format!("{process}/items/{task}");
    client.ask(&Ask::new("PATCH", &path).body("application/json", json!({"due": "2020-05-01"}).to_string())).is(200);
}

#[test]
fn whoever_may_do_a_task_is_reminded_and_to_whom_it_goes_is_told_once_over_kills_and_rebuilds() {
    let mut server = Server::start();
    let (operator, ana, boris, out) =
        (server.operator().clone(), server.member("ana"), server.member("boris"), server.member("out"));
    let process = started(&ana, "late", TASKS);
    started(&out, "late", TASKS);
    boris.tell(&format!("{process}/tasks/taken/claim")).is(200);
    operator.tell(&format!("{process}/tasks/free/claim")).is(200);
    operator.tell(&format!("{process}/tasks/free/release")).is(200);
    is_late(&ana, &process, "free");
    // The kill comes before anybody is told, or while they are.
    server.crash();
    until("all are reminded", || [&ana, &boris, &operator].iter().all(|one| told(one) == ["reminder free"]));
    is_late(&ana, &process, "taken");
    server.crash();
    until("both are told", || told(&boris).len() == 2 && told(&operator).len() == 2);
    let holds = |server: &Server| {
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(told(&ana), ["reminder free"], "the other one is somebody's");
        assert_eq!(told(&boris), ["reminder taken", "reminder free"]);
        assert_eq!(told(&operator), ["escalation taken", "reminder free"], "who coordinates");
        assert_eq!((told(&out), unread(&boris)), (Vec::new(), json!(2)));
        assert_eq!(server.operator().all("/v1/incidents", 10), Vec::<Value>::new());
    };
    holds(&server);
    let first = operator.get(NOTICES).is(200)["items"][0].clone();
    assert_eq!(
        (&first["role"], &first["title"], &first["asset"]),
        (&json!("coordinator"), &json!("taken"), &Value::Null)
    );
    let of_free = ana.get(NOTICES).is(200)["items"][0].clone();
    assert_eq!((&of_free["title"], &of_free["due_at"]), (&json!("Find a room"), &json!("2020-05-01T21:59:59.999999Z")));
    assert_eq!((text(&of_free["process"]), &of_free["read"]), (id_of(&process), &json!(false)));
    let events = ana.all(&format!("{process}/events"), 1_000);
    let told_in_history: Vec<_> = events.iter().filter(|event| event["kind"] == "PeopleTold").collect();
    assert_eq!(told_in_history.len(), 3, "{told_in_history:?}");
    server.stop();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    server.launch();
    holds(&server);
    // What is done is not reminded of, and what was told stays.
    boris.tell(&format!("{process}/tasks/taken/start")).is(200);
    boris.post(&format!("{process}/tasks/taken/complete"), &json!({})).is(200);
    holds(&server);
    server.audit();
}

#[test]
fn what_a_person_has_read_is_theirs_and_stays_read() {
    let mut server = Server::start();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let tasks: String = (0..4)
        .map(|number| format!("          - {{ id: t{number}, due: 2999-06-01, reminder: [1 day after due] }}\n"))
        .collect();
    let process = started(&ana, "reading", &tasks);
    boris.tell(&format!("{process}/tasks/t0/claim")).is(200);
    boris.tell(&format!("{process}/tasks/t0/release")).is(200);
    for number in 0..4 {
        is_late(&ana, &process, &format!("t{number}"));
        until("both are reminded", || [&ana, &boris].iter().all(|one| told(one).len() == number + 1));
    }
    let ids: Vec<Value> = ana.all(NOTICES, 10).iter().map(|one| one["id"].clone()).collect();
    let read = |client: &Client| -> Vec<bool> {
        client.all(NOTICES, 10).iter().map(|one| one["read"].as_bool().expect("it says so")).collect()
    };
    ana.post(READ, &json!({"ids": [ids[1]]})).is(204);
    assert_eq!((read(&ana), unread(&ana)), (vec![false, true, false, false], json!(3)));
    let position = server.position();
    ana.post(READ, &json!({"ids": [ids[1], ids[1]]})).is(204);
    assert_eq!(server.position(), position, "again is nothing new");
    ana.post(READ, &json!({"until": ids[2]})).is(204);
    assert_eq!((read(&ana), unread(&ana)), (vec![false, true, true, true], json!(1)));
    let position = server.position();
    ana.post(READ, &json!({"until": ids[3]})).is(204);
    ana.post(READ, &json!({"ids": [ids[3]]})).is(204);
    assert_eq!(server.position(), position, "it is read already");
    assert_eq!((read(&boris), unread(&boris)), (vec![false; 4], json!(4)), "nobody else has read it");

    ana.post(READ, &json!({"until": "1"})).refused(404, "not-found");
    server.member("carla").post(READ, &json!({"ids": [ids[0]]})).refused(404, "not-found");
    ana.post(READ, &json!({"ids": [ids[0], "1"]})).refused(404, "not-found");
    let many: Vec<_> = vec![ids[0].clone(); 101];
    for (body, pointer) in [
        (json!({}), "/until"),
        (json!({"until": ids[0], "ids": [ids[0]]}), "/until"),
        (json!({"until": 7}), "/until"),
        (json!({"ids": []}), "/ids"),
        (json!({"ids": many}), "/ids"),
    ] {
        ana.post(READ, &body).points_at(422, "invalid-input", &[pointer]);
    }
    server.nobody().post(READ, &json!({"until": ids[0]})).refused(401, "unauthorized");
    ana.post(READ, &json!({"ids": &many[..100]})).is(204);
    let ask = |body: &Value| ana.ask(&Ask::post(READ, body).key("read-once")).status;
    assert_eq!([(); 2].map(|()| ask(&json!({"until": ids[0]}))), [204, 204]);
    assert_eq!((read(&ana), unread(&ana)), (vec![true; 4], json!(0)));
    server.crash();
    assert_eq!((read(&ana), unread(&ana), unread(&boris)), (vec![true; 4], json!(0), json!(4)));
    server.audit();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    server.launch();
    assert_eq!((read(&ana), unread(&ana), unread(&boris)), (vec![true; 4], json!(0), json!(4)));
    assert_eq!(ana.get("/v1/me").is(200)["login"], "ana");
}
