//! Walking everything, from outside a server: both chains, every checksum, every hash.

use std::collections::HashMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, OpenFile, RealDisk};
use crate::format::{BatchHead, HeaderFault, RecordHead, Seal, sha256};
use crate::heal::is_behind;
use crate::index::table::{About, Fault, Table};
use crate::open::{first_of, segment_names};
use crate::recovery::{self, Chain, Damage, DamageKind, Visit};
use crate::segment::io;
use crate::{Head, OpenError, Position, Stream};

/// What a walk through a journal found.
#[derive(Debug, Default)]
pub struct Report {
    /// Segments read.
    pub segments: u64,
    /// Batches whose frame is sound.
    pub batches: u64,
    /// Records whose head is sound.
    pub records: u64,
    /// Streams met.
    pub streams: u64,
    /// Everything that is damaged.
    pub damage: Vec<Damage>,
    /// Files with an end that was never acknowledged, or a footer that is damaged or was not finished: the next start cuts
    /// the one off, and the other is made again.
    pub torn: Vec<String>,
}

/// Walks the journal of a data directory that nobody has open, and changes nothing.
pub fn verify(data: &Path) -> Result<Report, OpenError> {
    let directory = data.join("journal");
    let mut audit =
        Audit { report: Report::default(), heads: HashMap::new(), chain: Chain::default(), file: String::new() };
    let names = segment_names(&directory)?;
    for (number, name) in names.iter().enumerate() {
        audit.segment(&directory, name, names.get(number + 1).and_then(|next| first_of(next)))?;
    }
    audit.report.streams = audit.heads.len() as u64;
    Ok(audit.report)
}

struct Audit {
    report: Report,
    heads: HashMap<Stream, Head>,
    chain: Chain,
    file: String,
}

impl Audit {
    /// Walks one segment; `until` is where the next one begins.
    fn segment(&mut self, directory: &Path, name: &str, until: Option<Position>) -> Result<(), OpenError> {
        let reading = || io(format!("reading journal/{name}"));
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let file = OpenFile::open(&directory.join(name), &disk).map_err(reading())?;
        let mut bytes = file.len().and_then(|length| file.read(0, length)).map_err(reading())?;
        self.file = format!("journal/{name}");
        self.report.segments += 1;
        let header = match recovery::header(&bytes) {
            Ok((header, damaged)) => {
                if damaged {
                    self.damage(0, DamageKind::Header);
                }
                header
            }
            Err(HeaderFault::Version(found)) => return Err(OpenError::Format { file: self.file.clone(), found }),
            Err(HeaderFault::Invalid) => {
                self.damage(0, DamageKind::Header);
                return Ok(());
            }
        };
        if header.first != self.chain.next || header.previous_batch != self.chain.batch {
            self.damage(0, DamageKind::Chain);
        }
        let footer = Fault::unless_invalid(About::read(&file, header.seal())).map_err(reading())?;
        if let Some(about) = &footer {
            bytes.truncate(about.base as usize);
        }
        let walked = recovery::walk(&bytes, &header, until, self);
        self.chain = walked.chain;
        let held = footer.map(|about| Fault::unless_invalid(self.footer(file, header.seal(), about)));
        let sound = held.transpose().map_err(reading())?.is_none_or(|held| held.is_some());
        if walked.torn || !sound {
            self.report.torn.push(self.file.clone());
        }
        Ok(())
    }

    /// Holds a footer against the records that were found: a last record that is lost is known from it alone.
    fn footer(&mut self, file: Arc<OpenFile>, seal: Seal, about: About) -> Result<(), Fault> {
        about.read_places(&file, seal)?;
        let table = Table::load(file, seal, about)?;
        for row in table.from(Bound::Unbounded) {
            let (stream, entry) = row?;
            if self.heads.get(&stream).is_none_or(|found| is_behind(found, &entry)) {
                self.damage(entry.offset, DamageKind::Gap { stream, version: entry.head.version });
                self.heads.insert(stream, entry.head);
            }
        }
        Ok(())
    }
}

impl Visit for Audit {
    fn batch(&mut self, _offset: u64, _head: &BatchHead) {
        self.report.batches += 1;
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, body: Option<&[u8]>) {
        self.report.records += 1;
        let known = self.heads.get(&head.stream).copied();
        let version = known.map_or(0, |known| known.version.saturating_add(1));
        let follows = head.version == version
            && head.previous == known.map(|known| known.position)
            && head.previous_hash == known.map(|known| known.hash).unwrap_or_default();
        if !follows {
            self.damage(offset, DamageKind::Gap { stream: head.stream, version });
        }
        if body.is_some_and(|body| sha256(&[body]) != head.body_hash) {
            self.damage(offset, DamageKind::Body { stream: head.stream, version: head.version });
        }
        let hash = RecordHead::hash(encoded);
        self.heads.insert(head.stream, Head { version: head.version, position: head.position, hash });
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        self.report.damage.push(Damage { file: self.file.clone(), offset, kind });
    }
}
