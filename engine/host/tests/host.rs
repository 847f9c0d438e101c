//! What the host does with Interlinkers: those that work, and those that somebody wrote to do harm.

mod host {
    use interlink_conformance::hand as guest;
    use interlink_conformance::hand::asking;

    mod away;
    mod cache;
    mod compute;
    mod determinism;
    mod durable;
    mod exchange;
    mod fairness;
    mod given;
    mod markup;
    mod publication;
    mod state;
    mod thousand;
    mod town;
    mod transfer;
    mod working;
    mod worlds;
}
