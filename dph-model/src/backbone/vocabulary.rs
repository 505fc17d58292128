//! Extension of the vocabulary.

use std::convert::Infallible;

use burn::tensor::TensorData;
use dph_core::WeightInit;

use super::Backbone;
use crate::decoder::{Decoder, DecoderConfig, ParamKey};
use crate::family::{ConfigError, Family, keys};

impl Backbone {
    /// Extends the vocabulary to `vocab` tokens. The rows of new tokens in the embedding (and in the output matrix of
    /// an untied model) are initialised like those of a new model: normal with the family's standard deviation.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be parsed, which cannot happen for a loaded model.
    ///
    /// # Panics
    ///
    /// If the vocabulary is already larger.
    pub fn with_vocab(&self, vocab: usize, seed: u64) -> Result<Self, ConfigError> {
        assert!(vocab >= self.vocab(), "a vocabulary of {} cannot shrink to {vocab}", self.vocab());
        let mut keys = keys(self.config_json())?;
        keys.insert("vocab_size".into(), vocab.into());
        let json = serde_json::to_string(&keys)?;
        let family = Family::parse(&json)?;
        let config = DecoderConfig { vocab, ..self.config().clone() };
        let mut known: std::collections::HashMap<ParamKey, TensorData> =
            self.decoder.parameters().into_iter().map(|(key, parameter)| (key, parameter.data())).collect();
        let mut init = WeightInit::new(seed);
        let matrices = self.decoder.embedding.base().dtype();
        let decoder = Decoder::assemble(&config, &self.device(), matrices, |key, shape| {
            let data =
                known.remove(&key).unwrap_or_else(|| unreachable!("both models have the same parameters"));
            Ok::<_, Infallible>(match key {
                ParamKey::Embedding | ParamKey::Head => with_rows(data, shape, config.init_std, &mut init),
                _ => data,
            })
        });
        match decoder {
            Ok(decoder) => Ok(self.with_decoder(decoder, json, family, config)),
            Err(never) => match never {},
        }
    }
}

/// Appends random rows to a matrix.
fn with_rows(data: TensorData, shape: &[usize], std: f32, init: &mut WeightInit) -> TensorData {
    let mut values: Vec<f32> = data.iter::<f32>().collect();
    let missing = shape.iter().product::<usize>() - values.len();
    values.extend(init.normal([missing], std).iter::<f32>());
    TensorData::new(values, shape.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn old_tokens_keep_their_rows_and_the_configuration_counts_the_new_ones() {
        let config = r#"{"model_type": "lswt", "vocab_size": 30, "d_vocab": 8, "d_model": 16, "d_ffn": 24,
            "n_heads": 2, "n_layers": 1, "rope_positions": 64}"#;
        let old = Backbone::init(config, 1, &Device::flex()).unwrap();
        let new = old.with_vocab(32, 2).unwrap();
        assert_eq!(new.vocab(), 32);
        assert!(new.config_json().contains("\"vocab_size\":32"));
        let rows = |backbone: &Backbone| -> Vec<f32> {
            backbone.decoder.embedding.val().into_data().try_to_vec().unwrap()
        };
        assert_eq!(rows(&new)[..30 * 8], rows(&old)[..]);
        assert!(rows(&new)[30 * 8..].iter().all(|&value| value != 0.0));
        assert_eq!(rows(&new), rows(&old.with_vocab(32, 2).unwrap()));
    }
}
