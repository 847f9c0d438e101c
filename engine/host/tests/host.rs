//! What the host does with Interlinkers: those that work, and those that somebody wrote to do harm.

mod host {
    mod cache;
    mod compute;
    mod determinism;
    mod fairness;
    mod given;
    mod guest;
    mod publication;
    mod state;
    mod transfer;
    mod working;
}
