//! interlink-journal.
