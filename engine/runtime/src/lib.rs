//! interlink-runtime.
