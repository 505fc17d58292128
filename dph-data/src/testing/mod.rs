//! For tests: a hub on this machine.

pub mod hub;
