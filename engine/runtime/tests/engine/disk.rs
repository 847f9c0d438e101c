//! A disk that is full, or fails: what was acknowledged is there, reads go on, and so does everything once there is room.

use std::time::{Duration, Instant};

use interlink_journal::faults::{Fault, FaultyDisk, Operation};

use super::*;

pub fn options(ambient: &Arc<Given>, disk: &Arc<FaultyDisk>) -> Options {
    let ambient: Arc<dyn Ambient> = Arc::<Given>::clone(ambient);
    let disk: Arc<dyn interlink_journal::Disk> = Arc::<FaultyDisk>::clone(disk);
    let segment_bytes = interlink_journal::SEGMENT_BYTES_MIN;
    let journal = interlink_journal::Options { segment_bytes, retry_pause: Duration::from_millis(20), disk };
    Options { ambient, journal, ..Options::default() }
}

fn on(data: &Path, ambient: &Arc<Given>, disk: &Arc<FaultyDisk>) -> Engine {
    Engine::open(data, options(ambient, disk), &mut |_| {}).expect("opens")
}

pub async fn recovered(engine: &Engine) {
    let begun = Instant::now();
    while engine.read_only().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it stays read-only: {:?}", engine.read_only());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An engine on a disk that may fail, and a process that Ana has started there.
async fn started_on(data: &Path, ambient: &Arc<Given>, disk: &Arc<FaultyDisk>) -> (Engine, Caller, ProcessId) {
    let engine = on(data, ambient, disk);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, id, Command::Start).await.expect("started");
    (engine, ana, id)
}

#[tokio::test]
async fn a_full_disk_refuses_commands_shows_everything_and_takes_commands_again_when_there_is_room() {
    let data = tempfile::tempdir().expect("a directory");
    let (ambient, disk) = (given(), Arc::new(FaultyDisk::default()));
    let (engine, ana, id) = started_on(data.path(), &ambient, &disk).await;
    for (operation, fault) in [
        (Operation::Write, Fault::NoSpace),
        (Operation::Write, Fault::Io),
        (Operation::SyncData, Fault::Io),
        (Operation::SyncData, Fault::SyncLoses),
    ] {
        disk.fail_always(operation, fault);
        let refused = run(&engine, &ana, id, Command::Claim("a".into())).await;
        assert!(matches!(refused, Err(Trouble::Unknown(_))), "{operation:?} {fault:?}: {refused:?}");
        assert!(matches!(engine.room().await, Err(Trouble::ReadOnly(_))), "{operation:?} {fault:?}");
        let shown = engine.process(id).expect("reads go on").process;
        assert_eq!(shown.task_status(0).as_str(), "ready", "what was not acknowledged is not shown");
        disk.repair();
        recovered(&engine).await;
        run(&engine, &ana, id, Command::Claim("a".into())).await.expect("taken again, without a restart");
        run(&engine, &ana, id, Command::Release("a".into())).await.expect("and again");
    }
    let version = engine.process(id).expect("there").process.version;
    drop(engine);
    let engine = on(data.path(), &ambient, &disk);
    assert_eq!(engine.process(id).expect("there").process.version, version, "all that was acknowledged, and no more");
}

#[tokio::test]
async fn many_commands_at_once_over_a_failing_disk_are_each_done_once_or_not_at_all() {
    let data = tempfile::tempdir().expect("a directory");
    let (ambient, disk) = (given(), Arc::new(FaultyDisk::default()));
    let engine = Arc::new(on(data.path(), &ambient, &disk));
    let ana = caller(&engine, "ana").await;
    process(&engine, &ana, Permit::default()).await;
    let mut made = 0;
    for round in 0..20 {
        let asking: Vec<_> = (0..16)
            .map(|number| {
                let (engine, ana) = (Arc::clone(&engine), ana.clone());
                tokio::spawn(async move {
                    let key = format!("{round}-{number}");
                    // Repeated until it is known, as a client does.
                    for _ in 0..2_000 {
                        let request = Request { method: "POST", path: "/v1/processes", key: &key, body: b"{}" };
                        match engine.enter(&ana, request).await {
                            Ok(Entry::Answered(_)) => return,
                            Ok(Entry::New(permit)) => {
                                let schema = engine.schema("fair").expect("there");
                                let new = NewProcess { name: key.clone(), ..NewProcess::default() };
                                let made = engine.create_process(&ana, &schema, new, |_, _| answer(201), permit).await;
                                if made.is_ok() {
                                    return;
                                }
                            }
                            _ => {}
                        }
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    panic!("{key} was never answered");
                })
            })
            .collect();
        disk.fail_next(
            [Operation::Write, Operation::SyncData][round % 2],
            [Fault::Io, Fault::SyncLoses, Fault::Short][round % 3],
        );
        for asked in asking {
            asked.await.expect("answered");
        }
        disk.repair();
        made += 16;
    }
    recovered(&engine).await;
    assert_eq!(engine.size().0, made + 1);
    drop(engine);
    assert_eq!(on(data.path(), &ambient, &disk).size().0, made + 1);
    let audit = interlink_runtime::audit::verify(data.path());
    assert!(audit.is_ok(), "{:?}", audit.err().map(|error| error.to_string()));
}

#[tokio::test]
async fn a_server_starts_where_not_even_a_new_segment_fits_and_goes_on_when_it_does() {
    let data = tempfile::tempdir().expect("a directory");
    let (ambient, disk) = (given(), Arc::new(FaultyDisk::default()));
    let engine = on(data.path(), &ambient, &disk);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    drop(engine);
    // The segment that was made ahead would fit.
    let prepared = data.path().join("journal/prepared");
    if prepared.exists() {
        std::fs::remove_file(prepared).expect("removed");
    }
    disk.fail_always(Operation::Preallocate, Fault::NoSpace);
    let engine = on(data.path(), &ambient, &disk);
    assert!(engine.read_only().is_some());
    assert_eq!(engine.process(id).expect("reads go on").name.as_deref(), Some("Fair"));
    disk.repair();
    recovered(&engine).await;
    let ana = caller(&engine, "ana").await;
    run(&engine, &ana, id, Command::Start).await.expect("taken");
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_said_to_be_so_costs_nothing_for_good_and_a_start_refuses() {
    let data = tempfile::tempdir().expect("a directory");
    let (ambient, disk) = (given(), Arc::new(FaultyDisk::default()));
    let (engine, ana, id) = started_on(data.path(), &ambient, &disk).await;
    engine.close();
    drop(engine);
    // The segment of the first life gets its footer, and is read by the next one as it is wanted.
    on(data.path(), &ambient, &disk).close();
    let engine = on(data.path(), &ambient, &disk);
    disk.fail_always(Operation::Read, Fault::Io);
    for _ in 0..2 {
        assert!(matches!(engine.process(id), Err(Trouble::Unread(_))), "{:?}", engine.process(id).err());
        assert!(matches!(engine.events(id, 0, 10), Err(Trouble::Unread(_))));
        assert!(matches!(engine.process_ids(None, 10), Err(Trouble::Unread(_))));
        let refused = run(&engine, &ana, id, Command::Claim("a".into())).await;
        assert!(matches!(refused, Err(Trouble::Unread(_))), "{refused:?}");
        let request = Request { method: "POST", path: "/v1/processes", key: "k", body: b"{}" };
        assert!(
            engine.enter(&ana, request).await.is_ok(),
            "a key that is new is new, and nobody waits for it for ever"
        );
    }
    disk.repair();
    assert_eq!(
        engine.events(id, 0, 10).expect("readable").len() as u64,
        engine.process(id).expect("there").process.version + 1
    );
    run(&engine, &ana, id, Command::Claim("a".into())).await.expect("taken");
    assert_eq!(engine.process_ids(None, 10).expect("readable"), [id]);
    drop(engine);
    // A state that lacks what could not be read would pass for one that has it: at each reading that fails it refuses.
    std::fs::remove_dir_all(data.path().join("state")).expect("it was there");
    for passing in 0.. {
        let disk = Arc::new(FaultyDisk::default());
        (0..passing).for_each(|_| disk.pass_next(Operation::Read));
        disk.fail_next(Operation::Read, Fault::Io);
        match Engine::open(data.path(), options(&ambient, &disk), &mut |_| {}) {
            Err(refused) => assert!(refused.to_string().contains("journal/"), "reading {passing}: {refused}"),
            Ok(engine) => {
                assert!(passing > 10, "it opened although its reading {passing} failed");
                assert_eq!(engine.process(id).expect("there").process.version, 2);
                break;
            }
        }
    }
    assert_eq!(on(data.path(), &ambient, &disk).process(id).expect("there").process.version, 2);
}

/// Where the head of the last record of a process's own stream stands in a segment (`docs/journal-format.md`).
fn last_head(segment: &[u8], id: ProcessId) -> usize {
    let is_head = |at: &usize| segment[at + 32] == b'p' && segment[at + 40..at + 56] == id.bytes();
    (0..segment.len() - 160).step_by(8).rfind(is_head).expect("a record")
}

#[tokio::test]
async fn a_process_whose_last_event_was_lost_to_a_flipped_bit_does_not_go_on_as_if_it_had_not_been() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, id, Command::Start).await.expect("started");
    let other = process(&engine, &ana, Permit::default()).await;
    engine.close();
    drop(engine);
    let journal = std::fs::read_dir(data.path().join("journal")).expect("a journal");
    let mut segments: Vec<_> = journal.map(|entry| entry.expect("listed").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    let segment = segments.into_iter().max().expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    let at = last_head(&bytes, id);
    bytes[at + 10] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let engine = open(data.path(), &ambient);
    assert!(matches!(engine.process(id), Err(Trouble::Damaged { what: "process", .. })));
    let told = run(&engine, &ana, id, Command::Suspend).await;
    assert!(matches!(told, Err(Trouble::Damaged { .. })), "{told:?}");
    run(&engine, &ana, other, Command::Start).await.expect("the other goes on");
}
