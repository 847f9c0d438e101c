//! Calls that wait for a service outside keep nobody else waiting, and are no more than so many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use interlink_host::{Call, CallContext, Called, Interlinker, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::json;

use super::asking::Asking;
use super::given::{Given, action, done, given, send, small, told};
use super::guest::Guest;
use super::town::{Town, durable, request, response};

const URL: &str = "https://example.org/hooks/1";

/// A service that takes so long over each answer, and remembers how many waited for it at once.
struct Slow {
    town: Arc<Town>,
    most: Arc<AtomicUsize>,
}

impl Slow {
    fn new(ms: u64) -> Self {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let town = Town::answering(move |_| {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(ms));
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(response(200, b"late"))
        });
        Self { town: Arc::new(town), most }
    }

    /// Sends a call that asks it.
    fn asked_by(&self, given: &Given, guest: &Arc<Interlinker>) -> Receiver<Called> {
        let (tell, answer) = channel();
        let call = Call {
            entry: action("go", json!({})),
            state: KeyValues::default(),
            context: CallContext::default(),
            given: Default::default(),
        };
        let tell = Box::new(move |called| tell.send(called).expect("the test waits"));
        given.host.call_durably(guest, call, durable(&self.town, Vec::new()), tell);
        answer
    }
}

/// A guest that asks once; those of another number are other Interlinkers.
fn asking(given: &Given, number: usize) -> Arc<Interlinker> {
    let steps = (0..number).fold(Asking::new(), |asking, _| asking.then("nop"));
    given.load(&steps.http(&request("GET", URL), b"").guest())
}

#[test]
fn a_service_that_is_slow_holds_up_nobody_who_does_not_wait_for_it() {
    let given = given(small());
    let slow = Slow::new(2_000);
    let guests = [asking(&given, 0), asking(&given, 1)];
    let began = Instant::now();
    let waiting: Vec<_> = (0..12).map(|number| slow.asked_by(&given, &guests[number % 2])).collect();
    let mut served = 0;
    while began.elapsed() < Duration::from_millis(1_600) {
        let since = Instant::now();
        given.serves();
        assert!(since.elapsed() < Duration::from_millis(1_000), "three calls took {:?}", since.elapsed());
        served += 1;
    }
    assert!(served >= 5, "{served}");
    waiting.iter().for_each(|answer| drop(done(told(answer))));
    // Side by side, not one after the other: that would be twenty-four seconds.
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(slow.most.load(Ordering::SeqCst), 12);
}

#[test]
fn so_many_calls_of_one_interlinker_wait_outside_and_the_rest_in_line() {
    let given = given(Limits { calls_outside_of_one: 3, ..small() });
    let slow = Slow::new(100);
    let (one, other) = (asking(&given, 0), asking(&given, 1));
    let waiting: Vec<_> = (0..9).map(|_| slow.asked_by(&given, &one)).collect();
    waiting.iter().for_each(|answer| drop(done(told(answer))));
    assert_eq!(slow.most.load(Ordering::SeqCst), 3);
    let waiting: Vec<_> = (0..9).map(|_| slow.asked_by(&given, &one)).collect();
    let began = Instant::now();
    done(told(&slow.asked_by(&given, &other)));
    assert!(began.elapsed() < Duration::from_millis(250), "another has its own: {:?}", began.elapsed());
    waiting.iter().for_each(|answer| drop(done(told(answer))));
}

#[test]
fn so_many_calls_wait_outside_in_all_and_what_asks_nobody_goes_on() {
    let given = given(Limits { calls_outside: 4, calls_outside_of_one: 2, ..small() });
    let slow = Slow::new(100);
    let guests: Vec<_> = (0..4).map(|number| asking(&given, number)).collect();
    let waiting: Vec<_> = (0..16).map(|number| slow.asked_by(&given, &guests[number % 4])).collect();
    let began = Instant::now();
    given.serves();
    assert!(began.elapsed() < Duration::from_millis(90), "{:?}", began.elapsed());
    waiting.iter().for_each(|answer| drop(done(told(answer))));
    assert_eq!(slow.most.load(Ordering::SeqCst), 4);
}

#[test]
fn a_call_that_is_back_goes_on_within_a_tick_whatever_is_computed_meanwhile() {
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 400, ..small() });
    let slow = Slow::new(100);
    let away = slow.asked_by(&given, &asking(&given, 0));
    while slow.most.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    // Both places are taken while it is away, and more wait for them.
    let loops = ["", "nop"].map(|body| given.load(&Guest::repeating(body)));
    let state = KeyValues::default();
    let looping: Vec<_> =
        (0..6).map(|number| send(&given.host, &loops[number % 2], "eve", action("go", json!({})), &state)).collect();
    done(told(&away));
    assert!(began.elapsed() < Duration::from_millis(300), "it waited for those: {:?}", began.elapsed());
    looping.iter().for_each(|answer| drop(told(answer)));
}
