//! `dph-model inspect`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::numbers::{counted, grouped};
use dph_core::terminal::{Failure, print_pairs, print_table, printable_line};

use super::summary::Summary;
use super::tokenizer::TokenizerSummary;

/// Show a model: what it is, family and sizes, parameters, tokenizer, and the parameters of a preference head
///
/// A config.json is sufficient for family, sizes and parameters. Weights are not read.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The model, or a config.json
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// The base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,

    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let summary = Summary::read(&self.path, self.base.as_deref())?;
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            writeln!(out)?;
            return Ok(());
        }
        let sizes = &summary.sizes;
        let mut pairs = vec![("kind", summary.kind.clone())];
        pairs.extend(summary.base.as_ref().map(|base| ("base", printable_line(&base.display().to_string()))));
        if !summary.rewards.is_empty() {
            pairs.push(("rewards", printable_line(&summary.rewards.join(", "))));
        }
        if !summary.labels.is_empty() {
            pairs.push(("labels", printable_line(&summary.labels.join(", "))));
        }
        pairs.extend([
            ("family", printable_line(&summary.model_type)),
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
            ("output matrix", output_matrix(&summary).into()),
            ("weights", weights(&summary)),
        ]);
        pairs.extend(tokenizer(summary.tokenizer.as_ref()));
        print_pairs(out, &pairs)?;

        let mut rows = Vec::new();
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
        print_table(out, &["part", "tensors", "parameters", "%", "type"], &rows)?;

        let mut rows = Vec::new();
        for head in &summary.heads {
            let name = serde_json::to_value(head.pooling)?;
            rows.push(vec![name.as_str().unwrap_or_default().into(), grouped(head.parameters)]);
        }
        writeln!(out)?;
        print_table(out, &["preference head", "parameters"], &rows)?;
        Ok(())
    }
}

fn weights(summary: &Summary) -> String {
    match (&summary.weights, &summary.missing) {
        (None, None) => "none here".into(),
        (None, Some(missing)) => {
            format!("none here; {} does not exist", printable_line(&missing.display().to_string()))
        }
        (Some(weights), _) => {
            let types: Vec<_> = weights.types.iter().map(|(name, count)| format!("{count} {name}")).collect();
            format!("{}: {}", counted(weights.tensors, "tensor"), types.join(", "))
        }
    }
}

fn tokenizer(tokenizer: Option<&TokenizerSummary>) -> Vec<(&'static str, String)> {
    let Some(tokenizer) = tokenizer else { return vec![("tokenizer", "none here".into())] };
    let special: Vec<_> =
        tokenizer.special.iter().map(|(role, token)| format!("{role} {}", printable_line(token))).collect();
    let special = if special.is_empty() { "none named".into() } else { special.join(", ") };
    vec![
        (
            "tokenizer",
            format!("{}, {} of control", counted(tokenizer.tokens, "token"), tokenizer.control_tokens),
        ),
        ("special tokens", special),
        ("chat template", if tokenizer.chat_template { "yes" } else { "no" }.into()),
    ]
}

fn output_matrix(summary: &Summary) -> &'static str {
    match summary.sizes.tied_output {
        _ if !summary.has_output => "none",
        true => "the embedding",
        false => "its own",
    }
}
