//! [`LinearReward`]: a preference head as one linear layer on a hidden state.

use burn::tensor::Tensor;

use super::pooling::PoolingKind;
use super::preference_head::{PreferenceHead, PreferenceHeadConfig};
use crate::aggregation::{Layer, LayerPooling, NormPlace, TokenPooling};

/// The rewards of a head as `weight · x + offset`, where `x` is the last hidden state of the last token. The standardisation of the
/// head is a part of both.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearReward {
    /// One row for each reward, `[heads][d_model]`.
    pub weight: Vec<Vec<f32>>,
    /// One number for each reward.
    pub offset: Vec<f32>,
}

/// Why a head is not one linear layer on the last state of the last token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the preference head is not one linear layer on the last state of the last token: {reason}")]
pub struct NotLinear {
    reason: String,
}

impl PreferenceHead {
    /// The head as one linear layer.
    ///
    /// # Errors
    ///
    /// If the head reads another state than the last one of the last token, or its pooling function is not linear.
    pub fn to_linear(&self, config: &PreferenceHeadConfig) -> Result<LinearReward, NotLinear> {
        if let Some(reason) = nonlinearity(config) {
            return Err(NotLinear { reason });
        }
        let rows = floats(self.rewards.weight.val().transpose());
        let biases = self.rewards.bias.as_ref().map(|bias| floats(bias.val()));
        let statistics = self
            .standardise
            .as_ref()
            .map(|statistics| [&statistics.mean, &statistics.std].map(|it| floats(it.val())));
        let mut linear = LinearReward { weight: Vec::new(), offset: Vec::new() };
        for (index, row) in rows.chunks(config.d_model).enumerate() {
            let mut row = row.to_vec();
            let mut offset = biases.as_ref().map_or(0.0, |biases| f64::from(biases[index]));
            for (weight, (mean, std)) in
                row.iter_mut().zip(statistics.iter().flat_map(|[mean, std]| mean.iter().zip(std)))
            {
                *weight /= std;
                offset -= f64::from(*weight) * f64::from(*mean);
            }
            linear.weight.push(row);
            linear.offset.push(offset as f32);
        }
        Ok(linear)
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// What is not linear in a head, or not in the last state of the last token.
fn nonlinearity(config: &PreferenceHeadConfig) -> Option<String> {
    let aggregation = &config.aggregation;
    let is_last = match &aggregation.layers {
        LayerPooling::One(layer) => *layer == Layer::Last,
        LayerPooling::Mean(layers) => layers[..] == [Layer::Last],
        _ => false,
    };
    let name = |value: serde_json::Result<serde_json::Value>| value.unwrap_or_default().to_string();
    if !is_last {
        let layers = name(serde_json::to_value(&aggregation.layers));
        return Some(format!("it reads the layers {layers}, not the last one"));
    }
    if aggregation.tokens != TokenPooling::EndOfTurn {
        let tokens = name(serde_json::to_value(&aggregation.tokens));
        return Some(format!("it reads tokens by {tokens}, not the last one"));
    }
    if aggregation.layer_norm != NormPlace::None || aggregation.token_norm != NormPlace::None {
        return Some("it normalises the state".into());
    }
    if config.pooling != PoolingKind::Identity {
        let pooling = name(serde_json::to_value(config.pooling));
        return Some(format!("its pooling is {pooling}, not \"identity\""));
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;
    use safetensors::tensor::SafeTensors;

    use super::*;
    use crate::aggregation::Aggregation;

    #[test]
    fn a_linear_head_gives_the_same_rewards() {
        let device = Device::flex();
        let config = PreferenceHeadConfig {
            standardise: true,
            bias: true,
            rewards: vec!["a".into(), "b".into()],
            ..PreferenceHeadConfig::new(3, 4)
        };
        let vectors = [[1.0, -2.0, 30.0], [3.0, 0.5, 50.0], [2.0, 1.0, 10.0]];
        let head = config.init(1, &device).with_statistics(vectors.iter());
        let named = [
            ("reward_heads.a.weight", vec![0.5, -1.0, 2.0]),
            ("reward_heads.b.weight", vec![1.0, 0.0, -0.25]),
        ];
        let bytes = head.to_safetensors(&config);
        let old = SafeTensors::deserialize(&bytes).unwrap();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = old
            .iter()
            .map(|(name, view)| {
                let new = named.iter().find(|(other, _)| *other == name).map(|(_, values)| values);
                let bytes =
                    new.map(|values| values.iter().flat_map(|value: &f32| value.to_le_bytes()).collect());
                (name.to_string(), view.shape().to_vec(), bytes.unwrap_or_else(|| view.data().to_vec()))
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name,
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        let head = PreferenceHead::from_safetensors(&bytes, "head".as_ref(), &config, &device).unwrap();

        let linear = head.to_linear(&config).unwrap();
        assert!(linear.offset.iter().all(|offset| *offset != 0.0));
        let rewards: Vec<f32> =
            head.forward(Tensor::from_data(vectors, &device)).into_data().iter().collect();
        for (vector, rewards) in vectors.iter().zip(rewards.chunks(2)) {
            for (reward, (row, offset)) in rewards.iter().zip(linear.weight.iter().zip(&linear.offset)) {
                let sum: f32 = row.iter().zip(vector).map(|(weight, x)| weight * x).sum();
                assert!((sum + offset - reward).abs() < 1e-5, "{sum} {offset} {reward}");
            }
        }
    }

    #[test]
    fn what_is_not_linear_is_said() {
        let reason = |change: &dyn Fn(&mut PreferenceHeadConfig)| {
            let mut config = PreferenceHeadConfig::new(4, 8);
            change(&mut config);
            config.init(1, &Device::flex()).to_linear(&config).err().map(|error| error.to_string())
        };
        assert_eq!(reason(&|_| ()), None);
        let layers = |layers| Aggregation { layers, ..Aggregation::default() };
        assert_eq!(
            reason(&|config| config.aggregation = layers(LayerPooling::Mean(vec![Layer::Last]))),
            None
        );
        for (found, expected) in [
            (
                reason(&|config| config.aggregation = layers(Layer::At(2).into())),
                "it reads the layers 2, not the last one",
            ),
            (
                reason(&|config| config.aggregation.tokens = TokenPooling::Mean),
                "it reads tokens by \"mean\", not the last one",
            ),
            (reason(&|config| config.aggregation.token_norm = NormPlace::Both), "it normalises the state"),
            (
                reason(&|config| config.pooling = PoolingKind::Bert),
                "its pooling is \"bert\", not \"identity\"",
            ),
        ] {
            assert!(found.as_ref().is_some_and(|found| found.ends_with(expected)), "{found:?}");
        }
    }
}
