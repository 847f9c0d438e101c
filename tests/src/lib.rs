//! interlink-tests.
