//! [`PrefixCache`]: prompts that later prompts may begin with.

use dph_core::Layer;
use dph_model::{Backbone, GenerateError, Prefix, Prompts};

/// Fewer tokens than these are not worth a copy.
const FEWEST: usize = 8;

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
    /// The one that was used last is the last.
    kept: Vec<Prefix>,
    hits: usize,
    saved: usize,
}

impl PrefixCache {
    /// A cache with at most this much memory. With 0 nothing is kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(Prefix::bytes).sum()
    }

    /// Number of prompts that began with tokens that were kept.
    pub fn hits(&self) -> usize {
        self.hits
    }

    /// Number of tokens that were not computed again.
    pub fn saved(&self) -> usize {
        self.saved
    }

    /// Computes prompts. A single one continues the longest prefix of it that is kept, and is kept itself.
    pub(crate) fn prompts<'a>(
        &mut self,
        backbone: &'a Backbone,
        prompts: &[Vec<u32>],
        layers: &[Layer],
    ) -> Result<Prompts<'a>, GenerateError> {
        let [prompt] = prompts else { return backbone.prompts(prompts, layers) };
        let computed = match self.find(prompt, layers) {
            Some((place, tokens)) => {
                let found = self.kept.remove(place);
                let computed = backbone.prompt_after(&found, tokens, prompt);
                self.kept.push(found);
                self.hits += 1;
                self.saved += tokens;
                computed?
            }
            None => backbone.prompts(prompts, layers)?,
        };
        if let Some(prefix) = computed.prefix() {
            self.keep(prefix);
        }
        Ok(computed)
    }

    /// The prefix that shares most tokens with a prompt, and their number. The last token of a prompt is always computed, since its state
    /// predicts the answer.
    fn find(&self, prompt: &[u32], layers: &[Layer]) -> Option<(usize, usize)> {
        let shared = |prefix: &Prefix| match prefix.layers() == layers {
            true => prefix
                .tokens()
                .iter()
                .zip(&prompt[..prompt.len().saturating_sub(1)])
                .take_while(|(a, b)| a == b)
                .count(),
            false => 0,
        };
        let found = self.kept.iter().map(shared).enumerate().max_by_key(|(_, tokens)| *tokens);
        found.filter(|(_, tokens)| *tokens >= FEWEST)
    }

    /// Keeps a prefix instead of those that it begins with.
    fn keep(&mut self, prefix: Prefix) {
        let bytes = prefix.bytes();
        let is_new = !self.kept.iter().any(|kept| kept.tokens().starts_with(prefix.tokens()));
        if bytes > self.most_bytes || !is_new {
            return;
        }
        self.kept.retain(|kept| !prefix.tokens().starts_with(kept.tokens()));
        self.kept.push(prefix);
        while self.bytes() > self.most_bytes {
            self.kept.remove(0);
        }
    }
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
            cache.prompts(&backbone, &[prompt(family, member)], &layers).unwrap();
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
        cache.prompts(&backbone, &[prompt(1, 33)], &[Layer::At(1)]).unwrap();
        cache.prompts(&backbone, &[prompt(1, 33), prompt(1, 33)], &layers).unwrap();
        assert_eq!(cache.hits(), 2);
        let mut none = PrefixCache::new(0);
        assert_eq!(
            [9, 9].map(|member| {
                none.prompts(&backbone, &[prompt(0, member)], &layers).unwrap();
                none.saved()
            }),
            [0; 2]
        );
        assert_eq!(none.bytes(), 0);
    }

    #[test]
    fn a_longer_prompt_replaces_those_that_it_begins_with() {
        let backbone = Backbone::init(LLAMA, 1, &dph_core::device("flex").unwrap()).unwrap();
        let mut cache = PrefixCache::new(1 << 20);
        for turn in [10, 20, 30, 15] {
            cache.prompts(&backbone, &[prompt(0, 9)[..turn].to_vec()], &[]).unwrap();
        }
        assert_eq!((cache.kept.len(), cache.hits(), cache.saved()), (1, 3, 10 + 20 + 14));
    }
}
