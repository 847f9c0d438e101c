//! Votes: the tasks of kind `approval`.
//!
//! The rules of a vote are written into it when it opens, so that neither a new schema nor a new server changes them while
//! people vote. A vote without a deadline is decided as soon as its quorum is reached; one with a deadline stays open
//! until then, so that nobody is shut out by the first who came. A veto decides at once.

use serde::{Deserialize, Serialize};

use super::decide::{Context, Rejection, Rule};
use super::draft::Draft;
use super::{Process, Stage};
use crate::facts::{Choice, TaskFailed, VoteCast, VoteDecided, VoteOpened, VoteResult};
use crate::id::PersonId;
use crate::schema::work::{Tie, VoteRules, Work};
use crate::sealed::Sealed;

/// Votes that one task takes: each is kept, so that nobody votes twice. An Interlinker that keeps them apart takes more.
pub const VOTES_MAX: usize = 100_000;

/// A vote on a task: the present round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which vote on the task this is, from 1.
    pub round: u32,
    /// How it is decided.
    pub rules: VoteRules,
    /// Who said what.
    pub cast: imbl::OrdMap<PersonId, Choice>,
    /// How it ended, once it has.
    pub result: Option<VoteResult>,
}

/// The votes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// For it.
    pub approve: u32,
    /// Against it.
    pub reject: u32,
    /// For the quorum alone.
    pub abstain: u32,
}

impl Tally {
    fn of(cast: &imbl::OrdMap<PersonId, Choice>) -> Self {
        cast.values().fold(Self::default(), |tally, choice| match choice {
            Choice::Approve => Self { approve: tally.approve + 1, ..tally },
            Choice::Reject | Choice::Veto => Self { reject: tally.reject + 1, ..tally },
            Choice::Abstain => Self { abstain: tally.abstain + 1, ..tally },
        })
    }

    /// All of them.
    pub fn total(self) -> u32 {
        self.approve + self.reject + self.abstain
    }
}

impl Vote {
    /// The votes so far.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.cast)
    }

    /// Whether people may vote.
    pub fn is_open(&self) -> bool {
        self.result.is_none()
    }

    /// What the votes say: nothing while one vote more is needed.
    pub fn outcome(&self) -> Option<VoteResult> {
        let tally = self.tally();
        if self.cast.values().any(|choice| *choice == Choice::Veto) {
            return Some(VoteResult::Vetoed);
        }
        if tally.total() < self.rules.quorum {
            return None;
        }
        let (above, below) = self.rules.threshold;
        let wanted = u64::from(above) * u64::from(tally.approve + tally.reject);
        let given = u64::from(below) * u64::from(tally.approve);
        let is_half = above * 2 == below;
        match given.cmp(&wanted) {
            std::cmp::Ordering::Greater => Some(VoteResult::Approved),
            // Two thirds means at least two thirds; one half is a tie.
            std::cmp::Ordering::Equal if !is_half && tally.approve > 0 => Some(VoteResult::Approved),
            std::cmp::Ordering::Equal if is_half => match self.rules.tie {
                Tie::Approve => Some(VoteResult::Approved),
                Tie::Reject => Some(VoteResult::Rejected),
                Tie::Extend => None,
            },
            _ => Some(VoteResult::Rejected),
        }
    }
}

impl Process {
    /// The vote on a task, the last one where there were several.
    pub fn vote(&self, task: usize) -> Option<&Vote> {
        self.votes.get(&(task as u32))
    }
}

/// Takes a vote.
pub(super) fn cast(
    draft: &mut Draft<'_>,
    number: usize,
    choice: Choice,
    comment: Option<Sealed<String>>,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    let task = draft.process.plan.outline.tasks[number].id.clone();
    if !matches!(draft.process.plan.task(number).work, Work::Approval(_)) {
        return Err(Rejection::new(Rule::NoVote, format!("`{task}` is no task of kind `approval`")));
    }
    let Some(vote) = draft.process.vote(number).filter(|vote| vote.is_open()) else {
        return Err(Rejection::new(Rule::NoVote, format!("nobody votes on `{task}` now")));
    };
    let Some(person) = context.actor.person() else {
        return Err(Rejection::new(Rule::NoVote, "only people vote"));
    };
    let allowed =
        |roles: &[String]| roles.is_empty() || roles.iter().any(|role| context.roles.contains(&role.as_str()));
    let wanted = if choice == Choice::Veto { &vote.rules.veto } else { &vote.rules.voters };
    if (choice == Choice::Veto && wanted.is_empty()) || !allowed(wanted) {
        let who = if wanted.is_empty() { "nobody".to_owned() } else { wanted.join(", ") };
        let detail = format!("{} may say `{}` in this vote", who, choice.as_str());
        return Err(Rejection::new(Rule::MayNotVote, detail));
    }
    if let Some(before) = vote.cast.get(&person) {
        let detail = format!("you said `{}`, and a vote stays as it was cast", before.as_str());
        return Err(Rejection::new(Rule::VotedAlready, detail));
    }
    if vote.cast.len() >= VOTES_MAX {
        let detail = format!("a vote takes {VOTES_MAX} votes, and this one has them");
        return Err(Rejection::new(Rule::TooMuch, detail));
    }
    let round = vote.round;
    draft.push(VoteCast { task, round, person, choice, comment });
    let over = draft.process.has_fired(crate::schema::outline::ItemRef::Task(number), crate::facts::TimerKind::Vote);
    let waits_for_deadline =
        matches!(&draft.process.plan.task(number).work, Work::Approval(approval) if approval.deadline.is_some());
    let decided = draft.process.vote(number).and_then(Vote::outcome);
    match decided {
        Some(VoteResult::Vetoed) => decide(draft, number, VoteResult::Vetoed),
        Some(result) if over || !waits_for_deadline => decide(draft, number, result),
        _ => {}
    }
    Ok(())
}

/// Opens a vote on a task that has become ready.
pub(super) fn open(draft: &mut Draft<'_>, number: usize) {
    let plan = std::sync::Arc::clone(&draft.process.plan);
    let Work::Approval(approval) = &plan.task(number).work else { return };
    let round = draft.process.vote(number).map_or(1, |vote| vote.round + 1);
    let task = plan.outline.tasks[number].id.clone();
    draft.push(VoteOpened { task, round, rules: approval.rules.clone() });
}

/// The time of a vote is over.
pub(super) fn close(draft: &mut Draft<'_>, number: usize) {
    let Some(vote) = draft.process.vote(number).filter(|vote| vote.is_open()) else { return };
    let result = match vote.outcome() {
        Some(result) => result,
        None if vote.tally().total() < vote.rules.quorum => VoteResult::NoQuorum,
        // A tie that is extended: the next vote that breaks it decides.
        None => return,
    };
    decide(draft, number, result);
}

fn decide(draft: &mut Draft<'_>, number: usize, result: VoteResult) {
    let Some(vote) = draft.process.vote(number) else { return };
    let (Tally { approve, reject, abstain }, round) = (vote.tally(), vote.round);
    let task = draft.process.plan.outline.tasks[number].id.clone();
    draft.push(VoteDecided { task: task.clone(), round, result, approve, reject, abstain });
    match result {
        VoteResult::Approved => draft.complete(number, None),
        VoteResult::Dropped => {}
        result => draft.push(TaskFailed { task, cause: result.as_str().to_owned() }),
    }
}

/// Drops a vote that nobody waits for any more.
pub(super) fn drop_vote(draft: &mut Draft<'_>, number: usize) {
    let open = draft.process.vote(number).is_some_and(Vote::is_open);
    let stage = draft.process.tasks[number].stage;
    if open && (stage.is_finished() || stage == Stage::Failed) {
        decide(draft, number, VoteResult::Dropped);
    }
}
