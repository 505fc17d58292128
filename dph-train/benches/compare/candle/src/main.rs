//! Generation with candle's llama, one job at a time. The protocol is that of `plain.py`:
//!
//! ```text
//! {"kind": "generate", "generation": FILE}    the tokens of all answers
//! ```
//!
//! Candle's model supports only a causal mask, so a batch cannot contain prompts of different lengths. All prompts of a batch are
//! therefore cut to the length of the shortest, which is less work, and the tokens of their answers are not returned.

use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Request {
    kind: String,
    generation: String,
}

#[derive(Deserialize)]
struct Generation {
    prompts: Vec<Vec<u32>>,
    batch: usize,
    tokens: usize,
}

struct Model {
    llama: Llama,
    config: Config,
}

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).context("usage: compare-candle MODEL_DIR")?;
    let model = Model::load(Path::new(&dir))?;
    let threads = candle_core::utils::get_num_threads();
    say(&json!({ "versions": concat!("candle ", "0.11.1"), "threads": threads }))?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        if request.kind != "generate" {
            bail!("{} is not supported", request.kind);
        }
        let generation: Generation = serde_json::from_str(&fs::read_to_string(request.generation)?)?;
        let (prompts, batch) = (&generation.prompts, generation.batch);
        model.generate(&prompts[..batch], 2)?;
        let start = Instant::now();
        let mut values = Vec::new();
        for prompts in prompts.chunks(batch) {
            values.extend(model.generate(prompts, generation.tokens)?);
        }
        let seconds = start.elapsed().as_secs_f64();
        let values = if batch == 1 { values } else { Vec::new() };
        say(&json!({ "seconds": seconds, "values": values }))?;
    }
    Ok(())
}

impl Model {
    fn load(dir: &Path) -> Result<Self> {
        let config: LlamaConfig = serde_json::from_slice(&fs::read(dir.join("config.json"))?)?;
        let config = config.into_config(false);
        let file = dir.join("model.safetensors");
        // SAFETY: the file is not changed while it is mapped.
        let weights = unsafe { VarBuilder::from_mmaped_safetensors(&[file], DType::F32, &Device::Cpu)? };
        Ok(Self { llama: Llama::load(weights, &config)?, config })
    }

    /// Greedy answers of `tokens` tokens each, concatenated.
    fn generate(&self, prompts: &[Vec<u32>], tokens: usize) -> Result<Vec<u32>> {
        let rows = prompts.len();
        let shortest = prompts.iter().map(Vec::len).min().unwrap_or(0);
        let fed: Vec<u32> = prompts.iter().flat_map(|prompt| prompt[..shortest].iter().copied()).collect();
        let mut fed = Tensor::from_vec(fed, (rows, shortest), &Device::Cpu)?;
        let mut cache = Cache::new(true, DType::F32, &self.config, &Device::Cpu)?;
        let (mut past, mut answers) = (0, vec![Vec::new(); rows]);
        for _ in 0..tokens {
            let logits = self.llama.forward(&fed, past, &mut cache)?;
            past += fed.dim(1)?;
            let best = logits.argmax(D::Minus1)?;
            for (answer, token) in answers.iter_mut().zip(best.to_vec1::<u32>()?) {
                answer.push(token);
            }
            fed = best.unsqueeze(1)?;
        }
        Ok(answers.concat())
    }
}

fn say(value: &serde_json::Value) -> Result<()> {
    println!("{value}");
    Ok(std::io::stdout().flush()?)
}
