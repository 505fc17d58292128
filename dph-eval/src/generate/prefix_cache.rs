//! [`PrefixCache`]: prompts that later prompts may begin with.

use dph_core::Layer;
use dph_model::{Backbone, GenerateError, Prefix, PromptRequest, Prompts};

/// Fewer tokens than these are not worth a copy.
const FEWEST: usize = 8;

/// Tokens that are compared at once.
const CHUNK: usize = 16;

/// Prompts that later prompts may begin with, such as a system prompt or an earlier turn of a conversation: their keys and values and the
/// states that a preference head reads. Those that were not used for the longest time are dropped when they need more memory than the
/// cache may have. It is for one model.
///
/// ```no_run
/// # fn run(model: &dph_eval::Model, turns: &[Vec<u32>]) -> Result<(), Box<dyn std::error::Error>> {
/// use dph_eval::{BestOf, Generation, PrefixCache};
///
/// let mut prefixes = PrefixCache::new(256 << 20);
/// for prompt in turns {
///     // Of every turn only what is new is computed.
///     let mut generation = Generation::with_prefixes(model, &[prompt.clone()], &BestOf::default(), &mut prefixes)?;
///     while generation.step(&mut |_| {})? {}
///     println!("{}", generation.finish()?[0].best().text);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct PrefixCache {
    most_bytes: usize,
    kept: Vec<Kept>,
    /// Number of times that a prefix was kept or used.
    uses: u64,
    hits: usize,
    saved: usize,
}

/// A prompt that is kept.
#[derive(Debug)]
struct Kept {
    prefix: Prefix,
    bytes: usize,
    /// When it was used last, as [`PrefixCache::uses`].
    used: u64,
}

impl PrefixCache {
    /// A cache with at most this much memory. With 0 nothing is kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| kept.bytes).sum()
    }

    /// Number of prompts that began with tokens that were kept.
    pub fn hits(&self) -> usize {
        self.hits
    }

    /// Number of tokens that were not computed again.
    pub fn saved(&self) -> usize {
        self.saved
    }

    /// Computes the prompts of several requests together. A single one of a request continues the longest prefix of it that is kept, and
    /// is kept itself. Prompts that begin like others of these are computed after those.
    pub(crate) fn prompts<'a>(
        &mut self,
        backbone: &'a Backbone,
        requests: &[&[Vec<u32>]],
        layers: &[Layer],
    ) -> Result<Vec<Prompts<'a>>, GenerateError> {
        let (now, later) = self.rounds(requests, layers);
        let mut computed: Vec<(usize, Prompts<'a>)> = Vec::with_capacity(requests.len());
        for places in [now, later] {
            let prompts: Vec<&[Vec<u32>]> = places.iter().map(|&place| requests[place]).collect();
            computed.extend(places.into_iter().zip(self.round(backbone, &prompts, layers)?));
        }
        computed.sort_by_key(|(place, _)| *place);
        Ok(computed.into_iter().map(|(_, prompts)| prompts).collect())
    }

    /// The requests that are computed in a first and in a second pass: the second ones share tokens with a first one that no kept prefix
    /// has.
    fn rounds(&self, requests: &[&[Vec<u32>]], layers: &[Layer]) -> (Vec<usize>, Vec<usize>) {
        let (mut now, mut later): (Vec<usize>, Vec<usize>) = Default::default();
        for (place, prompts) in requests.iter().enumerate() {
            let waits = matches!(prompts, [prompt] if self.most_bytes > 0 && !now.is_empty() && {
                let kept = self.find(prompt, layers).map_or(0, |(_, tokens)| tokens);
                let begins_alike = |&first: &usize| match requests[first] {
                    [first] => shared(first, prompt) >= kept + FEWEST,
                    _ => false,
                };
                now.iter().any(begins_alike)
            });
            if waits { &mut later } else { &mut now }.push(place);
        }
        (now, later)
    }

    /// Computes the prompts of several requests in one pass.
    fn round<'a>(
        &mut self,
        backbone: &'a Backbone,
        requests: &[&[Vec<u32>]],
        layers: &[Layer],
    ) -> Result<Vec<Prompts<'a>>, GenerateError> {
        let found = |prompts: &&[Vec<u32>]| match prompts {
            [prompt] => self.find(prompt, layers),
            _ => None,
        };
        let found: Vec<Option<(usize, usize)>> = requests.iter().map(found).collect();
        let mut together = Vec::with_capacity(requests.len());
        for (&prompts, found) in requests.iter().zip(&found) {
            let prefix = found.map(|(place, tokens)| (&self.kept[place].prefix, tokens));
            together.push(PromptRequest { prompts, prefix });
        }
        let computed = backbone.prompts_together(&together, layers)?;
        self.hits += found.iter().flatten().count();
        self.saved += found.iter().flatten().map(|(_, tokens)| tokens).sum::<usize>();
        for (place, _) in found.iter().flatten() {
            self.uses += 1;
            self.kept[*place].used = self.uses;
        }
        for prefix in computed.iter().filter_map(Prompts::prefix) {
            self.keep(prefix);
        }
        Ok(computed)
    }

    /// The prefix that shares most tokens with a prompt, and their number.
    fn find(&self, prompt: &[u32], layers: &[Layer]) -> Option<(usize, usize)> {
        let shared = |kept: &Kept| match kept.prefix.layers() == layers {
            true => (shared(kept.prefix.tokens(), prompt), kept.used),
            false => (0, kept.used),
        };
        let found = self.kept.iter().map(shared).enumerate().max_by_key(|(_, found)| *found);
        found.map(|(place, (tokens, _))| (place, tokens)).filter(|(_, tokens)| *tokens >= FEWEST)
    }

    /// Keeps a prefix instead of those that it begins with.
    fn keep(&mut self, prefix: Prefix) {
        let bytes = prefix.bytes();
        let is_new = !self.kept.iter().any(|kept| kept.prefix.tokens().starts_with(prefix.tokens()));
        if bytes > self.most_bytes || !is_new {
            return;
        }
        self.kept.retain(|kept| !prefix.tokens().starts_with(kept.prefix.tokens()));
        self.uses += 1;
        self.kept.push(Kept { prefix, bytes, used: self.uses });
        let mut all = self.bytes();
        while all > self.most_bytes {
            let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(place, _)| place) else { return };
            all -= self.kept.swap_remove(oldest).bytes;
        }
    }
}

/// How many tokens of a prompt need not be computed behind these. The last token of a prompt is always computed, since its state predicts
/// the answer.
fn shared(tokens: &[u32], prompt: &[u32]) -> usize {
    let all_but_last = &prompt[..prompt.len().saturating_sub(1)];
    // Whole chunks at once: with hundreds of kept prompts, most of the time of a search is spent here.
    let chunks = tokens.chunks(CHUNK).zip(all_but_last.chunks(CHUNK)).take_while(|(a, b)| a == b).count();
    let same = (chunks * CHUNK).min(tokens.len());
    let behind = tokens[same..].iter().zip(&all_but_last[same..]);
    same + behind.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use dph_core::Layer;

    use super::*;

    const LLAMA: &str = r#"{"model_type": "llama", "vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3, "max_position_embeddings": 128}"#;

    /// A prompt of a family, whose first 20 tokens are those of all of its members.
    fn prompt(family: u32, member: u32) -> Vec<u32> {
        (0..20)
            .map(|index| (7 * family + index) % 64)
            .chain((0..10).map(|index| (member + index) % 64))
            .collect()
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_is_dropped() {
        let backbone = Backbone::init(LLAMA, 1, &dph_core::device("flex").unwrap()).unwrap();
        let layers = [Layer::Last];
        let size = backbone.prompts(&[prompt(0, 0)], &layers).unwrap().prefix().unwrap().bytes();
        let mut cache = PrefixCache::new(3 * size);
        let saved = |cache: &mut PrefixCache, family, member| {
            let before = cache.saved();
            cache.prompts(&backbone, &[&[prompt(family, member)]], &layers).unwrap();
            assert!(cache.bytes() <= 3 * size && !cache.kept.is_empty());
            cache.saved() - before
        };
        assert_eq!([0, 1, 2].map(|family| saved(&mut cache, family, 9)), [0; 3]);
        assert_eq!(saved(&mut cache, 0, 9), 29, "all but the last token");
        assert_eq!(cache.kept.len(), 3, "it is kept once");
        // There is no room for a fourth one, and family 1 was not used since.
        assert_eq!(saved(&mut cache, 3, 9), 0);
        assert_eq!(saved(&mut cache, 0, 33), 20, "what two members share");
        assert_eq!(saved(&mut cache, 1, 33), 0);
        assert_eq!(cache.hits(), 2);
        // Other layers, and several prompts.
        cache.prompts(&backbone, &[&[prompt(1, 33)]], &[Layer::At(1)]).unwrap();
        cache.prompts(&backbone, &[&[prompt(1, 33), prompt(1, 33)]], &layers).unwrap();
        assert_eq!(cache.hits(), 2);
        let mut none = PrefixCache::new(0);
        assert_eq!(
            [9, 9].map(|member| {
                none.prompts(&backbone, &[&[prompt(0, member)]], &layers).unwrap();
                none.saved()
            }),
            [0; 2]
        );
        assert_eq!(none.bytes(), 0);
    }

    #[test]
    fn shared_tokens_are_counted_to_the_first_difference() {
        let all: Vec<u32> = (0..50).collect();
        for length in [0, 1, 15, 16, 17, 32, 40, 50] {
            let tokens = &all[..length];
            // The last token of the prompt is always computed.
            assert_eq!(shared(tokens, &all), length.min(49), "{length}");
            assert_eq!(shared(&all, tokens), length.saturating_sub(1), "{length}");
            for place in 0..length {
                let mut other = tokens.to_vec();
                other[place] = 99;
                assert_eq!(shared(&other, &all), place.min(49), "{length}, {place}");
            }
        }
    }

    #[test]
    fn a_longer_prompt_replaces_those_that_it_begins_with() {
        let backbone = Backbone::init(LLAMA, 1, &dph_core::device("flex").unwrap()).unwrap();
        let mut cache = PrefixCache::new(1 << 20);
        for turn in [10, 20, 30, 15] {
            cache.prompts(&backbone, &[&[prompt(0, 9)[..turn].to_vec()]], &[]).unwrap();
        }
        assert_eq!((cache.kept.len(), cache.hits(), cache.saved()), (1, 3, 10 + 20 + 14));
    }
    #[test]
    fn what_several_new_prompts_begin_with_is_computed_once() {
        let backbone = Backbone::init(LLAMA, 1, &dph_core::device("flex").unwrap()).unwrap();
        let layers = [Layer::Last];
        let two = [prompt(3, 1), prompt(3, 2)];
        let one = [[prompt(0, 0)], [prompt(0, 33)], [prompt(1, 5)], [prompt(0, 40)]];
        let requests: Vec<&[Vec<u32>]> = one.iter().map(|one| &one[..]).chain([&two[..]]).collect();
        for (most_bytes, expected) in [(1 << 20, (2, 40)), (0, (0, 0))] {
            let mut cache = PrefixCache::new(most_bytes);
            let all = cache.prompts(&backbone, &requests, &layers).unwrap();
            assert_eq!((cache.hits(), cache.saved()), expected);
            for (found, request) in all.iter().zip(&requests) {
                assert_eq!(found.tokens(), *request);
                let alone = backbone.prompts(request, &layers).unwrap();
                let difference = (found.states()[0].clone() - alone.states()[0].clone()).abs().max();
                assert!(difference.into_scalar::<f32>() < 1e-5);
            }
        }
    }
}
