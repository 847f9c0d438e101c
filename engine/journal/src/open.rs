//! What a start finds: segments in order, where streams end, what is damaged, what was torn off.
//!
//! A segment that ends in a footer is not read: the footer says how far it goes and which streams it has, and a file of
//! the index may say the latter for many segments at once. Every other segment is walked.

use std::cell::{Cell, OnceCell};
use std::iter::Peekable;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, OpenFile};
use crate::format::{DATA_OFFSET, HeaderFault, RecordHead, Seal, SegmentHeader};
use crate::index::files::{self, Fitting};
use crate::index::heads::Entry;
use crate::index::table::{About, Fault, SegmentKey, Table};
use crate::index::{Part, Unsealed};
use crate::recovery::{self, Chain, Damage, DamageKind, Walked};
use crate::segment::{Segment, io};
use crate::succession::{Cut, Rest};
use crate::survey::{Survey, as_it_says};
use crate::{OpenError, Position, Stream};

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

/// Epoch and first position of a segment, as its name says.
pub(crate) fn key_of(name: &str) -> Option<SegmentKey> {
    let (epoch, first) = name.strip_suffix(".segment")?.split_once('-')?;
    Some((epoch.parse().ok()?, first.parse().ok()?))
}

/// The position with which a segment's name says that it begins.
pub(crate) fn first_of(name: &str) -> Option<Position> {
    key_of(name).map(|(_, first)| first)
}

/// What opening has found.
#[derive(Default)]
pub(crate) struct Found {
    pub segments: Vec<Arc<Segment>>,
    pub parts: Vec<Part>,
    pub damage: Vec<Damage>,
    /// The last header that can be used.
    pub header: Option<SegmentHeader>,
    /// The highest epoch that any segment has been opened under, be its header lost: the next one's name is new.
    pub epoch: u64,
    pub chain: Chain,
    pub highest_key: u64,
    /// What was never acknowledged, or is only zeros, or a footer that is made again.
    pub cuts: Vec<Cut>,
    /// Files of the index that cover nothing.
    pub useless: Vec<String>,
}

/// The streams of one segment, while segments are read.
enum Piece {
    /// In its footer, which is read only if no file of the index has them.
    Footer(Box<Footer>),
    Walked(Unsealed),
    /// It has no usable header.
    Nothing,
}

struct Footer {
    segment: Arc<Segment>,
    about: About,
    table: OnceCell<Option<Table>>,
}

impl Footer {
    /// Reads the table; nothing where it is damaged.
    fn load(&self) -> std::io::Result<Option<Table>> {
        Fault::unless_invalid(Table::load(Arc::clone(&self.segment.file), self.segment.seal(), self.about.clone()))
    }

    fn find(&self, stream: &Stream) -> std::io::Result<Option<Entry>> {
        if self.table.get().is_none() {
            let loaded = self.load()?;
            self.table.get_or_init(|| loaded);
        }
        let Some(Some(table)) = self.table.get() else { return Ok(None) };
        Ok(Fault::unless_invalid(table.find(stream))?.flatten())
    }
}

impl Piece {
    fn find(&self, stream: &Stream) -> std::io::Result<Option<Entry>> {
        match self {
            Self::Footer(footer) => footer.find(stream),
            Self::Walked(unsealed) => Ok(unsealed.heads.entries.get(stream).copied()),
            Self::Nothing => Ok(None),
        }
    }
}

/// Where a stream ends in the newest of some pieces that has it.
fn newest(pieces: &[Piece], stream: &Stream) -> std::io::Result<Option<Entry>> {
    for piece in pieces.iter().rev() {
        if let Some(entry) = piece.find(stream)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

impl Found {
    /// Reads all segments of `journal/` that have no footer, and of the others their ends; changes nothing.
    pub fn read(directory: &Path, disk: &Arc<dyn Disk>) -> Result<Self, OpenError> {
        let mut found = Self::default();
        let mut pieces = Vec::new();
        let names = segment_names(directory)?;
        for (number, name) in names.iter().enumerate() {
            let until = names.get(number + 1).and_then(|next| first_of(next));
            let piece = found.segment(directory, name, disk, until, &pieces)?;
            pieces.push(piece);
        }
        let keys: Vec<_> = names.iter().map(|name| key_of(name).unwrap_or_default()).collect();
        found.epoch = keys.iter().map(|(epoch, _)| *epoch).max().unwrap_or_default();
        let fitting = match &found.header {
            Some(header) => files::choose(directory, Seal::of_index(&header.journal), &keys, disk)?,
            None => Fitting::default(),
        };
        found.useless = fitting.useless;
        found.assemble(pieces, fitting.tables.into_iter().peekable())?;
        found.highest_key = found.parts.iter().map(|part| part.totals().highest_key).max().unwrap_or_default();
        Ok(found)
    }

    /// Reads one segment. `until` is where the next one begins; `older` are the streams of those before.
    fn segment(
        &mut self,
        directory: &Path,
        name: &str,
        disk: &Arc<dyn Disk>,
        until: Option<Position>,
        older: &[Piece],
    ) -> Result<Piece, OpenError> {
        let file = OpenFile::open(&directory.join(name), disk).map_err(io(format!("opening journal/{name}")))?;
        let reading = || io(format!("reading journal/{name}"));
        let length = file.len().map_err(reading())?;
        let front = file.read(0, length.min(DATA_OFFSET)).map_err(reading())?;
        let Some(header) = self.header(&front, &file, length, name)? else { return Ok(Piece::Nothing) };
        self.header = Some(header);
        if header.first != self.chain.next || header.previous_batch != self.chain.batch {
            self.damage.push(Damage { file: format!("journal/{name}"), offset: 0, kind: DamageKind::Chain });
        }
        if let Some((about, places)) = footer(&file, &header, until).map_err(reading())? {
            self.chain = about.chain;
            let segment = Arc::new(Segment::found(file, name.into(), header, about.base, places));
            self.segments.push(Arc::clone(&segment));
            return Ok(Piece::Footer(Box::new(Footer { segment, about, table: OnceCell::new() })));
        }
        let bytes = file.read(0, length).map_err(reading())?;
        self.walk(file, name, &header, until, &bytes, older).map_err(reading())
    }

    fn walk(
        &mut self,
        file: Arc<OpenFile>,
        name: &str,
        header: &SegmentHeader,
        until: Option<Position>,
        bytes: &[u8],
        older: &[Piece],
    ) -> std::io::Result<Piece> {
        // Where all is well so far a record's word is taken for what is in older segments: looking them all up would
        // read the index from end to end.
        let says = as_it_says(header.first);
        let unread = Cell::new(None);
        let looked_up = |head: &RecordHead| match newest(older, &head.stream) {
            Ok(found) => found.map_or(0, |entry| entry.head.version.saturating_add(1)),
            Err(error) => {
                unread.set(Some(error));
                0
            }
        };
        let (survey, walked) = if self.damage.is_empty() {
            Survey::of(bytes, header, name, until, &says)
        } else {
            Survey::of(bytes, header, name, until, &looked_up)
        };
        if let Some(error) = unread.take() {
            // What could not be looked up is not known to be missing.
            return Err(error);
        }
        let damaged = !survey.damage.is_empty();
        self.damage.extend(survey.damage);
        if bytes.len() as u64 > walked.end {
            self.cuts.push(Cut { name: name.into(), from: walked.end, rest: rest_of(bytes, &walked, header) });
        }
        self.chain = walked.chain;
        let segment = Arc::new(Segment::found(file, name.into(), *header, walked.end, survey.places));
        segment.set_examined();
        self.segments.push(Arc::clone(&segment));
        Ok(Piece::Walked(Unsealed { segment, heads: survey.heads, chain: walked.chain, damaged }))
    }

    /// The header of a segment; nothing where there is none that can be used.
    fn header(
        &mut self,
        front: &[u8],
        file: &OpenFile,
        length: u64,
        name: &str,
    ) -> Result<Option<SegmentHeader>, OpenError> {
        let damage = Damage { file: format!("journal/{name}"), offset: 0, kind: DamageKind::Header };
        match recovery::header(front) {
            Ok((header, false)) => Ok(Some(header)),
            Ok((header, true)) => {
                self.damage.push(damage);
                Ok(Some(header))
            }
            Err(HeaderFault::Version(found)) => Err(OpenError::Format { file: damage.file, found }),
            Err(HeaderFault::Invalid) => {
                let rest = file.read(DATA_OFFSET, length.saturating_sub(DATA_OFFSET));
                let rest = rest.map_err(io(format!("reading journal/{name}")))?;
                if rest.iter().all(|byte| *byte == 0) {
                    // A segment without batches whose header did not reach the disk before the power went.
                    self.cuts.push(Cut { name: name.into(), from: 0, rest: Rest::Torn });
                } else {
                    self.damage.push(damage);
                }
                Ok(None)
            }
        }
    }

    /// Makes parts of the index of what was found: a file of the index where one fits, else the segments' own.
    fn assemble(
        &mut self,
        pieces: Vec<Piece>,
        mut tables: Peekable<impl Iterator<Item = (Range<usize>, Table)>>,
    ) -> Result<(), OpenError> {
        let mut pieces = pieces.into_iter().enumerate();
        while let Some((number, piece)) = pieces.next() {
            let mut covered = vec![piece];
            let run = tables.next_if(|(range, _)| range.start == number);
            if let Some((range, table)) = run {
                covered.extend(pieces.by_ref().take(range.len() - 1).map(|(_, piece)| piece));
                if is_sealed_up_to(&covered, &table.about.chain) {
                    self.parts.push(Part::Table(table));
                    continue;
                }
                let about = &table.about;
                self.useless.push(files::file_name(about.level, about.from, about.segments));
            }
            for piece in covered {
                self.add_piece(piece)?;
            }
        }
        Ok(())
    }

    fn add_piece(&mut self, piece: Piece) -> Result<(), OpenError> {
        match piece {
            Piece::Nothing => {}
            Piece::Walked(unsealed) => self.parts.push(Part::Memory(unsealed)),
            Piece::Footer(mut footer) => {
                let loaded = match footer.table.take() {
                    Some(loaded) => loaded,
                    None => footer.load().map_err(io(format!("reading journal/{}", footer.segment.name)))?,
                };
                let part = match loaded {
                    Some(table) => Part::Table(table),
                    None => Part::Memory(self.walk_again(&footer.segment, footer.about.chain.next)?),
                };
                self.parts.push(part);
            }
        }
        Ok(())
    }

    /// Walks a segment whose footer turned out to be damaged, and which ends before `next`.
    fn walk_again(&mut self, segment: &Arc<Segment>, next: Position) -> Result<Unsealed, OpenError> {
        let bytes = segment.file.read(0, segment.end()).map_err(io(format!("reading journal/{}", segment.name)))?;
        let says = as_it_says(segment.header.first);
        let (survey, walked) = Survey::of(&bytes, &segment.header, &segment.name, Some(next), &says);
        segment.set_examined();
        let damaged = !survey.damage.is_empty();
        self.damage.extend(survey.damage);
        Ok(Unsealed { segment: Arc::clone(segment), heads: survey.heads, chain: walked.chain, damaged })
    }
}

/// Whether all of these segments have footers, the last of which says what a file of the index says.
fn is_sealed_up_to(pieces: &[Piece], chain: &Chain) -> bool {
    pieces.iter().all(|piece| matches!(piece, Piece::Footer(_)))
        && matches!(pieces.last(), Some(Piece::Footer(last)) if last.about.chain == *chain)
}

/// What a footer says, and where the batches of its segment are.
type FooterSays = (About, Vec<(Position, u64)>);

/// What a segment's footer says, if it has a sound one.
fn footer(file: &OpenFile, header: &SegmentHeader, until: Option<Position>) -> std::io::Result<Option<FooterSays>> {
    let seal = header.seal();
    let Some(about) = Fault::unless_invalid(About::read(file, seal))? else { return Ok(None) };
    let fits = about.level == 0 && about.from == (header.epoch, header.first);
    let places = Fault::unless_invalid(about.read_places(file, seal))?;
    let places = places.filter(|_| fits && until.is_none_or(|until| about.chain.next <= until));
    Ok(places.map(|places| (about, places)))
}

/// What stands behind the last batch.
fn rest_of(bytes: &[u8], walked: &Walked, header: &SegmentHeader) -> Rest {
    let rest = &bytes[walked.end as usize..];
    if crate::index::table::marks_front(rest, header.seal()) { Rest::Footer } else { Rest::Torn }
}
