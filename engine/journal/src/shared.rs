//! What committer and readers share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::draft::Known;
use crate::open::Found;
use crate::queue::Queue;
use crate::recovery::{Chain, Damage};
use crate::segment::Segment;
use crate::{Head, Position, Stream};

pub(crate) struct Shared {
    pub queue: Queue,
    pub segments: RwLock<Vec<Arc<Segment>>>,
    pub heads: RwLock<BTreeMap<Stream, Head>>,
    damaged: HashSet<Stream>,
    pub reached: RwLock<Reached>,
}

/// How far the journal is durable.
#[derive(Clone, Copy)]
pub(crate) struct Reached {
    pub chain: Chain,
    pub highest_key: u64,
}

impl Shared {
    pub fn of(found: Found, queue: Queue) -> Self {
        Self {
            queue,
            segments: RwLock::new(found.segments),
            heads: RwLock::new(found.heads),
            damaged: found.damage.iter().filter_map(Damage::stream).collect(),
            reached: RwLock::new(Reached { chain: found.chain, highest_key: found.highest_key }),
        }
    }

    /// Lets readers see what has become durable.
    pub fn publish(&self, heads: HashMap<Stream, Head>, highest_key: u64, chain: Chain) {
        self.heads.write().extend(heads);
        let mut reached = self.reached.write();
        reached.chain = chain;
        reached.highest_key = reached.highest_key.max(highest_key);
    }

    /// The segment that holds a position.
    pub fn segment_of(&self, position: Position) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let behind = segments.partition_point(|segment| segment.header.first <= position);
        behind.checked_sub(1).map(|at| Arc::clone(&segments[at]))
    }
}

impl Known for Shared {
    fn head(&self, stream: &Stream) -> Option<Head> {
        self.heads.read().get(stream).copied()
    }

    fn is_damaged(&self, stream: &Stream) -> bool {
        !self.damaged.is_empty() && self.damaged.contains(stream)
    }
}
