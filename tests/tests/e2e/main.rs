//! The product from outside: a real server process, driven over HTTP and the command line.

mod client;
mod files;
mod given;
mod outside;
mod server;
mod zips;

mod archives;
mod authors;
mod automation;
mod backups;
mod bundles;
mod calls;
mod components;
mod damage;
mod documents;
mod durability;
mod examples;
mod failures;
mod handbook;
mod idempotency;
mod kills;
mod lifecycle;
mod limits;
mod migrations;
mod past;
mod polls;
mod power;
mod privacy;
mod provisioning;
mod reading;
mod repair;
mod requests;
mod schemas;
mod upgrades;
mod usage;
