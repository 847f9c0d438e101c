//! One Interlinker's calls do not keep another's waiting.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use interlink_host::{Failure, Fault, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::json;

use super::given::{Given, action, call, done, fault, given, send, shared, small, told};
use super::guest::Guest;

/// Where a loop ends by its deadline.
fn looping(deadline_ms: u64, waiting_calls: usize) -> Given {
    given(Limits { fuel: u64::MAX, deadline_ms, waiting_calls, ..small() })
}

#[test]
fn an_interlinker_that_loops_holds_half_of_the_threads_and_no_more() {
    let given = looping(400, 64);
    let guest = given.load(&Guest::repeating(""));
    let state = KeyValues::default();
    let began = Instant::now();
    let loops: Vec<_> = (0..4).map(|_| send(&given.host, &guest, "eve", action("go", json!({})), &state)).collect();
    let mut served = 0;
    while began.elapsed() < Duration::from_millis(1_200) {
        let since = Instant::now();
        given.serves();
        assert!(since.elapsed() < Duration::from_millis(1_000), "three calls took {:?}", since.elapsed());
        served += 1;
    }
    assert!(served >= 4, "{served}");
    let called: Vec<_> = loops.iter().map(told).collect();
    // One after the other: the last one waited for three.
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
    let longest = called.iter().map(|called| called.cost.wait_us).max();
    assert!(longest >= Some(1_100_000), "{longest:?}");
    for called in called {
        assert_eq!(fault(called), Fault::Deadline { max_ms: 400 });
    }
}

#[test]
fn waiting_for_a_thread_does_not_count_for_the_deadline() {
    let given = looping(150, 64);
    let guest = given.load(&Guest::calling("(loop $again (br $again)) unreachable"));
    let state = KeyValues::default();
    let go = || send(&given.host, &guest, "eve", action("go", json!({})), &state);
    let (first, second) = (go(), go());
    assert_eq!(fault(told(&first)), Fault::Deadline { max_ms: 150 });
    let second = told(&second);
    assert!(second.cost.call_us >= 140_000, "{:?}", second.cost);
}

#[test]
fn interlinkers_that_wait_take_turns() {
    let given = looping(100, 64);
    let state = KeyValues::default();
    let [one, two, three] = ["nop", "nop nop", "nop nop nop"].map(|body| given.load(&Guest::repeating(body)));
    let go = |guest| send(&given.host, guest, "eve", action("go", json!({})), &state);
    let many: Vec<_> = (0..6).map(|_| go(&one)).collect();
    let few = [go(&two), go(&three)];
    few.iter().for_each(|few| assert_eq!(fault(told(few)), Fault::Deadline { max_ms: 100 }));
    assert!(many[5].try_recv().is_err(), "the few came before the last of the many");
    many.iter().for_each(|many| assert_eq!(fault(told(many)), Fault::Deadline { max_ms: 100 }));
}

#[test]
fn a_queue_that_is_full_says_so_at_once_and_the_others_have_their_own() {
    let given = looping(200, 2);
    let guest = given.load(&Guest::repeating(""));
    let state = KeyValues::default();
    let began = Instant::now();
    let sent: Vec<_> = (0..6).map(|_| send(&given.host, &guest, "eve", action("go", json!({})), &state)).collect();
    let mut busy = 0;
    let mut late = 0;
    for answer in &sent {
        match answer.recv_timeout(Duration::from_millis(50)) {
            Ok(called) => {
                assert!(began.elapsed() < Duration::from_secs(5));
                match fault(called) {
                    Fault::Busy { waiting } => {
                        assert_eq!(waiting, 2);
                        busy += 1;
                    }
                    Fault::Deadline { .. } => late += 1,
                    other => panic!("{other:?}"),
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                given.serves();
                assert_eq!(fault(told(answer)), Fault::Deadline { max_ms: 200 });
                late += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    // One runs and two wait; the first may not have begun when the third came.
    assert!((2..=3).contains(&late) && busy + late == 6, "{busy} busy, {late} late");
    given.serves();
}

#[test]
fn calls_from_many_threads_are_all_answered() {
    let given = shared();
    let guest = given.load(&Guest::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let called = call(&given.host, &guest, "ana", action("go", json!({})), &KeyValues::default());
                    assert_eq!(done(called).output, json!(null));
                }
            });
        }
    });
}

#[test]
fn a_panic_in_whoever_is_told_costs_no_thread() {
    let given = given(small());
    let guest = given.load(&Guest::new());
    for _ in 0..4 {
        let call = interlink_host::Call {
            entry: action("go", json!({})),
            state: KeyValues::default(),
            context: interlink_host::CallContext::default(),
            given: interlink_host::Given::default(),
        };
        // A panic without a message on standard error.
        given.host.call(&guest, call, Box::new(|_| std::panic::resume_unwind(Box::new("nobody listens"))));
    }
    given.serves();
}

#[test]
fn a_host_that_goes_leaves_no_call_unanswered_that_runs() {
    let given = looping(200, 64);
    let guest = given.load(&Guest::repeating(""));
    let state = KeyValues::default();
    let running = send(&given.host, &guest, "eve", action("go", json!({})), &state);
    std::thread::sleep(Duration::from_millis(50));
    let waiting = send(&given.host, &guest, "eve", action("go", json!({})), &state);
    let began = Instant::now();
    drop(given);
    let called = told(&running);
    assert!(matches!(called.result, Err(Failure::Failed(Fault::Deadline { .. }))), "{called:?}");
    assert!(waiting.recv_timeout(Duration::from_secs(5)).is_err(), "what waited is dropped, not left hanging");
    assert!(began.elapsed() < Duration::from_secs(4));
}
