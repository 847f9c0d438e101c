//! interlinker-poll.
