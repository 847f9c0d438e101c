use interlink_journal::Identity;

use super::*;
use crate::ambient::System;
use crate::usage::bytes_of;

const IDENTITY: Identity = Identity { journal: [7; 16], incarnation: 1 };

fn open(data: &Path) -> (Arc<State>, Position) {
    State::open(data, IDENTITY, 1_000).expect("opens")
}

fn row(number: u8, value: &str) -> (Vec<u8>, Value) {
    (vec![b't', number], Value::bytes(value.as_bytes()))
}

fn seen(state: &State) -> Vec<(u8, String)> {
    let text = |found: &Found| String::from_utf8_lossy(&bytes_of(found)).into_owned();
    state.scan(b"t", None, 100).iter().map(|(key, found)| (key[1], text(found))).collect()
}

fn checkpoint(state: &State) {
    state.checkpoint(IDENTITY, &System).expect("written");
}

#[test]
fn a_row_is_the_same_in_memory_while_it_is_written_and_on_disk() {
    let data = tempfile::tempdir().expect("a directory");
    let (state, included) = open(data.path());
    assert_eq!(included, 0);
    state.put(1, [row(1, "one"), row(3, "three")]);
    state.advance(1);
    checkpoint(&state);
    state
        .put(2, [row(2, "two"), row(3, "changed"), (vec![b't', 1], Value::Gone), (vec![b'u', 0], Value::bytes(*b"x"))]);
    state.advance(2);
    let wanted = [(2, "two".to_owned()), (3, "changed".to_owned())];
    assert_eq!(seen(&state), wanted, "two layers are one");
    assert!(state.get(&[b't', 1]).is_none());
    checkpoint(&state);
    assert_eq!(seen(&state), wanted);
    assert_eq!(state.scan(b"t", Some(&[b't', 2]), 100).len(), 1, "behind a key");
    assert_eq!(state.scan(b"t", None, 1).len(), 1, "at most so many");
    drop(state);
    let (state, included) = open(data.path());
    assert_eq!((included, seen(&state)), (2, wanted.to_vec()));
}

#[test]
fn a_state_that_cannot_be_used_is_begun_again() {
    let data = tempfile::tempdir().expect("a directory");
    let fill = || {
        let (state, _) = open(data.path());
        state.put(5, [row(1, "one")]);
        state.advance(5);
        checkpoint(&state);
    };
    fill();
    let other = Identity { incarnation: 2, ..IDENTITY };
    assert_eq!(State::open(data.path(), other, 1_000).expect("opens").1, 0, "of another journal");
    fill();
    assert_eq!(State::open(data.path(), IDENTITY, 4).expect("opens").1, 0, "ahead of the journal");
    fill();
    let (state, included) = open(data.path());
    assert_eq!(included, 5);
    state.mark_damaged("a test says so");
    drop(state);
    let (state, included) = open(data.path());
    assert_eq!((included, seen(&state).len()), (0, 0), "marked as damaged");
}

#[test]
fn a_row_that_does_not_fit_its_checksum_is_not_there_and_the_state_is_marked() {
    let data = tempfile::tempdir().expect("a directory");
    let (state, _) = open(data.path());
    state.put(1, [row(1, "one"), row(2, "two")]);
    state.advance(1);
    checkpoint(&state);
    let mut damaged = state.db.get([b't', 1]).expect("read").expect("there").to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    state.db.insert([b't', 1], damaged).expect("written");
    assert!(state.get(&[b't', 1]).is_none());
    assert_eq!(seen(&state), [(2, "two".to_owned())]);
    drop(state);
    assert_eq!(open(data.path()).1, 0, "it is made again at the next start");
}

#[tokio::test]
async fn commands_wait_where_too_much_waits_and_go_on_after_a_checkpoint() {
    let data = tempfile::tempdir().expect("a directory");
    let (mut state, _) = open(data.path());
    Arc::get_mut(&mut state).expect("nobody else has it").dirty_bytes_max = 1_000;
    state.put(1, [row(1, &"x".repeat(900))]);
    assert!(!state.is_full());
    state.put(2, [row(1, &"y".repeat(900))]);
    assert!(!state.is_full(), "a row that changes again counts once");
    state.put(3, [row(2, &"x".repeat(200))]);
    assert!(state.is_full());
    let waiting = Arc::clone(&state);
    let waiter = tokio::spawn(async move { waiting.room().await });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    let writing = Arc::clone(&state);
    tokio::task::spawn_blocking(move || checkpoint(&writing)).await.expect("written");
    waiter.await.expect("there is room again");
    assert!(!state.is_full());
}

#[test]
fn a_look_at_more_rows_than_one_takes_goes_on_and_finds_each_once() {
    let data = tempfile::tempdir().expect("a directory");
    let (state, _) = open(data.path());
    let many = SCANNED_AT_ONCE_MAX as u32 + 10;
    let key = |number: u32| [b"t".as_slice(), &number.to_be_bytes()].concat();
    // Half on disk, half in memory, and a few that are gone again.
    state.put(1, (0..many).filter(|number| number % 2 == 0).map(|number| (key(number), Value::bytes(*b"disk"))));
    state.advance(1);
    checkpoint(&state);
    state.put(2, (0..many).filter(|number| number % 2 == 1).map(|number| (key(number), Value::bytes(*b"memory"))));
    state.put(3, [0, 1, many - 1].map(|number| (key(number), Value::Gone)));
    let found = state.scan(b"t", None, usize::MAX);
    assert_eq!(found.len() as u32, many - 3);
    assert!(found.iter().zip(2..).all(|((at, _), number)| *at == key(number)), "in order, each once");
    assert_eq!(state.scan(b"t", Some(&key(5)), 3).len(), 3);
}

#[test]
fn a_state_whose_files_are_let_go_late_is_opened_as_it_is_and_not_begun_again() {
    let data = tempfile::tempdir().expect("a directory");
    let (state, _) = open(data.path());
    state.put(1, [row(1, "one")]);
    state.advance(1);
    checkpoint(&state);
    let (tell, told) = std::sync::mpsc::channel();
    let letting_go = std::thread::spawn(move || {
        tell.send(()).expect("the test waits");
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(state);
    });
    told.recv().expect("it holds the files");
    let (state, included) = open(data.path());
    letting_go.join().expect("it ended");
    assert_eq!((included, seen(&state)), (1, vec![(1, "one".to_owned())]));
}
