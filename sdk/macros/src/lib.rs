//! interlink-sdk-macros.
