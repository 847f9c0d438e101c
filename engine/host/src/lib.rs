//! interlink-host.
