//! A process's mailbox: commands in, events out, without I/O.
//!
//! Commands are decided on the state that the queued events will give ([`Mailbox::ahead`]) and shown only once they are
//! durable ([`Mailbox::committed`]): a queue of a thousand votes shares its syncs, and no reader sees what a power cut
//! could take back. The shell around it holds the lock, hands appends to the journal in the order in which they were
//! decided, and tells the mailbox what came of them.

use std::sync::Arc;

use interlink_model::event::Stamp;
use interlink_model::facts::ProcessEvent;
use interlink_model::id::Micros;
use interlink_model::process::{Command, Context, Process, Rejection, decide};

/// Appends of one process that may wait for their sync at once: beyond it callers are told to come back.
pub const QUEUED_MAX: usize = 10_000;

/// Why a command was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// A rule was broken.
    Rejected(Rejection),
    /// The process is at another version than the caller saw.
    WrongVersion {
        /// The version that it is at.
        found: u64,
    },
    /// Too much waits already.
    Full,
}

/// The state machine.
#[derive(Debug)]
pub struct Mailbox {
    committed: Arc<Process>,
    ahead: Arc<Process>,
    /// Appends on their way.
    queued: usize,
    /// Version that the next event of the usage stream takes.
    next_use: u64,
    /// Version that the next snapshot takes in its stream.
    next_snapshot: u64,
    last_at: Micros,
}

impl Mailbox {
    /// The mailbox of a process as the journal has it.
    pub fn new(process: Arc<Process>, next_use: u64, next_snapshot: u64) -> Self {
        let last_at = process.touched_at;
        Self { committed: Arc::clone(&process), ahead: process, queued: 0, next_use, next_snapshot, last_at }
    }

    /// What is durable.
    pub fn committed(&self) -> &Arc<Process> {
        &self.committed
    }

    /// Whether nothing waits for its sync.
    pub fn is_idle(&self) -> bool {
        self.queued == 0
    }

    /// What will be durable when everything that waits is.
    pub fn ahead(&self) -> &Arc<Process> {
        &self.ahead
    }

    /// The time of the next event: the clock's, but never before the last one's.
    pub fn time(&mut self, now: Micros) -> Micros {
        self.last_at = self.last_at.max(now);
        self.last_at
    }

    /// Decides a command on what is ahead. Nothing has changed until [`Mailbox::push`].
    pub fn decide(
        &self,
        command: &Command,
        note: Option<&str>,
        expected: Option<u64>,
        context: &Context<'_>,
    ) -> Result<Vec<ProcessEvent>, NotTaken> {
        if let Some(expected) = expected
            && expected != self.ahead.version
        {
            return Err(NotTaken::WrongVersion { found: self.ahead.version });
        }
        if self.queued >= QUEUED_MAX {
            return Err(NotTaken::Full);
        }
        decide(&self.ahead, command, note, context).map_err(NotTaken::Rejected)
    }

    /// Takes in events that are about to be appended; answers the state that they give.
    pub fn push<'a>(&mut self, events: impl IntoIterator<Item = &'a ProcessEvent>, stamp: &Stamp) -> Arc<Process> {
        let mut process = (*self.ahead).clone();
        events.into_iter().for_each(|event| process.apply(event, stamp));
        self.ahead = Arc::new(process);
        self.queued += 1;
        Arc::clone(&self.ahead)
    }

    /// The version that the next event of the usage stream takes.
    pub fn next_use(&mut self) -> u64 {
        self.next_use += 1;
        self.next_use - 1
    }

    /// The version that the next snapshot takes in its stream.
    pub fn next_snapshot(&mut self) -> u64 {
        self.next_snapshot += 1;
        self.next_snapshot - 1
    }

    /// An append to the usage stream failed: the stream goes on at `next`.
    pub fn use_failed(&mut self, next: u64) {
        self.next_use = next;
    }

    /// An append is durable: what it gives is what readers see. Appends are told of in their order.
    pub fn synced(&mut self, process: Arc<Process>) {
        self.queued -= 1;
        self.committed = process;
    }

    /// An append failed: whatever was decided ahead of it is dropped. What follows it in the queue was decided on what it
    /// would have given, conflicts with the journal, and fails too. Snapshots go on at `next_snapshot`, where that is known.
    pub fn failed(&mut self, next_snapshot: Option<u64>) {
        self.next_snapshot = next_snapshot.unwrap_or(self.next_snapshot);
        self.queued -= 1;
        self.ahead = Arc::clone(&self.committed);
    }
}

#[cfg(test)]
mod tests {
    use interlink_model::event::{Actor, Stamp};
    use interlink_model::id::{PersonId, ProcessId};
    use interlink_model::process::{NewProcess, Plan, ProcessStatus, Rule, create};
    use interlink_model::schema::authoring::{Syntax, parse};

    use super::*;

    const SCHEMA: &str = "name: s\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}, {id: b}]}]}]";
    const ACTOR: Actor = Actor::Person(PersonId(uuid::Uuid::from_u128(7)));

    fn mailbox() -> Mailbox {
        let plan = Arc::new(Plan::new(parse(SCHEMA.as_bytes(), Syntax::Yaml).expect("a schema").schema));
        let stamp = Stamp { at: Micros(100), actor: ACTOR, correlation: None, causation: None };
        let created = create(&plan, NewProcess { name: "name".into(), ..NewProcess::default() });
        Mailbox::new(Arc::new(Process::created(ProcessId(uuid::Uuid::nil()), &created, &stamp, plan)), 0, 0)
    }

    fn run(mailbox: &mut Mailbox, command: Command) -> Result<Arc<Process>, NotTaken> {
        let at = mailbox.time(Micros(101));
        let events = mailbox.decide(&command, None, None, &Context::new(at, ACTOR))?;
        Ok(mailbox.push(&events, &Stamp { at, actor: ACTOR, correlation: None, causation: None }))
    }

    #[test]
    fn commands_are_decided_ahead_and_shown_when_they_are_durable() {
        let mut mailbox = mailbox();
        let started = run(&mut mailbox, Command::Start).expect("taken");
        let done =
            run(&mut mailbox, Command::Complete("a".into())).expect("decided on a start that is not durable yet");
        assert_eq!(mailbox.committed().status, ProcessStatus::Created);
        mailbox.synced(started);
        assert_eq!((mailbox.committed().status, mailbox.committed().progress()), (ProcessStatus::Running, 0.0));
        mailbox.synced(done);
        assert_eq!(mailbox.committed().progress(), 0.5);
        assert_eq!(mailbox.committed(), mailbox.ahead());
    }

    #[test]
    fn what_was_decided_ahead_of_a_failed_append_is_dropped_and_what_comes_later_counts() {
        let mut mailbox = mailbox();
        let started = run(&mut mailbox, Command::Start).expect("taken");
        mailbox.synced(started);
        run(&mut mailbox, Command::Complete("a".into())).expect("taken");
        run(&mut mailbox, Command::Complete("b".into())).expect("taken");
        mailbox.failed(Some(0));
        assert_eq!(mailbox.ahead(), mailbox.committed());
        assert_eq!(mailbox.ahead().progress(), 0.0);
        let claimed = run(&mut mailbox, Command::Claim("a".into())).expect("decided on what is durable");
        mailbox.failed(Some(0));
        mailbox.synced(Arc::clone(&claimed));
        assert_eq!(mailbox.committed(), &claimed);
        assert_eq!(mailbox.queued, 0);
    }

    #[test]
    fn a_version_that_has_moved_and_a_broken_rule_are_told_apart() {
        let mut mailbox = mailbox();
        let context = Context::new(Micros(101), ACTOR);
        let stale = mailbox.decide(&Command::Start, None, Some(3), &context);
        assert_eq!(stale, Err(NotTaken::WrongVersion { found: 0 }));
        let Err(NotTaken::Rejected(rejection)) = run(&mut mailbox, Command::Resume) else { panic!("taken") };
        assert_eq!(rejection.rule, Rule::ProcessNotSuspended);
    }

    #[test]
    fn time_does_not_go_back_with_the_clock() {
        let mut mailbox = mailbox();
        assert_eq!(mailbox.time(Micros(50)), Micros(100));
        assert_eq!(mailbox.time(Micros(200)), Micros(200));
        assert_eq!(mailbox.time(Micros(150)), Micros(200));
    }

    #[test]
    fn a_mailbox_takes_no_more_than_its_limit() {
        let mut mailbox = mailbox();
        run(&mut mailbox, Command::Start).expect("taken");
        for _ in 1..QUEUED_MAX / 2 {
            run(&mut mailbox, Command::Claim("a".into())).expect("taken");
            run(&mut mailbox, Command::Release("a".into())).expect("taken");
        }
        run(&mut mailbox, Command::Claim("a".into())).expect("the last that is taken");
        assert_eq!(run(&mut mailbox, Command::Release("a".into())), Err(NotTaken::Full));
    }
}
