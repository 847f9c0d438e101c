//! What a start finds: segments in order, where streams end, what is damaged, what was torn off.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::format::{BatchHead, DATA_OFFSET, HeaderFault, RecordHead, SegmentHeader};
use crate::recovery::{self, Chain, Damage, DamageKind, Visit, Walked};
use crate::segment::{Segment, index_batch, io};
use crate::succession::Cut;
use crate::{Head, OpenError, Position, Stream};

/// The names of the segments in a directory, in order.
pub(crate) fn segment_names(directory: &Path) -> Result<Vec<String>, OpenError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io("listing journal/"))? {
        let entry = entry.map_err(io("listing journal/"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".segment") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The position with which a segment's name says that it begins.
pub(crate) fn first_of(name: &str) -> Option<Position> {
    name.strip_suffix(".segment")?.split_once('-')?.1.parse().ok()
}

/// What opening has found so far.
#[derive(Default)]
pub(crate) struct Found {
    pub segments: Vec<Arc<Segment>>,
    pub heads: BTreeMap<Stream, Head>,
    pub damage: Vec<Damage>,
    /// The header of the last segment.
    pub header: Option<SegmentHeader>,
    pub chain: Chain,
    pub highest_key: u64,
    /// What was never acknowledged, or is only zeros.
    pub cuts: Vec<Cut>,
}

impl Found {
    /// Reads all segments of `journal/`, and changes nothing.
    pub fn read(directory: &Path) -> Result<Self, OpenError> {
        let mut found = Self::default();
        let names = segment_names(directory)?;
        for (number, name) in names.iter().enumerate() {
            found.segment(directory, name, names.get(number + 1).and_then(|next| first_of(next)))?;
        }
        Ok(found)
    }

    /// Reads one segment, and adds what it holds. `until` is where the next one begins.
    fn segment(&mut self, directory: &Path, name: &str, until: Option<Position>) -> Result<(), OpenError> {
        let path = directory.join(name);
        let bytes = std::fs::read(&path).map_err(io(format!("reading journal/{name}")))?;
        let file_name = format!("journal/{name}");
        let Some(header) = self.header(&bytes, name)? else { return Ok(()) };
        if header.first != self.chain.next || header.previous_batch != self.chain.batch {
            self.damage.push(Damage { file: file_name.clone(), offset: 0, kind: DamageKind::Chain });
        }
        let mut scan = Scan { found: self, file: &file_name, index: Vec::new() };
        let walked = recovery::walk(&bytes, &header, until, &mut scan);
        let index = scan.index;
        if lacks_batches(&walked, until) {
            self.damage.push(Damage { file: file_name, offset: walked.end, kind: DamageKind::Batch });
        } else if bytes.len() as u64 > walked.end {
            self.cuts.push(Cut { name: name.into(), from: walked.end });
        }
        let file = File::options().read(true).open(&path).map_err(io(format!("opening journal/{name}")))?;
        self.chain = walked.chain;
        self.header = Some(header);
        self.segments.push(Arc::new(Segment::found(file, name.into(), header, walked.end, index)));
        Ok(())
    }

    /// The header of a segment; nothing where there is none that can be used.
    fn header(&mut self, bytes: &[u8], name: &str) -> Result<Option<SegmentHeader>, OpenError> {
        let damage = Damage { file: format!("journal/{name}"), offset: 0, kind: DamageKind::Header };
        match recovery::header(bytes) {
            Ok((header, false)) => Ok(Some(header)),
            Ok((header, true)) => {
                self.damage.push(damage);
                Ok(Some(header))
            }
            Err(HeaderFault::Version(found)) => Err(OpenError::Format { file: damage.file, found }),
            Err(HeaderFault::Invalid) => {
                let rest = bytes.get(DATA_OFFSET as usize..).unwrap_or_default();
                if rest.iter().all(|byte| *byte == 0) {
                    // A segment without batches whose header did not reach the disk before the power went.
                    self.cuts.push(Cut { name: name.into(), from: 0 });
                } else {
                    self.damage.push(damage);
                }
                Ok(None)
            }
        }
    }
}

/// Whether batches that were acknowledged are missing at the end of a segment: the next one begins further on.
pub(crate) fn lacks_batches(walked: &Walked, until: Option<Position>) -> bool {
    walked.torn && until.is_some_and(|until| until > walked.chain.next)
}

/// Takes heads and index from a walk.
struct Scan<'a> {
    found: &'a mut Found,
    file: &'a str,
    index: Vec<(Position, u64)>,
}

impl Visit for Scan<'_> {
    fn batch(&mut self, offset: u64, head: &BatchHead) {
        index_batch(&mut self.index, head.first, offset);
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, _body: Option<&[u8]>) {
        let known = self.found.heads.get(&head.stream);
        if head.version != known.map_or(0, |known| known.version + 1) {
            let version = known.map_or(0, |known| known.version + 1);
            self.damage(offset, DamageKind::Gap { stream: head.stream, version });
        }
        let hash = RecordHead::hash(encoded);
        let reached = Head { version: head.version, position: head.position, hash };
        self.found.heads.insert(head.stream, reached);
        self.found.highest_key = self.found.highest_key.max(head.key);
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        self.found.damage.push(Damage { file: self.file.into(), offset, kind });
    }
}
