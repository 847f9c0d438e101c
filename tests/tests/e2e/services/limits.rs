//! How often somebody may ask at a door.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{DOOR, open_desk, visitor};
use crate::client::Answer;

/// Asks again and again, from several threads, until somebody is told to come back later.
#[track_caller]
fn until_too_often(ask: impl Fn() -> Answer + Sync) -> usize {
    const LONGEST: Duration = Duration::from_secs(60);
    let (served, begun) = (AtomicUsize::new(0), Instant::now());
    let told: Vec<Answer> = std::thread::scope(|scope| {
        let asking = (0..8).map(|_| {
            scope.spawn(|| {
                while begun.elapsed() < LONGEST {
                    let answer = ask();
                    if answer.status == 429 {
                        return answer;
                    }
                    assert!((200..300).contains(&answer.status), "{}", answer.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
                panic!("nobody was told to come back later");
            })
        });
        asking.collect::<Vec<_>>().into_iter().map(|asking| asking.join().expect("it was told")).collect()
    });
    for answer in told {
        let problem = answer.refused(429, "too-many-requests");
        let after: u32 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&after), "{problem}");
    }
    served.into_inner()
}

#[test]
fn a_visitor_who_asks_too_often_is_told_when_to_come_back_and_the_others_are_served() {
    let server = open_desk();
    let (guest, other) = (visitor(&server), visitor(&server));
    let served = until_too_often(|| guest.get(&format!("{DOOR}/open")));
    assert!(served >= 30, "only {served} were served");
    other.get(&format!("{DOOR}/open")).is(200);
    server.nobody().get(&format!("{DOOR}/open")).is(200);
    server.operator().get(DOOR).is(200);
}

#[test]
fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let server = open_desk();
    let nobody = server.nobody();
    let served = until_too_often(|| nobody.get(&format!("{DOOR}/open")));
    assert!(served >= 600, "only {served} were served");
    server.operator().get(DOOR).is(200);
}

#[test]
fn an_address_that_begins_too_many_visits_is_told_when_to_come_back() {
    let server = open_desk();
    let nobody = server.nobody();
    let served = until_too_often(|| nobody.tell(&format!("{DOOR}/visits")));
    assert!((200..600).contains(&served), "{served} were served");
    nobody.get(&format!("{DOOR}/open")).is(200);
}
