//! Every aggregation: packed candidates, what a cache keeps, gradients, files, and what is refused.
#![allow(clippy::unwrap_used)]

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use dph_core::*;
use proptest::prelude::*;

const D_MODEL: usize = 8;

/// One of each kind, and what they are made of in combination.
const AGGREGATIONS: &[&str] = &[
    r#"layers = "last""#,
    r#"layers = 1, layer_norm = "both", token_norm = "both""#,
    r#"layers = { mean = [1, 2] }, tokens = "mean""#,
    r#"layers = { mean = [1, 2] }, layer_norm = "pre", tokens = "max""#,
    r#"layers = { weighted = [0, 2, "last"] }"#,
    r#"layers = { weighted = [0, "last"] }, tokens = "weighted-mean", opening = 2"#,
    r#"layers = { signed = [0, "last"] }, tokens = "max", token_norm = "pre""#,
    r#"tokens = { moving-average = { decay = 0.8 } }"#,
    r#"tokens = { moving-average = { learn = "global" } }, opening = 1"#,
    r#"tokens = { moving-average = { learn = "components", rotation = true, expansion = 2, gate = true, gate_bias = true } }"#,
    r#"tokens = { attention = { layers = ["pool"], heads = 2 } }"#,
    r#"tokens = { attention = { layers = ["self", "feed-forward"], heads = 2, gate = true, norm = "both" } }, opening = 1"#,
    r#"tokens = { attention = { layers = ["self", "cross"], heads = 2, repeats = 2 } }"#,
    r#"tokens = { attention = { layers = ["pool-linear", "cross"], heads = 2, subtract_input = true, messages = "whole" } }"#,
    r#"layers = { weighted = [1, 2] }, layer_norm = "post", tokens = { attention = { layers = ["pool", "cross", "feed-forward"],
       heads = 2, repeats = 2, adapters = { rank = 2 }, messages = { marked = { start = 1, end = 2, newline = 3 } } } }"#,
    r#"tokens = { attention = { layers = ["self", "cross"], heads = 4,
       messages = { marked = { start = 1, end = 2, newline = 3, headers = true } } } }"#,
];

fn config(aggregation: &str) -> PreferenceHeadConfig {
    let aggregation = aggregation.replace('\n', " ");
    let toml = format!(
        "d_model = {D_MODEL}\nd_ffn = 12\nrewards = [\"a\", \"b\"]\nstandardise = true\naggregation = {{ {aggregation} }}"
    );
    let config: PreferenceHeadConfig = toml::from_str(&toml).unwrap_or_else(|error| panic!("{error}"));
    config.check().unwrap();
    config
}

/// A head with weights other than those it starts with.
fn head(config: &PreferenceHeadConfig, device: &Device) -> PreferenceHead {
    config.init(5, device).map(&mut Noise(WeightInit::new(6)))
}

struct Noise(WeightInit);

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let learns = param.is_require_grad();
        let noisy = param.map(|tensor| {
            let noise = Tensor::from_data(self.0.normal(tensor.dims(), 0.3), &tensor.device());
            (tensor.detach() + noise).detach()
        });
        noisy.set_require_grad(learns)
    }
}

/// States that depend on a token and its place, as those of a model do, for each of the layers.
fn states(layers: &[Layer], batch: &Batch, device: &Device) -> Vec<Tensor<3>> {
    let of_layer = |layer: &Layer| {
        let seed = match layer {
            Layer::At(index) => *index as f32,
            Layer::Last => 9.0,
        };
        let values: Vec<f32> = (0..batch.rows * batch.seq)
            .flat_map(|at| {
                let (token, place) = (batch.tokens[at] as f32, batch.positions[at] as f32);
                (0..D_MODEL).map(move |i| (1.3 * token + 0.7 * place + (1.0 + seed) * (i as f32 + 0.3)).sin())
            })
            .collect();
        Tensor::from_data(TensorData::new(values, [batch.rows, batch.seq, D_MODEL]), device)
    };
    layers.iter().map(of_layer).collect()
}

fn pack(sets: &[CandidateSet]) -> Batch {
    Batch::pack(sets, TargetTokens::None, 0)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[track_caller]
fn assert_same(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-5 && a.iter().all(|x| x.is_finite()), "{what}: off by {worst}");
}

/// A conversation of some turns, as ChatML writes them: 1 starts a message, 2 ends it, and 3 is a newline.
fn sets() -> impl Strategy<Value = Vec<CandidateSet>> {
    let text = |longest| prop::collection::vec(4u32..20, 1..longest);
    let message = text(5).prop_map(|text| [&[1, 4, 3], &text[..], &[2, 3]].concat());
    let prompt =
        prop::collection::vec(message, 1..3).prop_map(|turns| [&turns.concat()[..], &[1, 5, 3]].concat());
    // Some candidates have a context of their own.
    let candidate = (0..3usize, text(6)).prop_map(|(own, text)| Candidate {
        tokens: [&[6, 7][..own], &text[..], &[2]].concat(),
        answer: own..own + text.len(),
        ..Candidate::default()
    });
    let set = (prompt, prop::collection::vec(candidate, 1..4));
    let set =
        set.prop_map(|(prompt, candidates)| CandidateSet { prompt, candidates, ..CandidateSet::default() });
    prop::collection::vec(set, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn packed_candidates_get_the_vectors_and_rewards_of_those_alone(sets in sets()) {
        let device = Device::flex();
        let alone = sets.iter().flat_map(CandidateSet::one_by_one);
        let one_by_one: Vec<CandidateSet> = alone.map(context_to_prompt).collect();
        for aggregation in AGGREGATIONS {
            let config = config(aggregation);
            let head = head(&config, &device);
            let selection = config.aggregation.selection();
            let of = |sets: &[CandidateSet]| {
                let batch = pack(sets);
                let states = states(&selection.layers, &batch, &device);
                let vectors = floats(head.aggregate(&selection.select(&states, &batch)));
                (vectors, floats(head.forward_batch(&states, &batch)))
            };
            let (vectors, rewards) = of(&sets);
            let alone: Vec<_> = one_by_one.iter().map(|set| of(std::slice::from_ref(set))).collect();
            let (alone_vectors, alone_rewards): (Vec<_>, Vec<_>) = alone.into_iter().unzip();
            assert_same(aggregation, &vectors, &alone_vectors.concat());
            assert_same(aggregation, &rewards, &alone_rewards.concat());
        }
    }

    #[test]
    fn what_is_kept_stands_where_it_is_said_to(sets in sets()) {
        let device = Device::flex();
        for aggregation in AGGREGATIONS {
            let selection = config(aggregation).aggregation.selection();
            let batch = pack(&sets);
            let whole = selection.select(&states(&selection.layers, &batch, &device), &batch);
            let (mut candidates, mut tokens, mut start) = (Vec::new(), Vec::new(), 0);
            for set in &sets {
                let (spans, ids) = selection.spans(set);
                let end = spans.last().unwrap().turn.end;
                candidates.extend(spans.into_iter().map(|span| {
                    let prompt = match &selection.tokens {
                        TokenSelection::Pooled(_) => span.prompt.clone(),
                        _ => span.prompt.start + start..span.prompt.end + start,
                    };
                    span.moved(prompt, span.context.start + start)
                }));
                tokens.extend(ids);
                start += end;
            }
            prop_assert_eq!(&whole.candidates, &candidates, "{}", aggregation);
            prop_assert_eq!(&whole.tokens, &tokens, "{}", aggregation);
            prop_assert_eq!(whole.values.dims(), [start, selection.vectors(), D_MODEL]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Answers of several prompts grow together, and each is dropped at its end.
    #[test]
    fn growing_answers_get_the_rewards_of_whole_ones_and_so_do_their_beginnings(sets in sets()) {
        let device = Device::flex();
        let sets: Vec<CandidateSet> =
            sets.iter().flat_map(CandidateSet::one_by_one).map(context_to_prompt).collect();
        let longest = sets.iter().map(|set| set.prompt.len()).max().unwrap();
        let padding: Vec<usize> = sets.iter().map(|set| longest - set.prompt.len()).collect();
        let prompts: Vec<Vec<u32>> = sets.iter().map(|set| set.prompt.clone()).collect();
        for aggregation in AGGREGATIONS {
            let config = config(aggregation);
            let head = head(&config, &device);
            let layers = config.aggregation.layers_needed();
            let whole = |set: &CandidateSet| {
                let batch = pack(std::slice::from_ref(set));
                floats(head.forward_batch(&states(layers, &batch, &device), &batch))
            };
            // Padded in front, as generation has them.
            let batch = Batch {
                rows: sets.len(),
                seq: longest,
                tokens: prompts.iter().zip(&padding).flat_map(|(prompt, &padding)| {
                    std::iter::repeat_n(0, padding).chain(prompt.iter().map(|&token| token as i32))
                }).collect(),
                positions: padding.iter().flat_map(|&padding| {
                    (0..longest).map(move |column| column.saturating_sub(padding) as i32)
                }).collect(),
                ..Batch::default()
            };
            let mut stream = head.reward_stream(&states(layers, &batch, &device), &padding, &prompts);
            // Two answers to the last prompt.
            let mut rows: Vec<usize> = (0..sets.len()).chain([sets.len() - 1]).collect();
            stream.select(&rows);
            for step in 0.. {
                let tokens: Vec<u32> = rows.iter().map(|&row| sets[row].candidates[0].tokens[step]).collect();
                let of_step = Batch {
                    rows: rows.len(),
                    seq: 1,
                    tokens: tokens.iter().map(|&token| token as i32).collect(),
                    positions: rows.iter().map(|&row| (prompts[row].len() + step) as i32).collect(),
                    ..Batch::default()
                };
                let of_step: Vec<Tensor<2>> =
                    states(layers, &of_step, &device).into_iter().map(|states| states.squeeze_dim(1)).collect();
                stream.push(&of_step, &tokens);
                let rewards = floats(stream.rewards());
                for (&row, rewards) in rows.iter().zip(rewards.chunks(2)) {
                    let mut beginning = sets[row].clone();
                    beginning.candidates[0].tokens.truncate(step + 1);
                    assert_same(&format!("{aggregation}, token {step}"), rewards, &whole(&beginning));
                }
                let going: Vec<usize> = (0..rows.len())
                    .filter(|&place| sets[rows[place]].candidates[0].tokens.len() > step + 1)
                    .collect();
                if going.is_empty() {
                    break;
                }
                stream.select(&going);
                rows = going.iter().map(|&place| rows[place]).collect();
            }
        }
    }

    #[test]
    fn the_reward_at_the_last_token_of_a_turn_is_the_reward_of_the_candidate(sets in sets()) {
        let device = Device::flex();
        let batch = pack(&sets);
        for aggregation in AGGREGATIONS {
            let config = config(aggregation);
            let head = head(&config, &device);
            let states = states(config.aggregation.layers_needed(), &batch, &device);
            let (rewards, turns) = head.forward_turns(&states, &batch);
            let [_, len, heads] = rewards.dims();
            let rewards = floats(rewards);
            let lengths: Vec<usize> = turns.iter().map(|turn| turn.len()).collect();
            let expected: Vec<usize> = sets.iter().flat_map(|set| &set.candidates)
                .map(|candidate| candidate.turn().len()).collect();
            prop_assert_eq!(lengths, expected);
            let last: Vec<f32> = turns.iter().enumerate()
                .flat_map(|(row, turn)| rewards[(row * len + turn.end - 1) * heads..][..heads].to_vec())
                .collect();
            assert_same(aggregation, &last, &floats(head.forward_batch(&states, &batch)));
        }
    }
}

/// The set of a candidate alone: everything before its answer is the prompt.
fn context_to_prompt(mut set: CandidateSet) -> CandidateSet {
    let candidate = &mut set.candidates[0];
    set.prompt.extend(candidate.tokens.drain(..candidate.answer.start));
    candidate.answer = 0..candidate.answer.len();
    set
}

/// Two sets whose rewards differ.
fn two_sets() -> Vec<CandidateSet> {
    let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 1);
    let set = |prompt: &[u32], candidates: Vec<Candidate>| CandidateSet {
        prompt: prompt.to_vec(),
        candidates,
        ..CandidateSet::default()
    };
    vec![
        set(&[1, 4, 3, 7, 2, 3, 1, 5, 3], vec![candidate(&[8, 9, 10, 2]), candidate(&[11, 2])]),
        set(&[1, 4, 3, 6, 2, 3, 1, 5, 3], vec![candidate(&[12, 13, 2])]),
    ]
}

/// The gradients of all weights, one after another.
struct OfWeights<'a>(&'a Gradients, Vec<f32>);

impl ModuleVisitor for OfWeights<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1.extend(param.val().grad(self.0).map(floats).unwrap_or_default());
    }
}

#[test]
fn gradients_are_the_same_from_a_batch_and_from_what_is_kept_and_reach_every_weight() {
    let device = Device::flex().autodiff();
    for aggregation in AGGREGATIONS {
        let config = config(aggregation);
        let head = head(&config, &device);
        let batch = pack(&two_sets());
        let selection = config.aggregation.selection();
        let of_weights = |gradients: &Gradients| {
            let mut visitor = OfWeights(gradients, Vec::new());
            head.visit(&mut visitor);
            visitor.1
        };

        let live: Vec<_> =
            states(&selection.layers, &batch, &device).into_iter().map(Tensor::require_grad).collect();
        let gradients = head.forward_batch(&live, &batch).powi_scalar(2).sum().backward();
        for states in &live {
            let gradient = floats(states.grad(&gradients).unwrap());
            assert!(gradient.iter().any(|x| *x != 0.0), "{aggregation}: no gradient of the states");
        }
        let from_batch = of_weights(&gradients);
        assert_eq!(from_batch.len(), config.parameters(), "{aggregation}: a weight has no gradient");

        // As a cache has it: values that went through host memory.
        let states = states(&selection.layers, &batch, &Device::flex());
        let stored = selection.select(&states, &batch);
        let cached =
            SelectedStates { values: Tensor::from_data(stored.values.into_data(), &device), ..stored };
        let from_kept = of_weights(&head.forward_selected(&cached).powi_scalar(2).sum().backward());
        assert_same(aggregation, &from_batch, &from_kept);
    }
}

#[test]
fn a_head_that_is_saved_gives_the_same_rewards_and_has_as_many_parameters_as_it_says() {
    let device = Device::flex();
    let batch = pack(&two_sets());
    for aggregation in AGGREGATIONS {
        let config = config(aggregation);
        let head = head(&config, &device);
        let fixed = 2 * config.selected_size();
        assert_eq!(head.num_params() - fixed, config.parameters(), "{aggregation}");
        let dir = tempfile::tempdir().unwrap();
        head.save(&config, dir.path()).unwrap();
        let (loaded, loaded_config) = PreferenceHead::load(dir.path(), &device).unwrap();
        assert_eq!(loaded_config, config);
        let states = states(config.aggregation.layers_needed(), &batch, &device);
        let rewards = floats(head.forward_batch(&states, &batch));
        assert_same(aggregation, &rewards, &floats(loaded.forward_batch(&states, &batch)));
        assert!(
            rewards.iter().any(|&reward| (reward - rewards[0]).abs() > 1e-3),
            "{aggregation}: {rewards:?}"
        );
    }
}

#[test]
fn a_choice_without_parameters_keeps_one_vector() {
    let selection = |aggregation: &str| config(aggregation).aggregation.selection();
    let one = selection(r#"layers = { mean = [1, 2] }, tokens = "mean""#);
    assert_eq!((one.vectors(), one.tokens), (1, TokenSelection::Pooled(TokenPooling::Mean)));
    let mixed = selection(r#"layers = { weighted = [1, 2] }, layer_norm = "both", token_norm = "post""#);
    assert_eq!((mixed.vectors(), mixed.tokens), (2, TokenSelection::Pooled(TokenPooling::EndOfTurn)));
    // A norm that learns stands between the states and their mean.
    let normed = selection(r#"layers = 1, tokens = "mean", token_norm = "pre""#);
    assert_eq!((normed.vectors(), normed.tokens), (1, TokenSelection::Answer));
    assert_eq!(selection(r#"tokens = { attention = { layers = ["pool"] } }"#).tokens, TokenSelection::Answer);
    assert_eq!(
        selection(r#"tokens = { attention = { layers = ["cross"] } }"#).tokens,
        TokenSelection::PromptAndAnswer
    );
}

#[test]
fn unknown_names_are_told_what_there_is() {
    for (aggregation, message) in [
        (
            r#"tokens = "average""#,
            "expected one of `end-of-turn`, `mean`, `weighted-mean`, `max`, `moving-average`, `attention`",
        ),
        (r#"layers = { median = [1] }"#, "expected one of `mean`, `weighted`, `signed`"),
        (r#"layer_norm = "before""#, "expected one of `none`, `pre`, `post`, `both`"),
        (
            r#"tokens = { attention = { layers = ["pooled"] } }"#,
            "expected one of `self`, `cross`, `pool`, `pool-linear`, `feed-forward`",
        ),
        (r#"tokens = { moving-average = { beta = 0.9 } }"#, "expected one of `decay`, `learn`, `rotation`"),
        (
            r#"tokens = { moving-average = { learn = "all" } }"#,
            "expected one of `fixed`, `global`, `components`",
        ),
        (
            r#"token = "mean""#,
            "expected one of `layers`, `layer_norm`, `tokens`, `token_norm`, `opening`, `running`",
        ),
    ] {
        let error = toml::from_str::<Aggregation>(aggregation).unwrap_err().to_string();
        assert!(error.contains(message), "{aggregation}: {error}");
    }
}

#[test]
fn aggregations_that_cannot_be_are_refused_with_a_remedy() {
    for (aggregation, message) in [
        (r#"layers = { mean = [] }"#, "name at least one"),
        (r#"layers = { weighted = [3, 3] }"#, "layer 3 occurs twice"),
        (r#"tokens = { attention = { layers = [] } }"#, "name at least one of \"self\""),
        (r#"tokens = { attention = { layers = ["pool"], repeats = 0 } }"#, "must be at least 1"),
        (r#"tokens = { attention = { layers = ["pool"], heads = 3 } }"#, "3 attention `heads` do not divide"),
        (r#"tokens = { moving-average = { decay = 1.0 } }"#, "greater than 0 and less than 1"),
        (r#"tokens = { moving-average = { expansion = 2 } }"#, "needs `rotation = true`"),
        (
            r#"tokens = { moving-average = { rotation = true, expansion = 2, rotate_back = false } }"#,
            "`rotate_back = true`",
        ),
        (r#"tokens = { moving-average = { gate_bias = true } }"#, "`gate_bias` requires `gate = true`"),
    ] {
        let aggregation: Aggregation = toml::from_str(aggregation).unwrap();
        let error = aggregation.check(D_MODEL).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
