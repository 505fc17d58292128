//! `dph-model inspect`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::digits::grouped;
use super::failure::Failure;
use super::summary::{Summary, Weights};
use super::table::{print, print_pairs, printable};
use super::tokenizer::TokenizerSummary;

/// Say what a model is: its family and sizes, its parameters, its tokenizer, and what a preference head would add
///
/// A config.json is enough for family, sizes and parameters. No weight is read.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The model, or a config.json
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Print JSON in place of tables
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let summary = Summary::of(&self.path)?;
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            writeln!(out)?;
            return Ok(());
        }
        let sizes = &summary.sizes;
        let mut pairs = vec![
            ("family", printable(&summary.model_type)),
            ("parameters", grouped(summary.parameters)),
            ("layers", sizes.layers.to_string()),
            ("hidden size", sizes.d_model.to_string()),
            ("feed-forward", sizes.d_ffn.to_string()),
            (
                "heads",
                format!("{} of {}, {} for keys and values", sizes.heads, sizes.head_dim, sizes.kv_heads),
            ),
            ("vocabulary", sizes.vocab.to_string()),
            ("context", sizes.context.to_string()),
            ("output matrix", if sizes.tied_output { "the embedding" } else { "its own" }.into()),
            ("weights", weights(summary.weights.as_ref())),
        ];
        pairs.extend(tokenizer(summary.tokenizer.as_ref()));
        print_pairs(out, &pairs)?;

        let mut rows = vec![["part", "tensors", "parameters", "%", "type"].map(String::from).to_vec()];
        for part in &summary.parts {
            let share = 100.0 * part.parameters as f64 / summary.parameters as f64;
            let types = if part.types.is_empty() { "-".into() } else { part.types.join(" ") };
            rows.push(vec![
                part.part.into(),
                part.tensors.to_string(),
                grouped(part.parameters),
                format!("{share:.1}"),
                types,
            ]);
        }
        writeln!(out)?;
        print(out, &rows)?;

        let mut rows = vec![["preference head", "parameters"].map(String::from).to_vec()];
        for head in &summary.heads {
            let name = serde_json::to_value(head.pooling)?;
            rows.push(vec![name.as_str().unwrap_or_default().into(), grouped(head.parameters)]);
        }
        writeln!(out)?;
        print(out, &rows)?;
        Ok(())
    }
}

fn weights(weights: Option<&Weights>) -> String {
    match weights {
        None => "none here".into(),
        Some(weights) => {
            let types: Vec<_> = weights.types.iter().map(|(name, count)| format!("{count} {name}")).collect();
            format!("{} tensors: {}", weights.tensors, types.join(", "))
        }
    }
}

fn tokenizer(tokenizer: Option<&TokenizerSummary>) -> Vec<(&'static str, String)> {
    let Some(tokenizer) = tokenizer else { return vec![("tokenizer", "none here".into())] };
    let special: Vec<_> =
        tokenizer.special.iter().map(|(role, token)| format!("{role} {}", printable(token))).collect();
    let special = if special.is_empty() { "none named".into() } else { special.join(", ") };
    vec![
        ("tokenizer", format!("{} tokens, {} of control", tokenizer.tokens, tokenizer.control_tokens)),
        ("special tokens", special),
        ("chat template", if tokenizer.chat_template { "yes" } else { "no" }.into()),
    ]
}
