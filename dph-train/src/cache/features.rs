//! Features: the hidden states of a frozen backbone that an aggregation needs. They are computed once, cached on disk and
//! memory-mapped.
//!
//! A feature file contains one vector per layer for each candidate, or for each selected token of the candidate. Its name is
//! a hash of everything that the values depend on: the backbone's files, the tokens of every set, the selection of the
//! aggregation and the layout of the batches.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use dph_core::{
    Batch, CandidateSet, CandidateSpan, Layer, LayerStates, SelectedStates, StateSelection, TargetTokens,
    TokenPooling, TokenSelection,
};
use dph_eval::Pass;
use dph_model::Backbone;
use dph_model::checkpoint::Precision;
use memmap2::Mmap;
use serde::Serialize;

use crate::cache::batch_file::{self, BatchFile, TOKEN_BUDGET, number};
use crate::error::TrainError;

/// Version of the file format. Increase it when the meaning of a feature file changes.
const FORMAT: u32 = 3;

/// The directory of cached features, and the selections to compute together.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    /// The directory of the files.
    pub dir: PathBuf,
    /// Selections that will be needed later; one pass over the model computes all of them.
    pub selections: Vec<StateSelection>,
}

impl FeatureCache {
    /// Creates a cache that computes each selection when it is needed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), selections: Vec::new() }
    }

    /// The other selections whose layers exist in the model.
    fn others(
        &self,
        selection: &StateSelection,
        backbone: &Backbone,
    ) -> impl Iterator<Item = &StateSelection> {
        let n_layers = backbone.n_layers();
        let exists = move |other: &StateSelection| Layer::find_missing(&other.layers, n_layers).is_none();
        self.selections.iter().filter(move |other| *other != selection && exists(other))
    }
}

/// The features of a list of candidate sets. A clone is another handle to the same file.
#[derive(Clone)]
pub struct Features {
    map: Arc<Mmap>,
    selection: StateSelection,
    d_model: usize,
    /// The number of candidates before each set.
    firsts: Arc<Vec<usize>>,
    /// The token ranges of every candidate in the file.
    spans: Arc<Vec<CandidateSpan>>,
}

/// The selected hidden states of some candidates, in host memory.
#[derive(Debug, Clone, Default)]
pub struct SelectedFeatures {
    /// `[tokens, vectors, d_model]`
    values: Vec<f32>,
    shape: [usize; 2],
    tokens: Vec<i32>,
    candidates: Vec<CandidateSpan>,
}

impl SelectedFeatures {
    /// Number of selected tokens.
    pub fn tokens(&self) -> usize {
        self.values.len() / self.shape.iter().product::<usize>().max(1)
    }

    /// Copies the states to a device.
    pub fn states(&self, device: &Device) -> SelectedStates {
        let [vectors, d_model] = self.shape;
        let values = TensorData::new(self.values.clone(), [self.tokens(), vectors, d_model]);
        SelectedStates {
            values: Tensor::from_data(values, device),
            tokens: self.tokens.clone(),
            candidates: self.candidates.clone(),
        }
    }
}

impl Features {
    /// The features of `sets`. If the cache does not contain them, they are computed and written to it, together with the other
    /// selections of the cache.
    ///
    /// `model_hash` is a hash of the contents of the backbone's files.
    ///
    /// # Errors
    ///
    /// If a layer does not exist, or a file cannot be written or read.
    pub fn compute(
        cache: &FeatureCache,
        backbone: &Backbone,
        model_hash: &str,
        selection: &StateSelection,
        sets: &[CandidateSet],
        label: &str,
    ) -> Result<Self, TrainError> {
        let pass = Pass::new(backbone, sets, TargetTokens::None, TOKEN_BUDGET)?;
        let d_model = backbone.d_model();
        let file = |selection: &StateSelection| {
            let content = FeatureKey::new(selection, backbone.precision());
            let key = batch_file::file_key(&content, model_hash, sets);
            let selection = selection.clone();
            let floats = move |row: &CandidateSet| {
                let (spans, _) = selection.spans(row);
                spans.last().map_or(0, |span| span.turn.end) * selection.vectors() * d_model
            };
            BatchFile { path: cache.dir.join(format!("{key}.f32")), floats: Box::new(floats) }
        };
        // Computing a name hashes all tokens, so each name is computed only once.
        let (mut wanted, mut files) = (vec![selection], vec![file(selection)]);
        if !files[0].path.is_file() {
            wanted.extend(cache.others(selection, backbone));
            files.extend(wanted[1..].iter().map(|selection| file(selection)));
            batch_file::fill(&pass, &files, label, |batch, missing| {
                let missing: Vec<&StateSelection> = missing.iter().map(|&place| wanted[place]).collect();
                select_states(backbone, batch, &missing)
            })?;
        }
        let map = batch_file::map(&pass, &files[0])?;
        let firsts = sets.iter().scan(0, |count, set| {
            let first = *count;
            *count += set.candidates.len();
            Some(first)
        });
        Ok(Self {
            map: Arc::new(map),
            selection: selection.clone(),
            d_model,
            firsts: Arc::new(firsts.collect()),
            spans: Arc::new(spans(selection, &pass)),
        })
    }

    /// Appends the features of a candidate to `out`. `set` is the set at `index` in the list from which the features were
    /// computed.
    pub fn read(&self, index: usize, set: &CandidateSet, candidate: usize, out: &mut SelectedFeatures) {
        let span = &self.spans[self.firsts[index] + candidate];
        out.shape = [self.selection.vectors(), self.d_model];
        let start = out.tokens();
        let context = start + span.prompt.len();
        out.candidates.push(span.moved(start..context, context));
        for token in span.tokens() {
            out.values.extend(self.token(token));
        }
        if self.selection.tokens == TokenSelection::PromptAndAnswer {
            let ids = set.prompt.iter().chain(&set.candidates[candidate].tokens);
            out.tokens.extend(ids.map(|&id| id as i32));
        }
    }

    /// The vectors of every token, concatenated per token, in the order of the file.
    pub fn vectors(&self) -> impl Iterator<Item = Vec<f32>> + '_ {
        let tokens = self.map.len() / (self.width() * size_of::<f32>()).max(1);
        (0..tokens).map(|token| self.token(token).collect())
    }

    fn width(&self) -> usize {
        self.selection.vectors() * self.d_model
    }

    fn token(&self, place: usize) -> impl Iterator<Item = f32> + '_ {
        let width = self.width();
        (place * width..(place + 1) * width).map(|place| number(&self.map, place))
    }
}

/// The selected states of a batch for each of `selections`.
fn select_states(
    backbone: &Backbone,
    batch: &Batch,
    selections: &[&StateSelection],
) -> Result<Vec<Vec<f32>>, TrainError> {
    let layers = LayerStates::union(selections.iter().flat_map(|selection| &selection.layers));
    let states = backbone.hidden_states(batch, &layers)?;
    let states = LayerStates::new(layers, states);
    let floats = |selection: &&StateSelection| {
        selection.select(&states.select(&selection.layers), batch).values.into_data().iter::<f32>().collect()
    };
    Ok(selections.iter().map(floats).collect())
}

/// The token ranges of every candidate in a file that is written batch by batch, in the order of the sets.
fn spans(selection: &StateSelection, pass: &Pass<'_>) -> Vec<CandidateSpan> {
    let mut all = vec![CandidateSpan::default(); pass.candidates()];
    let mut written = 0;
    for batch in 0..pass.batches() {
        let mut of_batch = Vec::new();
        for row in pass.rows(batch) {
            let (spans, _) = selection.spans(&row.set);
            of_batch.extend(spans.iter().map(|span| {
                let prompt = written + span.prompt.start..written + span.prompt.end;
                span.moved(prompt, written + span.context.start)
            }));
            written += spans.last().map_or(0, |span| span.turn.end);
        }
        pass.scatter(batch, of_batch, &mut all);
    }
    all
}

/// The settings that the values of a feature file depend on, besides the model and the sets; see [`batch_file::file_key`].
#[derive(Serialize)]
struct FeatureKey<'a> {
    content: &'static str,
    format: u32,
    precision: Precision,
    layers: &'a [Layer],
    mean: bool,
    tokens: TokensKey<'a>,
    opening: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum TokensKey<'a> {
    Pooled(&'a TokenPooling),
    Answer,
    PromptAndAnswer,
}

impl<'a> FeatureKey<'a> {
    fn new(selection: &'a StateSelection, precision: Precision) -> Self {
        let tokens = match &selection.tokens {
            TokenSelection::Pooled(pooling) => TokensKey::Pooled(pooling),
            TokenSelection::Answer => TokensKey::Answer,
            TokenSelection::PromptAndAnswer => TokensKey::PromptAndAnswer,
        };
        let (layers, mean, opening) = (&selection.layers, selection.mean, selection.opening);
        Self { content: "features", format: FORMAT, precision, layers, mean, tokens, opening }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use dph_core::{Aggregation, Candidate};

    use super::*;

    fn backbone(registers: usize) -> Backbone {
        let config = format!(
            r#"{{"model_type": "lswt", "vocab_size": 64, "d_vocab": 8, "d_model": 16, "d_ffn": 24, "n_heads": 2,
                 "n_layers": 2, "rope_positions": 64, "n_registers": {registers}}}"#
        );
        Backbone::init(&config, 1, &burn::tensor::Device::flex()).unwrap()
    }

    fn sets(count: u32) -> Vec<CandidateSet> {
        // Every fourth set has candidates with a context of their own.
        let candidate = |own: u32, tokens: Vec<u32>| {
            let own: Vec<u32> = (0..own).collect();
            let answer = own.len()..own.len() + tokens.len() - 1;
            Candidate { tokens: [own, tokens].concat(), answer, ..Candidate::default() }
        };
        (0..count)
            .map(|i| CandidateSet {
                id: i.to_string(),
                prompt: (0..50 + i % 7).map(|t| (t + i) % 60).collect(),
                candidates: (0..2 + i % 3)
                    .map(|k| candidate(if i % 4 == 3 { k } else { 0 }, vec![k + 1, (i + k) % 60, 3]))
                    .collect(),
                gold: Some(0),
                ..CandidateSet::default()
            })
            .collect()
    }

    fn read_all(features: &Features, sets: &[CandidateSet]) -> SelectedFeatures {
        let mut out = SelectedFeatures::default();
        for (index, set) in sets.iter().enumerate() {
            (0..set.candidates.len()).for_each(|candidate| features.read(index, set, candidate, &mut out));
        }
        out
    }

    #[test]
    fn features_equal_the_states_of_each_candidate_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(dir.path());
        // With registers under reversed positions, packed candidates would affect each other.
        for registers in [0, 2] {
            let (backbone, sets) = (backbone(registers), sets(9));
            assert_eq!(backbone.is_packable(), registers == 0);
            for aggregation in aggregations() {
                let selection = aggregation.selection();
                let name = registers.to_string();
                let features =
                    Features::compute(&cache, &backbone, &name, &selection, &sets, "test").unwrap();
                let (mut alone, mut tokens) = (Vec::new(), Vec::new());
                for set in sets.iter().flat_map(CandidateSet::one_by_one) {
                    let batch = Batch::pack([&set], TargetTokens::None, 0);
                    let states = backbone.hidden_states(&batch, &selection.layers).unwrap();
                    let states = selection.select(&states, &batch);
                    alone.extend(states.values.into_data().iter::<f32>());
                    tokens.extend(states.tokens);
                }
                let packed = read_all(&features, &sets);
                assert_eq!(packed.tokens, tokens);
                assert_eq!(packed.values.len(), alone.len());
                let worst = packed.values.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "registers {registers}, {aggregation:?}: difference {worst}");
            }
        }
    }

    /// One aggregation for each kind of selection.
    fn aggregations() -> [Aggregation; 4] {
        let from = |toml: &str| toml::from_str(toml).unwrap();
        [
            Aggregation::default(),
            from("layers = { weighted = [1, \"last\"] }\ntokens = \"mean\""),
            from("layers = 1\ntokens = { moving-average = { gate = true } }\nopening = 2"),
            from(
                "layers = { weighted = [1, \"last\"] }\ntokens = { attention = { layers = [\"cross\"], heads = 2 } }",
            ),
        ]
    }

    #[test]
    fn an_interrupted_file_is_continued_and_a_complete_file_is_not_recomputed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(dir.path());
        let (backbone, sets) = (backbone(0), sets(200));
        let compute = || {
            Features::compute(&cache, &backbone, "x", &Aggregation::default().selection(), &sets, "test")
                .unwrap()
        };
        let whole = read_all(&compute(), &sets);
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // Cut inside a batch, and change the first value to detect whether it is recomputed.
        let mut part = bytes[..bytes.len() / 2 + 3].to_vec();
        part[..4].copy_from_slice(&7.0f32.to_le_bytes());
        fs::remove_file(&path).unwrap();
        fs::write(path.with_extension("partial"), &part).unwrap();
        compute();
        let resumed = fs::read(&path).unwrap();
        assert_eq!(resumed[..4], 7.0f32.to_le_bytes());
        assert!(resumed[4..] == bytes[4..], "the rest differs");

        let stamp = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(read_all(&compute(), &sets).tokens(), whole.tokens());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), stamp);

        fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        let error =
            Features::compute(&cache, &backbone, "x", &Aggregation::default().selection(), &sets, "test");
        let error = error.err().unwrap().to_string();
        assert!(error.contains("delete the file to recompute it"), "{error}");
    }

    #[test]
    fn one_pass_computes_what_several_aggregations_need() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (backbone, sets) = (backbone(0), sets(60));
        let selection: Vec<StateSelection> = aggregations().iter().map(Aggregation::selection).collect();
        let compute = |cache: &FeatureCache, selection: &StateSelection| {
            read_all(&Features::compute(cache, &backbone, "x", selection, &sets, "test").unwrap(), &sets)
        };
        let files = |dir: &tempfile::TempDir| {
            let paths = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = paths.map(|path| (path.file_name().unwrap().to_owned(), path)).collect();
            files.sort();
            files
        };
        // One selection is already cached, and one has a layer that does not exist.
        let together = FeatureCache { selections: selection.clone(), ..FeatureCache::new(dirs[0].path()) };
        compute(&FeatureCache::new(dirs[0].path()), &selection[1]);
        let deeper = Aggregation { layers: Layer::At(99).into(), ..Aggregation::default() }.selection();
        let together =
            FeatureCache { selections: [&[deeper], &together.selections[..]].concat(), ..together };
        compute(&together, &selection[0]);
        assert_eq!(files(&dirs[0]).len(), selection.len());
        for selection in &selection {
            compute(&FeatureCache::new(dirs[1].path()), selection);
        }
        for ((name, together), (other, alone)) in files(&dirs[0]).iter().zip(&files(&dirs[1])) {
            assert_eq!(name, other);
            assert!(fs::read(together).unwrap() == fs::read(alone).unwrap(), "{name:?} differs");
        }
    }

    #[test]
    fn other_tokens_layers_or_weights_have_another_key() {
        let sets = sets(3);
        let last = Aggregation::default();
        let key_of = |model: &str, aggregation: &Aggregation, sets: &[CandidateSet]| {
            let selection = aggregation.selection();
            batch_file::file_key(&FeatureKey::new(&selection, Precision::F32), model, sets)
        };
        let base = key_of("a", &last, &sets);
        assert_eq!(base, key_of("a", &last, &sets.clone()));
        let first = Aggregation { layers: Layer::At(1).into(), ..last.clone() };
        let mut other = sets.clone();
        other[1].candidates[0].tokens[0] += 1;
        let mut moved = sets.clone();
        let token = moved[0].prompt.pop().unwrap();
        moved[0].candidates.iter_mut().for_each(|candidate| {
            candidate.tokens.insert(0, token);
            candidate.answer.end += 1;
        });
        // The same tokens, but the first of them is the candidate's own context.
        let mut later = sets.clone();
        later[0].candidates[0].answer.start = 1;
        for different in [
            key_of("b", &last, &sets),
            key_of("a", &first, &sets),
            key_of("a", &last, &other),
            key_of("a", &last, &moved),
            key_of("a", &last, &later),
        ] {
            assert_ne!(base, different);
        }
    }

    /// Cached files of earlier versions must still be found: neither a renamed field nor another derive may change a key.
    #[test]
    fn the_serialised_form_of_a_key_is_fixed() {
        let json = |aggregation: &Aggregation| {
            serde_json::to_string(&FeatureKey::new(&aggregation.selection(), Precision::F32)).unwrap()
        };
        let expected = [
            r#"{"content":"features","format":3,"precision":"f32","layers":["last"],"mean":false,"tokens":{"pooled":"end-of-turn"},"opening":0}"#,
            r#"{"content":"features","format":3,"precision":"f32","layers":[1,"last"],"mean":false,"tokens":{"pooled":"mean"},"opening":0}"#,
            r#"{"content":"features","format":3,"precision":"f32","layers":[1],"mean":false,"tokens":"answer","opening":2}"#,
            r#"{"content":"features","format":3,"precision":"f32","layers":[1,"last"],"mean":false,"tokens":"prompt-and-answer","opening":0}"#,
        ];
        for (aggregation, expected) in aggregations().iter().zip(expected) {
            assert_eq!(json(aggregation), expected);
        }
        let selection = Aggregation::default().selection();
        let key = batch_file::file_key(&FeatureKey::new(&selection, Precision::F32), "model", &sets(2));
        assert_eq!(key, "1f02d35358d1d58f9609afef00e297c7");
    }
}
