//! Backups: taken from a server under load, checked to the last bit, restored to another life of the same history.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Ask, Client};
use crate::files::below;
use crate::given::{complete, library, poll, running, seen, text, vote};
use crate::server::{Server, interlink, printed};

/// A directory for backups, and the name of one in it.
fn shelf() -> (TempDir, PathBuf) {
    let shelf = tempfile::tempdir().expect("a directory");
    let file = shelf.path().join("town.backup");
    (shelf, file)
}

fn letters(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    format!("{}{ending}", letters(file)).into()
}

/// Has a running server backed up.
#[track_caller]
fn backed_up(server: &Server, file: &Path) -> String {
    let output = server.cli(&["backup", letters(file)]);
    assert!(output.status.success(), "{}", printed(&output));
    printed(&output)
}

fn restore(file: &Path, data: &Path, more: &[&str]) -> Output {
    interlink(&[&["restore", letters(file), "--data", letters(data)], more].concat())
}

/// A server on what a backup restores to.
#[track_caller]
fn restored(file: &Path) -> Server {
    let data = tempfile::tempdir().expect("a directory");
    let output = restore(file, data.path(), &[]);
    assert!(output.status.success(), "{}", printed(&output));
    Server::start_on(data)
}

/// Has a restore refused, and sees that nothing is left of it.
#[track_caller]
fn refused(file: &Path, more: &[&str], says: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let output = restore(file, &place.path().join("data"), more);
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    assert!(printed(&output).contains(says), "it does not say {says}: {}", printed(&output));
    let left = std::fs::read_dir(place.path()).expect("it is there").count();
    assert_eq!(left, 0, "something is left behind");
}

/// Makes processes until it is told to stop, and notes those that were acknowledged: key and path.
fn write(operator: &Client, writer: usize, stop: &AtomicBool, acknowledged: &Mutex<Vec<(String, String)>>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("{writer}-{number}");
        let body = json!({"schema": "tool-library", "name": key});
        let made = operator.ask(&Ask::post("/v1/processes", &body).key(&key));
        let process = made.header("location").to_owned();
        assert_eq!(made.status, 201);
        operator.tell(&format!("{process}/start")).is(200);
        complete(operator, &process, "find-room");
        acknowledged.lock().push((key, process));
    }
}

#[test]
fn a_backup_under_load_is_restored_with_all_that_was_acknowledged_before_it_began() {
    const WRITERS: usize = 4;
    let server = library();
    let operator = server.operator().clone();
    let process = running(&operator, "With a poll");
    let poll = poll(&operator, &process, "find-room", 3);
    vote(&server.member("ana"), &poll, "Monday").is(200);
    running(&operator, "Another");
    let cursor = operator.get("/v1/processes?limit=1").is(200)["next_cursor"].clone();
    let (_shelf, file) = shelf();
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let before = std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (operator, stop, acknowledged) = (&operator, &stop, &acknowledged);
            scope.spawn(move || write(operator, writer, stop, acknowledged));
        }
        std::thread::sleep(Duration::from_millis(800));
        let before = acknowledged.lock().clone();
        let said = backed_up(&server, &file);
        stop.store(true, Ordering::Relaxed);
        assert!(said.contains("everything up to position"), "{said}");
        before
    });
    assert!(before.len() > 5, "only {} processes were acknowledged before it", before.len());
    assert!(acknowledged.lock().len() > before.len(), "nothing was written while it was taken");

    let mut again = restored(&file);
    let operator = again.operator().clone();
    for (key, process) in &before {
        assert_eq!(operator.get(process).is(200)["name"], json!(key));
        let tree = operator.get(&format!("{process}/tree")).is(200);
        assert_eq!(crate::given::tasks(&tree)[0]["status"], "completed");
        let body = json!({"schema": "tool-library", "name": key});
        let repeated = operator.ask(&Ask::post("/v1/processes", &body).key(key));
        assert_eq!((repeated.status, repeated.header("location")), (201, process.as_str()));
        assert_eq!(repeated.header("idempotent-replayed"), "true");
    }
    let old = operator.get(&format!("/v1/processes?limit=1&cursor={}", text(&cursor)));
    old.refused(400, "malformed");
    vote(&again.member("boris"), &poll, "Monday").is(200);
    let twice = vote(&again.member("ana"), &poll, "Thursday");
    assert_eq!(twice.status, 409, "the vote of before is known: {}", twice.text());
    assert_eq!(operator.get(&format!("{poll}/view")).is(200)["votes"], json!({"Monday": 2, "Thursday": 0}));
    again.audit();
}

/// Where each member's bytes are in a tar file: name, offset, length.
fn members(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let name: Vec<u8> = bytes[at..at + 100].iter().copied().take_while(|byte| *byte != 0).collect();
        let size = std::str::from_utf8(&bytes[at + 124..at + 135]).expect("octal digits");
        let size = usize::from_str_radix(size.trim(), 8).expect("octal digits");
        found.push((String::from_utf8(name).expect("letters"), at + 512, size));
        at += 512 + size.next_multiple_of(512);
    }
    found
}

#[test]
fn a_bit_that_flips_in_any_member_of_a_backup_is_named_by_the_restore() {
    let server = library();
    let process = running(server.operator(), "Kept");
    poll(server.operator(), &process, "find-room", 3);
    let (_shelf, file) = shelf();
    backed_up(&server, &file);
    let keys = beside(&file, ".keys");
    let mut flipped = 0;
    for part in [&file, &keys] {
        let sound = std::fs::read(part).expect("it is there");
        for (name, at, size) in members(&sound) {
            // In what it holds, and in its head.
            for at in [at + size / 2, at - 512 + 130] {
                let mut bytes = sound.clone();
                bytes[at] ^= 1;
                std::fs::write(part, bytes).expect("written");
                refused(&file, &[], &name);
                flipped += 1;
            }
        }
        std::fs::write(part, sound).expect("written");
    }
    assert!(flipped >= 2 * 9, "the backup had {flipped} places only");
    let again = restored(&file);
    assert_eq!(seen(again.operator(), &process), seen(server.operator(), &process));
}

#[test]
fn a_backup_that_is_not_whole_is_refused_wherever_it_was_cut() {
    let server = library();
    let (_shelf, file) = shelf();
    backed_up(&server, &file);
    for part in [file.clone(), beside(&file, ".keys")] {
        let sound = std::fs::read(&part).expect("it is there");
        let last = members(&sound).pop().map(|(_, at, size)| at + size).expect("a member");
        for length in [0, 1, 511, 700, sound.len() / 2, last - 1, sound.len() - 512, sound.len() - 1] {
            std::fs::write(&part, &sound[..length]).expect("written");
            refused(&file, &[], "is not whole");
        }
        std::fs::write(&part, [&sound[..], b"more"].concat()).expect("written");
        refused(&file, &[], "is not whole");
        std::fs::write(&part, sound).expect("written");
    }
    restored(&file);
}

#[test]
fn keys_belong_to_their_backup_and_nothing_is_restored_without_them() {
    let server = library();
    let (shelf, file) = shelf();
    let other = shelf.path().join("other.backup");
    backed_up(&server, &file);
    running(server.operator(), "Since then");
    backed_up(&server, &other);
    let (keys, other_keys) = (beside(&file, ".keys"), beside(&other, ".keys"));
    refused(&file, &["--keys", letters(&other_keys)], "the keys of another backup");
    refused(&file, &["--keys", letters(&file)], "it is the data of a backup, not the keys");
    refused(&keys, &["--keys", letters(&keys)], "it is the keys of a backup, not the data");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&keys).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600, "others may read the keys");
    let kept = shelf.path().join("elsewhere");
    std::fs::rename(&keys, &kept).expect("moved");
    refused(&file, &[], "without its keys nothing that people wrote in a backup can be read");
    let (data, ledger) = (shelf.path().join("data"), shelf.path().join("erased"));
    let more = ["--keys", letters(&kept), "--erasures", letters(&ledger)];
    refused(&file, &more, letters(&ledger));
    // The key of whoever was first.
    std::fs::write(&ledger, "1\n").expect("written");
    let output = restore(&file, &data, &more);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(printed(&output).contains("1 keys erased again"), "{}", printed(&output));
    assert_eq!(std::fs::read_to_string(data.join("keys/erased")).expect("it goes on"), "1\n");
}

#[test]
fn a_restore_is_made_into_nothing_but_an_empty_directory() {
    let mut server = library();
    let (shelf, file) = shelf();
    backed_up(&server, &file);
    let tree = |place: &Path| below(place).into_iter().map(|path| (std::fs::read(&path).expect("read"), path));
    let output = restore(&file, server.data(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("in use by another interlink"), "{}", printed(&output));
    server.stop();
    let before: Vec<_> = tree(server.data()).collect();
    let output = restore(&file, server.data(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("is not empty"), "{}", printed(&output));
    assert!(before.into_iter().eq(tree(server.data())), "it touched the directory");
    let unfinished = shelf.path().join("data.part");
    std::fs::create_dir(&unfinished).expect("made");
    let output = restore(&file, &shelf.path().join("data"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("data.part"), "{}", printed(&output));
    assert!(unfinished.exists(), "what another restore works in is not this one's to remove");
}

#[test]
fn a_backup_is_never_written_over_and_leaves_nothing_where_it_fails() {
    let mut server = library();
    let (shelf, file) = shelf();
    backed_up(&server, &file);
    let before = std::fs::read(&file).expect("it is there");
    for there in [file.clone(), beside(&file, ".keys")] {
        let output = server.cli(&["backup", letters(&file)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(printed(&output).contains(letters(&there)), "{}", printed(&output));
        assert_eq!(std::fs::read(&file).ok().unwrap_or_else(|| before.clone()), before);
        std::fs::remove_file(there).expect("it was there");
    }
    server.stop();
    let output = server.cli(&["backup", letters(&file)]);
    assert_eq!(output.status.code(), Some(1), "nobody is there to be asked");
    assert_eq!(std::fs::read_dir(shelf.path()).expect("there").count(), 0, "something is left behind");
}

#[test]
fn a_directory_that_no_server_has_is_backed_up_by_itself() {
    let mut server = library();
    let process = running(server.operator(), "At rest");
    let before = seen(server.operator(), &process);
    let (_shelf, file) = shelf();
    let output = server.on_data(&["backup", letters(&file)]);
    assert_eq!(output.status.code(), Some(1), "the server has it");
    assert!(printed(&output).contains("in use by another interlink"), "{}", printed(&output));
    server.kill();
    let output = server.on_data(&["--output", "json", "backup", letters(&file)]);
    assert!(output.status.success(), "{}", printed(&output));
    let said: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let written = std::fs::metadata(&file).expect("there").len();
    assert_eq!(said["bytes"], json!(written));
    let again = restored(&file);
    assert_eq!(seen(again.operator(), &process), before);
    let nothing = tempfile::tempdir().expect("a directory");
    let output = interlink(&["backup", letters(&beside(&file, "2")), "--data", letters(nothing.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("holds no journal"), "{}", printed(&output));
}

#[test]
fn backups_are_the_operators_and_not_too_many_at_once() {
    let server = library();
    // More than any buffer between the two holds: a backup that nobody reads stays under way.
    std::fs::write(server.place("schemas/filler.json"), vec![b' '; 48 << 20]).expect("written");
    for path in ["/v1/backup", "/v1/backup/keys?backup=0"] {
        server.nobody().get(path).refused(401, "unauthorized");
    }
    let of = "0".repeat(64);
    for path in ["/v1/backup", &format!("/v1/backup/keys?backup={of}")] {
        server.member("ana").get(path).refused(403, "forbidden");
    }
    for path in ["/v1/backup/keys", "/v1/backup/keys?backup=", "/v1/backup/keys?backup=xyz"] {
        server.operator().get(path).refused(400, "malformed");
    }
    let ask = || {
        let mut stream = std::net::TcpStream::connect(server.socket()).expect("connected");
        let token = server.operator().token();
        let request = format!("GET /v1/backup HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
        let mut first = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut first).expect("answered");
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let under_way = [ask(), ask()];
    let third = server.operator().get("/v1/backup");
    third.refused(429, "busy");
    assert!(!third.header("retry-after").is_empty());
    drop(under_way);
    let (_shelf, file) = shelf();
    let mut tries = 0;
    while !server.cli(&["backup", letters(&file)]).status.success() {
        tries += 1;
        assert!(tries < 50, "places of backups that were given up are not free again");
        std::thread::sleep(Duration::from_millis(100));
    }
}
