//! What a million streams of two records cost: the start, the memory, a look at a stream's head.
//!
//! `cargo run --release -p interlink-journal --example million -- DIRECTORY` fills the directory where it is new, then
//! opens it in a process of its own and says what that took.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use interlink_journal::{Append, Body, FileJournal, Journal, NewRecord, RecordKind, Stream};

/// How many streams there are.
const STREAMS: u64 = 1_000_000;
/// Records of one append, and appends under way: enough that the disk is not waited for.
const APPEND_RECORDS: u64 = 500;
const UNDER_WAY: usize = 64;
/// A body as an event has it.
const BODY_BYTES: usize = 200;
/// Looks at heads, and appends of one record, that are measured.
const LOOKS: u64 = 100_000;

type Anything = Result<(), Box<dyn std::error::Error>>;

fn main() -> Anything {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [place] => {
            if !Path::new(place).join("journal").exists() {
                std::fs::create_dir_all(place)?;
                fill(Path::new(place))?;
            }
            Command::new(std::env::current_exe()?).args([place, "open"]).status()?;
            Ok(())
        }
        [place, "open"] => open(Path::new(place)),
        _ => Err("one directory is wanted".into()),
    }
}

/// Stream number `number`: in an order that has nothing to do with the order of their ids.
fn stream(number: u64) -> Stream {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    Stream { kind: b'p', id }
}

fn fill(place: &Path) -> Anything {
    let journal = FileJournal::open(place)?;
    let begun = Instant::now();
    let (tell, told) = mpsc::channel();
    let mut under_way = 0;
    let body = Body::new(vec![7; BODY_BYTES]);
    for version in 0..2 {
        for first in (0..STREAMS).step_by(APPEND_RECORDS as usize) {
            let records = (first..first + APPEND_RECORDS).map(|number| NewRecord {
                stream: stream(number),
                version,
                process: [1; 16],
                kind: RecordKind::Event,
                key: 1,
                body: body.clone(),
            });
            let tell = tell.clone();
            let append = Append { records: records.collect(), at_us: 1 };
            journal.submit(append, Box::new(move |fate| drop(tell.send(fate))));
            under_way += 1;
            if under_way == UNDER_WAY {
                told.recv()??;
                under_way -= 1;
            }
        }
    }
    for _ in 0..under_way {
        told.recv()??;
    }
    println!("written in {:.1} s, then {} MB resident", begun.elapsed().as_secs_f64(), resident_bytes()? >> 20);
    append_each(&journal, "a new stream", |number| (Stream { kind: b'n', ..stream(number) }, 0))?;
    append_each(&journal, "an old stream", |number| (stream(number * 7 % STREAMS), 2))?;
    journal.close();
    Ok(())
}

/// Appends of one record, a number of them under way.
fn append_each(journal: &FileJournal, what: &str, which: impl Fn(u64) -> (Stream, u64)) -> Anything {
    let begun = Instant::now();
    let (tell, told) = mpsc::channel();
    let body = Body::new(vec![7; BODY_BYTES]);
    for number in 0..LOOKS {
        let (stream, version) = which(number);
        let (process, kind, key, body) = ([1; 16], RecordKind::Event, 1, body.clone());
        let records = vec![NewRecord { stream, version, process, kind, key, body }];
        let tell = tell.clone();
        journal.submit(Append { records, at_us: 1 }, Box::new(move |fate| drop(tell.send(fate))));
        if number >= UNDER_WAY as u64 {
            told.recv()??;
        }
    }
    for _ in 0..UNDER_WAY {
        told.recv()??;
    }
    println!("an append to {what}: {:.1} us", begun.elapsed().as_secs_f64() * 1e6 / LOOKS as f64);
    Ok(())
}

fn open(place: &Path) -> Anything {
    let before = resident_bytes()?;
    let begun = Instant::now();
    let journal = FileJournal::open(place)?;
    let took = begun.elapsed();
    println!("opened in {:.3} s, {:.1} MB more resident", took.as_secs_f64(), grown(before)?);
    std::thread::sleep(Duration::from_secs(10));
    println!("ten seconds later {:.1} MB more resident", grown(before)?);
    let begun = Instant::now();
    let count = journal.stream_count(b'p');
    println!("{count} streams, counted in {:.3} ms", begun.elapsed().as_secs_f64() * 1e3);
    look(&journal, "there", |look| stream(look.wrapping_mul(7_919) % STREAMS), true)?;
    look(&journal, "not there", |look| stream(STREAMS + look), false)?;
    println!("after that {:.1} MB more resident", grown(before)?);
    Ok(())
}

fn look(journal: &FileJournal, what: &str, which: impl Fn(u64) -> Stream, there: bool) -> Anything {
    let begun = Instant::now();
    let found = (0..LOOKS).filter(|look| journal.head(&which(*look)).expect("readable").is_some()).count() as u64;
    let each_us = begun.elapsed().as_secs_f64() * 1e6 / LOOKS as f64;
    println!("a head that is {what}: {each_us:.2} us");
    if found == if there { LOOKS } else { 0 } { Ok(()) } else { Err(format!("{found} of {LOOKS} found").into()) }
}

fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm has a second column")?.parse()?;
    Ok(pages * 4096)
}

fn grown(before: u64) -> Result<f64, Box<dyn std::error::Error>> {
    Ok(resident_bytes()?.saturating_sub(before) as f64 / f64::from(1 << 20))
}
