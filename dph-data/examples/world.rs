//! Writes the little world into a folder, for use elsewhere: its tokenizer and `<kind>/<split>.jsonl`.
//!
//! `cargo run -p dph-data --example world -- DIR`

use std::fs;
use std::path::PathBuf;

use dph_data::{Kind, World};
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: world DIR")?);
    let world = World::default();
    world.write_tokenizer(&folder)?;
    for kind in [Kind::Text, Kind::Instruction, Kind::Choice] {
        fs::create_dir_all(folder.join(kind.to_string()))?;
        for split in World::splits(kind) {
            let rows = world.rows(kind, split).unwrap_or_default();
            let lines: String = rows.into_iter().map(|row| format!("{}\n", Value::Object(row))).collect();
            fs::write(folder.join(kind.to_string()).join(format!("{split}.jsonl")), lines)?;
        }
    }
    Ok(())
}
