//! Aggregations against the numbers of the authors' follow-up work: every case of `poolers`, reached through TOML.
#![allow(clippy::unwrap_used)]

#[path = "poolers/config.rs"]
mod config;
#[path = "poolers/weights.rs"]
mod weights;

use std::collections::BTreeMap;

use aggregation::{MessageMarks, MessagePart, Messages, PrefixReduction, Sequences, moving_average};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use dph_core::testing::{Golden, GoldenTensor, assert_close, device, entries, number};
use dph_core::*;
use serde_json::Value;

/// A branch of the reference: its configurations, its inputs and outputs, and the weights of its cases.
struct Branch {
    json: Value,
    io: BTreeMap<String, GoldenTensor>,
    weights: BTreeMap<String, GoldenTensor>,
    device: Device,
}

#[test]
fn golden_poolers_main() {
    conversations("main");
}

#[test]
fn golden_poolers_new_pooler() {
    conversations("new_pooler");
}

/// `main` and `new_pooler`: attention over the messages of a conversation.
fn conversations(name: &str) {
    let Some(branch) = Branch::open(name) else { return };
    let marks = branch.marks();
    let tokens = branch.rows();
    let (mut sequences, batch) = (
        Sequences::padding(tokens.len(), tokens[0].len()),
        branch.batch(|row| {
            let parts = marks.parts(row);
            let last = row.iter().rposition(|&token| token == marks.end as i32).unwrap();
            let header = parts[..last].iter().rposition(|part| *part == MessagePart::HeaderEnd).unwrap();
            (header + 1, last)
        }),
    );
    for (index, row) in tokens.iter().enumerate() {
        sequences.last[index] = row.iter().rposition(|&token| token == marks.end as i32).unwrap();
    }
    for (case, config, head) in branch.heads() {
        let messages = match &config.aggregation.tokens {
            TokenPooling::Attention(attention) => attention.messages,
            _ => Messages::Marked(marks),
        };
        sequences.messages = tokens.iter().flat_map(|row| messages.split(row, 0)).collect();
        for (message, &token) in sequences.messages.iter_mut().zip(tokens.iter().flatten()) {
            message.inside &= token as u64 != branch.json["special_ids"]["pad_token_id"].as_u64().unwrap();
        }
        let states = branch.states(&config);
        let plain = Aggregation { running: None, ..config.aggregation.clone() };
        let plain = PreferenceHeadConfig { aggregation: plain, ..config.clone() };
        let plain = weights::load(&plain, case, &branch.weights);
        let check = |what: &str, actual: Vec<f64>| branch.check(&format!("{case}.{what}"), actual);
        check("token_states", values(plain.aggregate_tokens(&states, &sequences)));
        check("embeddings_all", values(head.aggregate_tokens(&states, &sequences)));
        let selection = config.aggregation.selection().select(&states, &batch);
        check("embeddings_final", values(head.aggregate(&selection)));
        let everywhere = head.forward_tokens(&states, &sequences);
        let finally = head.forward_batch(&states, &batch);
        for (index, reward) in config.rewards.iter().enumerate() {
            check(&format!("reward_all.{reward}"), values(everywhere.clone().narrow(2, index, 1)));
            check(&format!("reward_final.{reward}"), values(finally.clone().narrow(1, index, 1)));
        }
    }
}

#[test]
fn golden_poolers_legacy_ema() {
    let Some(branch) = Branch::open("legacy_ema") else { return };
    let marks = branch.marks();
    let rows = branch.rows();
    // A segment goes from behind the last opening of a turn to the last end of one, and is empty if that is before it.
    let segment = |row: &[i32]| {
        let last = |id: u32| row.iter().rposition(|&token| token == id as i32).unwrap();
        (last(marks.start) + 3, last(marks.end))
    };
    for (case, config, head) in branch.heads() {
        let mut sequences = Sequences::padding(rows.len(), rows[0].len());
        for (index, row) in rows.iter().enumerate() {
            let (start, end) = segment(row);
            sequences.last[index] = end;
            for column in start - config.aggregation.opening..=end {
                sequences.answer[index * row.len() + column] = true;
            }
        }
        let mask: Vec<f64> = sequences.answer.iter().map(|&inside| f64::from(u8::from(inside))).collect();
        assert_eq!(mask, branch.io[&format!("{case}.segment_mask")].values, "{case}");

        let states = branch.states(&config);
        let all = head.aggregate_tokens(&states, &sequences);
        let mut actual = values(all.clone());
        let name = format!("{case}.token_states");
        let mut expected = branch.io[&name].values.clone();
        let d_model = config.d_model;
        for (at, &inside) in sequences.answer.iter().enumerate() {
            let range = at * d_model..(at + 1) * d_model;
            // The reference hides what is outside of the segment even where there is nothing to pool; and it is not a
            // number where it divides by no tokens.
            let is_undefined = expected[range.clone()].iter().any(|x| x.is_nan());
            assert!(!is_undefined || !inside, "{name}");
            if is_undefined || (!inside && config.aggregation.tokens == TokenPooling::EndOfTurn) {
                actual[range.clone()].fill(0.0);
                expected[range].fill(0.0);
            }
        }
        branch.compare(&name, &actual, &expected);

        // Row by row, as the first one may have no segment and so no candidate.
        let finals = branch.io[&format!("{case}.final_states")].values.clone();
        for (row, tokens) in rows.iter().enumerate() {
            let (start, end) = segment(tokens);
            if start > end {
                continue;
            }
            let batch = branch.batch_of(&[row], |_| (start, end));
            let states: Vec<_> = states.iter().map(|states| states.clone().narrow(0, row, 1)).collect();
            let selection = config.aggregation.selection().select(&states, &batch);
            let what = format!("{case} row {row}");
            branch.compare(
                &what,
                &values(head.aggregate(&selection)),
                &finals[row * d_model..(row + 1) * d_model],
            );
            let rewards = head.forward_batch(&states, &batch);
            for (index, reward) in config.rewards.iter().enumerate() {
                let expected = branch.io[&format!("{case}.reward.{reward}")].values[row];
                branch.compare(&what, &values(rewards.clone().narrow(1, index, 1)), &[expected]);
            }
        }
    }
}

#[test]
fn golden_poolers_running_sums() {
    for name in ["main", "new_pooler"] {
        let Some(branch) = Branch::open(name) else { continue };
        let rows = branch.rows();
        let mut sequences = Sequences::padding(rows.len(), rows[0].len());
        for (message, &reset) in sequences.messages.iter_mut().zip(&branch.io["func.reset_mask"].values) {
            message.end = reset == 1.0;
        }
        for (function, running) in [
            ("group_cumsum", PrefixReduction::Sum),
            ("group_cummean", PrefixReduction::Mean),
            ("group_cummean_weighted", PrefixReduction::Weighted),
        ] {
            let actual = running.forward(branch.tensor("hidden_states.0"), &sequences);
            branch.check(&format!("func.{function}"), values(actual));
        }
    }
}

#[test]
fn golden_poolers_moving_averages() {
    let Some(branch) = Branch::open("legacy_ema") else { return };
    let states = branch.tensor("hidden_states.0");
    let mask = branch.tensor("func.segment_mask");
    let everywhere = mask.clone().expand(states.dims());
    let ln = |beta: f64| Tensor::<1>::from_data([beta.ln()], &branch.device);
    let mut found = 0;
    for name in branch.io.keys() {
        let (steps, gains, beta) = match name.split("beta").collect::<Vec<_>>()[..] {
            ["func.complex_scan.", beta] => (everywhere.clone(), everywhere.clone(), beta),
            ["func.complex_selective_scan.", beta] => {
                (branch.tensor("func.decay"), branch.tensor("func.sustain"), beta)
            }
            _ => continue,
        };
        let averages = moving_average(states.clone(), steps, gains, ln(beta.parse().unwrap()));
        branch.check(name, values(averages * mask.clone()));
        found += 1;
    }
    assert!(found > 0);
}

#[test]
fn golden_poolers_segments() {
    let Some(branch) = Branch::open("new_pooler") else { return };
    for (variant, headers) in [("prefix", true), ("noprefix", false)] {
        let marks = MessageMarks { headers, ..branch.marks() };
        let (mut state, mut ids, mut inside, mut ends) = (vec![], vec![], vec![], vec![]);
        for row in branch.rows() {
            let parts = marks.parts(&row);
            state.extend(parts.iter().map(|&part| f64::from(part as u8)));
            // In the reference, a token between messages is in none, but the attention with headers lets it see the others
            // of the conversation's beginning; our split follows the attention.
            let taken = |part: &MessagePart| match headers {
                true => *part != MessagePart::Outside,
                false => matches!(part, MessagePart::Content | MessagePart::End),
            };
            inside.extend(parts.iter().map(|part| f64::from(u8::from(taken(part)))));
            let split = Messages::Marked(marks).split(&row, 0);
            if !headers {
                let split: Vec<bool> = split.iter().map(|token| token.inside).collect();
                assert_eq!(split, parts.iter().map(taken).collect::<Vec<_>>());
            }
            ids.extend(split.iter().map(|token| f64::from(token.message)));
            ends.extend(split.iter().map(|token| f64::from(u8::from(token.end))));
        }
        for (what, actual) in
            [("state", state), ("segment_id", ids), ("segment_mask", inside), ("class_mask", ends)]
        {
            assert_eq!(actual, branch.io[&format!("segments.{variant}.{what}")].values, "{variant} {what}");
        }
    }
}

impl Branch {
    fn open(name: &str) -> Option<Self> {
        let golden = Golden::open();
        let file = |kind: &str| format!("poolers/{name}.{kind}");
        Some(Self {
            json: golden.json(&file("json"))?,
            io: golden.tensors(&file("io.safetensors"))?,
            weights: golden.tensors(&file("weights.safetensors"))?,
            device: device(),
        })
    }

    /// Every case with its head, whose number of parameters is checked.
    fn heads(&self) -> Vec<(&str, PreferenceHeadConfig, PreferenceHead)> {
        let cases = entries(&self.json["cases"]);
        let of_case = |(case, value): (&'_ String, &Value)| {
            let config = config::head_config(&self.json, value);
            let head = weights::load(&config, case, &self.weights);
            let parameters = value["parameters"].as_u64().unwrap() as usize;
            assert_eq!(config.parameters(), parameters, "{case}");
            assert_eq!(head.num_params(), parameters, "{case}");
            (config, head)
        };
        cases
            .iter()
            .map(|(case, value)| {
                let (config, head) = of_case((case, value));
                (case.as_str(), config, head)
            })
            .collect()
    }

    fn marks(&self) -> MessageMarks {
        let id = |name: &str| self.json["special_ids"][name].as_u64().unwrap() as u32;
        MessageMarks {
            start: id("sep_token_id"),
            end: id("cls_token_id"),
            newline: id("new_token_id"),
            headers: true,
        }
    }

    fn rows(&self) -> Vec<Vec<i32>> {
        let ids = &self.io["input_ids"];
        ids.values.chunks(ids.shape[1]).map(|row| row.iter().map(|&id| id as i32).collect()).collect()
    }

    /// The rows as a batch of one candidate each. `segment` tells where in a row its answer begins and ends.
    fn batch(&self, segment: impl Fn(&[i32]) -> (usize, usize)) -> Batch {
        self.batch_of(&(0..self.rows().len()).collect::<Vec<_>>(), segment)
    }

    fn batch_of(&self, rows: &[usize], segment: impl Fn(&[i32]) -> (usize, usize)) -> Batch {
        let all = self.rows();
        let seq = all[0].len();
        let mut batch = Batch { rows: rows.len(), seq, ..Batch::default() };
        for (index, &row) in rows.iter().enumerate() {
            let (start, end) = segment(&all[row]);
            batch.tokens.extend(&all[row]);
            batch.segments.extend((0..seq).map(|column| match column {
                column if column < start => PROMPT_SEGMENT,
                column if column <= end => 1,
                _ => PADDING_SEGMENT,
            }));
            batch.answers.push(index * seq + start);
            batch.ends.push(index * seq + end);
            batch.sets.push(index..index + 1);
        }
        batch
    }

    /// The hidden states that a head reads.
    fn states(&self, config: &PreferenceHeadConfig) -> Vec<Tensor<3>> {
        let last = self.json["shapes"]["n_hidden_states"].as_u64().unwrap() as usize - 1;
        let layers = config.aggregation.layers_needed().iter();
        layers
            .map(|layer| match layer {
                Layer::At(index) => self.tensor(&format!("hidden_states.{index}")),
                Layer::Last => self.tensor(&format!("hidden_states.{last}")),
            })
            .collect()
    }

    fn tensor(&self, name: &str) -> Tensor<3> {
        let golden = &self.io[name];
        let shape: [usize; 3] = golden.shape[..].try_into().unwrap();
        Tensor::from_data(TensorData::new(golden.values.clone(), shape), (&self.device, DType::F32))
    }

    #[track_caller]
    fn check(&self, name: &str, actual: Vec<f64>) {
        self.compare(name, &actual, &self.io[name].values);
    }

    #[track_caller]
    fn compare(&self, what: &str, actual: &[f64], expected: &[f64]) {
        // Rounding grows with the values. Those of cases without adapters stay below 10; with adapters they reach 55, where
        // the reference in f64 is off by 3.4e-5 itself.
        let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        let limit = number(&self.json["tolerance_float32"]) * (largest / 10.0).max(1.0);
        assert_close(what, actual, expected, limit, 0.0);
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
