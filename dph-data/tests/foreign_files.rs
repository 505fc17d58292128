//! Files as other people and tools write them: what training makes of them, and that `dph-data validate` says the same.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "foreign_files/judge.rs"]
mod judge;
#[path = "foreign_files/shared.rs"]
mod shared;

#[path = "foreign_files/damage.rs"]
mod damage;
#[path = "foreign_files/delimited.rs"]
mod delimited;
#[path = "foreign_files/folders.rs"]
mod folders;
#[path = "foreign_files/json.rs"]
mod json;
#[path = "foreign_files/other_formats.rs"]
mod other_formats;
#[path = "foreign_files/parquet.rs"]
mod parquet;
#[path = "foreign_files/preference.rs"]
mod preference;
#[path = "foreign_files/tables.rs"]
mod tables;
#[path = "foreign_files/transcripts.rs"]
mod transcripts;
#[path = "foreign_files/windows.rs"]
mod windows;
