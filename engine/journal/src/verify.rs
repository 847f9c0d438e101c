//! Walking everything, from outside a server: both chains, every checksum, every hash.

use std::collections::HashMap;
use std::path::Path;

use crate::format::{BatchHead, HeaderFault, RecordHead, sha256};
use crate::open::{first_of, lacks_batches, segment_names};
use crate::recovery::{self, Chain, Damage, DamageKind, Visit};
use crate::segment::io;
use crate::{Head, OpenError, Stream};

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
    /// Files with an end that was never acknowledged: the next start cuts it off.
    pub torn: Vec<String>,
}

/// Walks the journal of a data directory that nobody has open, and changes nothing.
pub fn verify(data: &Path) -> Result<Report, OpenError> {
    let directory = data.join("journal");
    let mut audit = Audit { report: Report::default(), heads: HashMap::new(), file: String::new() };
    let mut chain = Chain::default();
    let names = segment_names(&directory)?;
    for (number, name) in names.iter().enumerate() {
        let until = names.get(number + 1).and_then(|next| first_of(next));
        let bytes = std::fs::read(directory.join(name)).map_err(io(format!("reading journal/{name}")))?;
        audit.file = format!("journal/{name}");
        audit.report.segments += 1;
        let header = match recovery::header(&bytes) {
            Ok((header, damaged)) => {
                if damaged {
                    audit.damage(0, DamageKind::Header);
                }
                header
            }
            Err(HeaderFault::Version(found)) => return Err(OpenError::Format { file: audit.file, found }),
            Err(HeaderFault::Invalid) => {
                audit.damage(0, DamageKind::Header);
                continue;
            }
        };
        if header.first != chain.next || header.previous_batch != chain.batch {
            audit.damage(0, DamageKind::Chain);
        }
        let walked = recovery::walk(&bytes, &header, until, &mut audit);
        if lacks_batches(&walked, until) {
            audit.damage(walked.end, DamageKind::Batch);
        } else if walked.torn {
            audit.report.torn.push(audit.file.clone());
        }
        chain = walked.chain;
    }
    audit.report.streams = audit.heads.len() as u64;
    Ok(audit.report)
}

struct Audit {
    report: Report,
    heads: HashMap<Stream, Head>,
    file: String,
}

impl Visit for Audit {
    fn batch(&mut self, _offset: u64, _head: &BatchHead) {
        self.report.batches += 1;
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, body: Option<&[u8]>) {
        self.report.records += 1;
        let known = self.heads.get(&head.stream).copied();
        let follows = head.version == known.map_or(0, |known| known.version + 1)
            && head.previous == known.map(|known| known.position)
            && head.previous_hash == known.map(|known| known.hash).unwrap_or_default();
        if !follows {
            let version = known.map_or(0, |known| known.version + 1);
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
