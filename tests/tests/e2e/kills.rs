//! The server is killed again and again while people, timers, Interlinkers, what these ask outside and processes within
//! processes are at work.
//!
//! `KILLS=200 cargo test -p interlink-tests --release a_mixed_load -- --nocapture` kills so often and prints what it saw.

mod held;
pub mod load;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::load::Writer;
use crate::client::Client;
use crate::given::publish_webhook;
use crate::outside::Outside;
use crate::server::Server;

/// Kills of a run where `KILLS` does not say otherwise.
const KILLS: usize = 12;
/// People at work at the same time.
const WRITERS: usize = 4;
/// The longest that a server lives.
const LIFE_MS_MAX: u64 = 900;
/// The longest that a service outside takes over its answer.
const ANSWER_MS_MAX: u64 = 40;
/// Kills of a run in which some certainly hit a request that was under way.
const KILLS_MANY: usize = 100;
/// One kill of so many is followed by another, while the server starts.
const TWICE_EVERY: usize = 4;

/// A process with every kind of work, one whose task comes every second, and one that is over by itself: its time has come when
/// it begins.
pub fn schemas() -> [String; 3] {
    let of = |name: &str, tasks: &str| {
        format!(
            "name: {name}\nversion: 1.0.0\nzone: Europe/Madrid\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}"
        )
    };
    let busy = "          - { id: plan }
          - id: ask
            kind: interlinker
            interlinker: poll
            input: { question: Which?, options: [North, South], quorum: 1 }
          - { id: choose, kind: approval, quorum: 1, threshold: 1/2, after: plan }
          - { id: rest, kind: timer, wait: 2020-01-01, after: plan }
          - { id: inner, kind: subprocess, schema: resting, after: plan }
          - { id: end, after: [ask, choose, rest, inner] }\n";
    let ticking =
        format!("          - {{ id: tick, every: \"* * * * * *\", misfire: catch_up, times: {} }}\n", held::TICKS);
    let resting = "          - { id: pause, kind: timer, wait: 2020-01-01 }\n";
    [of("resting", resting), of("busy", busy), of("ticking", &ticking)]
}

/// A number of which nobody knows what it will be, below a limit.
fn random_below(limit: u64) -> u64 {
    RandomState::new().hash_one(0) % limit
}

#[test]
fn a_mixed_load_goes_on_over_every_kill_and_nothing_is_lost_doubled_or_made_up() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().expect("KILLS is a number"));
    let mut server = Server::start();
    let operator = server.operator().clone();
    for schema in schemas() {
        operator.send("/v1/schemas", "application/yaml", schema).is(201);
    }
    publish_webhook(&server);
    let outside = Outside::with_pause(|| Duration::from_millis(random_below(ANSWER_MS_MAX)));
    outside.grant(&server);
    let people: Vec<Client> = (0..WRITERS).map(|number| server.member(&format!("writer-{number}"))).collect();
    let begun = Instant::now();
    let stop = AtomicBool::new(false);
    let writers: Vec<_> = std::thread::scope(|scope| {
        let working = people.iter().enumerate().map(|(number, client)| {
            let (stop, outside) = (&stop, &outside);
            scope.spawn(move || Writer::new(number, client, outside).work(stop))
        });
        let working: Vec<_> = working.collect();
        kill_again_and_again(&mut server, kills);
        stop.store(true, Ordering::Relaxed);
        working.into_iter().map(|writer| writer.join().expect("it ended")).collect()
    });
    let killing = begun.elapsed();

    let fired = everything_holds(&operator, &people, &writers);
    server.audit();
    let arrived = outside.arrived();
    let calls = writers.iter().flat_map(|writer| &writer.asked).filter(|asked| !asked.ticks);
    let asked_again: usize = calls.map(|asked| held::requests(&arrived, asked)).sum();
    let sum = |of: fn(&Writer<'_>) -> usize| writers.iter().map(of).sum::<usize>();
    let (told, repeated) = (sum(|writer| writer.told.len()), sum(|writer| writer.repeated));
    println!(
        "{kills} kills in {:.0} s: {told} commands ({repeated} sent again) on {} processes, {fired} timers, {} requests \
         outside ({asked_again} sent again); with checks {:.0} s",
        killing.as_secs_f64(),
        sum(|writer| writer.asked.len()),
        arrived.len(),
        begun.elapsed().as_secs_f64(),
    );
    assert!(repeated > 0, "no kill hit a command: the test looks at nothing");
    assert!(asked_again > 0 || kills < KILLS_MANY, "no kill hit a request: the test looks at nothing");
}

/// SIGKILL after a random while, again and again; now and then another strikes the start that follows.
fn kill_again_and_again(server: &mut Server, kills: usize) {
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(random_below(LIFE_MS_MAX)));
        server.kill();
        if kill % TWICE_EVERY == TWICE_EVERY - 1 {
            server.kill_while_it_starts(Duration::from_millis(random_below(LIFE_MS_MAX / 3)));
        }
        server.launch();
    }
}

/// Checks all that was asked for, and answers how many timers fired.
fn everything_holds(operator: &Client, people: &[Client], writers: &[Writer<'_>]) -> usize {
    std::thread::scope(|scope| {
        for (writer, client) in writers.iter().zip(people) {
            scope.spawn(move || writer.told.iter().for_each(|told| told.again(client)));
        }
    });
    let asked: Vec<_> = writers.iter().flat_map(|writer| &writer.asked).collect();
    let mut within = Vec::new();
    for asked in &asked {
        if asked.ticks {
            held::ticking(operator, asked);
        } else {
            within.push(held::busy(operator, asked));
        }
    }
    assert!(!within.is_empty() && within.len() < asked.len(), "both kinds of process were at work");
    held::nothing_else(operator, &asked, &within);
    let inner = within.iter().map(|id| format!("/v1/processes/{id}"));
    let all = asked.iter().map(|asked| asked.process.clone()).chain(inner);
    all.map(|process| held::timers(operator, &process)).sum()
}
