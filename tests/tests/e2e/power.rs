//! Power cuts of the real server. Its writes and syncs are recorded under a mixed load; then the disk is built as it could be
//! when the power goes at a moment, and a server is started on it. After the method of ALICE (Pillai et al., OSDI 2014).
//!
//! `POWER_IMAGES=200 cargo test -p interlink-tests a_power_cut -- --nocapture` looks at so many disks and prints what it saw.

mod dice;
mod disk;
mod held;
mod recording;
mod text;
mod trace;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use self::dice::Dice;
use self::disk::{Disk, Fate, Files};
use self::recording::{BACKUP, Recording, record};
use crate::server::{interlink, printed};

/// Disks of a run where `POWER_IMAGES` does not say otherwise.
const IMAGES: u64 = 12;
/// How far from what is looked for the power goes, in microseconds.
const NEAR_US: u64 = 40_000;
/// Disks of a backup's directory that are looked at: no server is started on them.
const BACKUP_IMAGES: u64 = 120;
/// Half of them are from the last so many operations, when the files get their names.
const NAMING_OPS: usize = 12;

/// The recording, which takes longest and is made once.
fn recorded() -> Option<&'static Recording> {
    static RECORDING: OnceLock<Option<Recording>> = OnceLock::new();
    let made = RECORDING.get_or_init(|| match trace::refusal() {
        Some(refusal) => {
            eprintln!("skipped: power cuts of the real server need strace: {refusal}");
            None
        }
        None => Some(record()),
    });
    made.as_ref()
}

/// When the power goes: by turns near a change of segment, near a checkpoint of the state, while the backup is taken, and at
/// any time.
fn moment(recording: &Recording, image: u64, dice: &mut Dice) -> i64 {
    let (from, to) = recording.answered();
    let mut one_of = |moments: &[i64]| moments[usize::try_from(dice.below(moments.len() as u64)).expect("one of them")];
    let between =
        |from: i64, to: i64, dice: &mut Dice| from + dice.below((to - from).unsigned_abs().max(1)).cast_signed();
    match image % 4 {
        0 => {
            let near = one_of(&recording.changes_of_segment()) - NEAR_US.cast_signed() / 2;
            near + dice.below(NEAR_US).cast_signed()
        }
        1 => {
            let near = one_of(&recording.checkpoints()) - NEAR_US.cast_signed() / 2;
            near + dice.below(NEAR_US).cast_signed()
        }
        2 => {
            let ops = &recording.backup;
            between(ops.first().map_or(from, |op| op.entered), ops.last().map_or(to, |op| op.left), dice)
        }
        _ => between(from, to, dice),
    }
}

fn fate(image: u64) -> Fate {
    [Fate::Torn, Fate::Nothing, Fate::Some, Fate::Everything][usize::try_from(image / 4 % 4).expect("one of four")]
}

/// What is wrong after a cut, if anything is.
fn cut(recording: &Recording, image: u64, syncs_count: bool) -> Option<String> {
    let mut dice = Dice(image);
    let moment = moment(recording, image, &mut dice);
    let mut disk = Disk::at(moment, &recording.first, &recording.ops, syncs_count);
    let fate = fate(image);
    disk.settle(fate, &mut dice);
    let since = moment - recording.answered().0;
    held::wrong(&disk, recording, moment).map(|wrong| format!("image {image}, {fate:?} at {since} us: {wrong}"))
}

#[test]
fn after_a_power_cut_the_server_has_all_that_was_answered_and_without_its_syncs_it_has_not() {
    let begun = Instant::now();
    let Some(recording) = recorded() else { return };
    let (segments, checkpoints) = (recording.changes_of_segment().len(), recording.checkpoints().len());
    assert!(segments > 0 && checkpoints > 0, "{segments} changes of segment, {checkpoints} checkpoints of the state");
    let images =
        std::env::var("POWER_IMAGES").map_or(IMAGES, |images| images.parse().expect("POWER_IMAGES is a number"));
    let recorded = begun.elapsed();
    let wrong: Vec<_> = (0..images).filter_map(|image| cut(recording, image, true)).collect();
    println!(
        "{images} disks of {} operations and {} commands, over {segments} changes of segment and {checkpoints} checkpoints; \
         recorded in {:.0} s, in all {:.0} s",
        recording.ops.len(),
        recording.people.iter().map(|(_, told)| told.len()).sum::<usize>(),
        recorded.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
    );
    assert!(wrong.is_empty(), "{} of {images}: {wrong:#?}", wrong.len());
    let lost = (0..images).find_map(|image| cut(recording, image, false).filter(|wrong| wrong.contains("lost: ")));
    assert!(lost.is_some(), "without syncs nothing is lost: this test shows nothing");
}

/// A directory of backups as a power cut during or after the backup leaves it.
fn shelf<'r>(recording: &'r Recording, nothing: &'r Files, image: u64, syncs_count: bool) -> (bool, Disk<'r>) {
    let mut dice = Dice(image);
    let ops = &recording.backup;
    let from = if image.is_multiple_of(2) { ops.len().saturating_sub(NAMING_OPS) } else { 0 };
    let picked = &ops[from + usize::try_from(dice.below((ops.len() - from) as u64)).expect("one of them")];
    // A moment before it is left and one after.
    let moment = if dice.below(2) == 0 { picked.entered } else { picked.left + 1 };
    let mut disk = Disk::at(moment, nothing, ops, syncs_count);
    disk.settle(fate(image), &mut dice);
    (ops.iter().all(|op| op.left < moment), disk)
}

/// What is wrong with a backup's files, if anything is: data that have their name are whole, and so are the keys to them.
fn unsound(disk: &Disk<'_>, whole: &Disk<'_>) -> Option<String> {
    let data = disk.read(Path::new(BACKUP))?;
    let keys = Path::new(BACKUP).with_extension("backup.keys");
    let is_whole = Some(data) == whole.read(Path::new(BACKUP));
    let has_keys = disk.read(&keys).is_some() && disk.read(&keys) == whole.read(&keys);
    (!is_whole || !has_keys).then(|| format!("data whole: {is_whole}, keys whole: {has_keys}"))
}

#[test]
fn a_backup_that_has_its_name_after_a_power_cut_is_whole_and_once_it_is_told_it_has_it() {
    let Some(recording) = recorded() else { return };
    let nothing = Files::new();
    let mut whole = Disk::at(i64::MAX, &nothing, &recording.backup, true);
    whole.settle(Fate::Everything, &mut Dice(0));
    let (mut named, mut unnamed) = (0, 0);
    for image in 0..BACKUP_IMAGES {
        let (told, disk) = shelf(recording, &nothing, image, true);
        assert_eq!(unsound(&disk, &whole), None, "image {image}");
        let has_name = disk.read(Path::new(BACKUP)).is_some();
        assert!(has_name || !told, "image {image}: it was told to be there");
        *if has_name { &mut named } else { &mut unnamed } += 1;
        if has_name && named == 1 {
            is_restored(&disk);
        }
    }
    assert!(named > 0 && unnamed > 0, "{named} of the disks have a backup, {unnamed} have none");
    let mut without_syncs = (0..BACKUP_IMAGES).map(|image| shelf(recording, &nothing, image, false).1);
    assert!(
        without_syncs.any(|disk| unsound(&disk, &whole).is_some()),
        "without syncs all are whole: this shows nothing"
    );
}

fn is_restored(disk: &Disk<'_>) {
    let place = tempfile::tempdir().expect("a directory");
    disk.write_to(place.path());
    let (file, data) = (place.path().join(BACKUP), place.path().join("data"));
    let output = interlink(&["restore".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()]);
    assert!(output.status.success(), "{}", printed(&output));
}
