//! One Interlinker's calls do not keep another's waiting.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use interlink_host::{Call, CallContext, Called, Failure, Fault, Interlinker, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::json;

use super::given::{Given, action, call, done, fault, given, instantiate, send, shared, small, told};
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

/// Loops of Interlinkers that differ, so many.
fn loops(given: &Given, many: usize) -> Vec<Arc<Interlinker>> {
    (1..=many).map(|number| given.load(&Guest::repeating(&"nop ".repeat(number)))).collect()
}

fn go(given: &Given, guest: &Arc<Interlinker>) -> Receiver<Called> {
    send(&given.host, guest, "eve", action("go", json!({})), &KeyValues::default())
}

#[test]
fn however_many_interlinkers_loop_a_prompt_call_has_its_place_within_ticks() {
    let limits = Limits { cpu_ms_per_s: 1_000, cpu_burst_ms: 1_000, ..small() };
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 300, ..limits });
    // It is known to be prompt, and has saved some time.
    given.serves();
    let loops = loops(&given, 8);
    let running: Vec<_> = loops.iter().map(|guest| go(&given, guest)).collect();
    // Each of them is prompt until it is seen to be slow.
    std::thread::sleep(Duration::from_millis(300));
    let mut worst = Duration::ZERO;
    for _ in 0..10 {
        let since = Instant::now();
        given.serves();
        worst = worst.max(since.elapsed());
    }
    assert!(running[7].try_recv().is_err(), "they still run");
    assert!(worst < Duration::from_millis(150), "three calls took {worst:?}");
    running.iter().for_each(|running| assert_eq!(fault(told(running)), Fault::Deadline { max_ms: 300 }));
}

#[test]
fn a_slow_call_that_waits_for_others_too_long_ends_and_says_so() {
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 400, aside_ms: 200, ..small() });
    let running: Vec<_> = loops(&given, 6).iter().map(|guest| go(&given, guest)).collect();
    let faults: Vec<_> = running.iter().map(|running| fault(told(running))).collect();
    assert!(faults.contains(&Fault::Aside { max_ms: 200 }), "{faults:?}");
    let known = |fault: &Fault| matches!(fault, Fault::Aside { max_ms: 200 } | Fault::Deadline { max_ms: 400 });
    assert!(faults.iter().all(known), "{faults:?}");
    assert!(!Fault::Aside { max_ms: 200 }.is_its_own(), "others were there");
    given.serves();
}

#[test]
fn whoever_waits_is_told_before_memory_is_cleared_and_so_many_have_no_place_meanwhile() {
    let given = given(Limits { cpu_ms_per_s: 1_000, cpu_burst_ms: 1_000, ..small() });
    // It is known to be prompt, and has saved some time.
    given.serves();
    thread::sleep(Duration::from_millis(300));
    let (say, said) = channel();
    let mut held = Vec::new();
    // Is told, says how many of its Interlinker have a place, and holds its thread before it can clear anything.
    let mut begin = || {
        let (hold, released) = channel::<()>();
        held.push(hold);
        let (say, host, digest) = (say.clone(), given.host.clone(), given.poll.digest().to_owned());
        let entry = instantiate(json!({"question": "Which park?", "options": ["A", "B"], "quorum": 3}));
        let call =
            Call { entry, state: KeyValues::default(), context: CallContext::default(), given: Default::default() };
        let tell = move |_| {
            let load = host.loads().into_iter().find(|load| load.digest == digest).expect("it was called");
            say.send(load.running).expect("somebody listens");
            let _ = released.recv();
        };
        given.host.call(&given.poll, call, Box::new(tell));
    };
    for running in [0, 0, 1] {
        begin();
        assert_eq!(said.recv_timeout(Duration::from_secs(10)), Ok(running), "as many as there are places have none");
    }
    begin();
    assert_eq!(said.recv_timeout(Duration::from_millis(200)), Err(RecvTimeoutError::Timeout), "its share is taken");
    drop(held);
    assert!(said.recv_timeout(Duration::from_secs(10)).is_ok());
    given.serves();
}

#[test]
fn so_many_slow_calls_are_under_way_and_one_more_is_told() {
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 300, calls_aside: 2, ..small() });
    let running: Vec<_> = loops(&given, 5).iter().map(|guest| go(&given, guest)).collect();
    let faults: Vec<_> = running.iter().map(|running| fault(told(running))).collect();
    let crowded = faults.iter().filter(|fault| **fault == Fault::Crowded { max: 2 }).count();
    let late = faults.iter().filter(|fault| **fault == Fault::Deadline { max_ms: 300 }).count();
    assert!(crowded >= 1 && late >= 2 && crowded + late == 5, "{faults:?}");
    given.serves();
}

#[test]
fn an_interlinker_that_owes_cpu_time_waits_in_a_shorter_line_that_says_how_far_it_went() {
    let limits = Limits { cpu_ms_per_s: 10, cpu_burst_ms: 20, waiting_over_budget: 2, ..small() };
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 200, ..limits });
    let guest = given.load(&Guest::repeating(""));
    assert_eq!(fault(told(&go(&given, &guest))), Fault::Deadline { max_ms: 200 });
    let load = || given.host.loads().into_iter().find(|load| load.digest == guest.digest()).expect("it was called");
    assert!(load().cpu_us > 10_000 && load().budget_left_us < 0, "{:?}", load());
    // A slow call has its place until its memory is cleared.
    let ended = Instant::now() + Duration::from_secs(5);
    while load().running > 0 && Instant::now() < ended {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((load().waiting, load().running), (0, 0));
    // One runs, two wait, and the others are told at once.
    let sent: Vec<_> = (0..8).map(|_| go(&given, &guest)).collect();
    let faults: Vec<_> = sent.iter().map(|sent| fault(told(sent))).collect();
    let over: Vec<_> = faults.iter().filter(|fault| fault.limit() == "cpu").collect();
    assert!((4..=6).contains(&over.len()), "{faults:?}");
    for fault in over {
        let Fault::OverBudget { owed_ms, ms_per_s: 10, waiting: 2, retry_after_s } = *fault else {
            panic!("{fault:?}");
        };
        assert!((1..=100).contains(&owed_ms) && (1..=10).contains(&retry_after_s), "{fault:?}");
    }
    given.serves();
}

#[test]
fn where_none_waits_who_owes_is_told_at_once_and_who_comes_back_when_told_is_served() {
    let limits = Limits { cpu_ms_per_s: 100, cpu_burst_ms: 20, waiting_over_budget: 0, ..small() };
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 150, ..limits });
    let guest = given.load(&Guest::repeating(""));
    // Who was never called owes nothing.
    assert_eq!(fault(told(&go(&given, &guest))), Fault::Deadline { max_ms: 150 });
    let Fault::OverBudget { waiting: 0, retry_after_s, .. } = fault(told(&go(&given, &guest))) else {
        panic!("it owes");
    };
    std::thread::sleep(Duration::from_secs(retry_after_s.into()));
    assert_eq!(fault(told(&go(&given, &guest))), Fault::Deadline { max_ms: 150 });
}

#[test]
fn a_call_whose_turn_comes_too_late_is_not_begun() {
    let given = given(small());
    let guest = given.load(&Guest::new());
    let (tell, answer) = std::sync::mpsc::channel();
    for may in [true, false] {
        let entry = action("go", json!({}));
        let call = interlink_host::Call {
            entry,
            state: KeyValues::default(),
            context: Default::default(),
            given: Default::default(),
        };
        let tell = tell.clone();
        given.host.call_if(&guest, call, None, Box::new(move || may), Box::new(move |called| drop(tell.send(called))));
        let called = told(&answer);
        assert_eq!(matches!(called.result, Err(Failure::NotBegun)), !may, "{called:?}");
    }
    given.serves();
}

/// The threads on which so many calls of one Interlinker are told, one after the other.
fn threads_of(given: &Given, guest: &Arc<Interlinker>, calls: usize) -> HashSet<ThreadId> {
    let ran = |_| {
        let (tell, told) = channel();
        let entry = action("go", json!({}));
        let (state, context, given_it) = (KeyValues::default(), CallContext::default(), Default::default());
        let tell = Box::new(move |called: Called| {
            let _ = tell.send((thread::current().id(), called.result.is_ok()));
        });
        given.host.call(guest, Call { entry, state, context, given: given_it }, tell);
        let (thread, is_done) = told.recv().expect("told");
        assert!(is_done);
        thread
    };
    (0..calls).map(ran).collect()
}

#[test]
fn calls_one_after_the_other_are_run_on_threads_that_ran_the_last_ones() {
    let given = given(Limits { cpu_ms_per_s: 1_000, cpu_burst_ms: 1_000, ..small() });
    let guest = given.load(&Guest::calling("(call $null)"));
    // The first calls begin behind; and a thread that has told what came of a call is not back at once. Were those woken that
    // have waited for longest, it would be all of them.
    let all = given.host.limits().calls_outside + given.host.limits().calls_aside;
    let threads = threads_of(&given, &guest, 400);
    assert!(threads.len() < all / 2, "{} threads of {all} and some", threads.len());
}

#[test]
fn calls_beyond_a_budget_are_run_on_threads_that_have_stepped_back_and_cost_no_thread_each() {
    let given = given(Limits { cpu_ms_per_s: 0, cpu_burst_ms: 0, ..small() });
    let guest = given.load(&Guest::calling("(call $null)"));
    let calls = 400;
    let threads = threads_of(&given, &guest, calls);
    assert!(threads.len() < calls / 4, "{} threads", threads.len());
    given.serves();
}
