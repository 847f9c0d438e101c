//! interlink-sdk.
