//! interlinker-document.
