//! What must hold of a server on the disk that a power cut left.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::recording::{Recording, micros};
use crate::client::Client;
use crate::server::{OPERATOR, Server, printed};

/// What is wrong with a server on a disk, if anything is: it does not start, something that was answered before the moment is
/// not there or is answered otherwise, something is there that nobody asked for, or the audit finds something.
pub fn wrong(disk: &Disk<'_>, recording: &Recording, moment: i64) -> Option<String> {
    let data = tempfile::tempdir().expect("a directory");
    disk.write_to(data.path());
    let mut server = match Server::try_start_on(data) {
        Ok(server) => server,
        Err(error) => return Some(format!("it does not start: {error}")),
    };
    let lost = is_answered_as_before(&server, recording, moment);
    let wrong = lost.or_else(|| made_up(server.operator(), recording, moment));
    if wrong.is_some() {
        return wrong;
    }
    server.stop();
    let audit = server.on_data(&["audit", "verify"]);
    let clean = audit.status.success() && printed(&audit).contains("every chain whole");
    (!clean).then(|| format!("the audit: {}", printed(&audit)))
}

/// Everything that was answered before the moment is answered so again.
fn is_answered_as_before(server: &Server, recording: &Recording, moment: i64) -> Option<String> {
    std::thread::scope(|scope| {
        let asking = recording.people.iter().map(|(login, told)| {
            let role = if login == OPERATOR { "operator" } else { "member" };
            let client = server.with_role(login, role);
            scope.spawn(move || {
                let mut before = told.iter().filter(|told| micros(told.answered) < moment);
                before.find_map(|told| told.difference(&client))
            })
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().find_map(|asked| asked.join().expect("it ended")).map(|lost| format!("lost: {lost}"))
    })
}

/// A process that nobody had asked for, or that is there twice. Those within others are made by the server itself.
fn made_up(client: &Client, recording: &Recording, moment: i64) -> Option<String> {
    let asked = recording.people.iter().flat_map(|(_, told)| told).filter(|told| micros(told.sent) <= moment);
    let asked: BTreeSet<_> =
        asked.filter(|told| told.path() == "/v1/processes").filter_map(|told| told.name()).collect();
    let there = client.all("/v1/processes", 1_000);
    let mut met = BTreeSet::new();
    there.iter().filter(|process| process["parent"].is_null()).find_map(|process| {
        let name = process["name"].as_str().unwrap_or_default();
        let is_sound = asked.contains(name) && met.insert(name.to_owned());
        (!is_sound).then(|| format!("made up, or there twice: {process}"))
    })
}
