//! Prefix reductions of the vectors at every token. They restart at the end of every message.

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sequences::Sequences;

/// Reduces the vector at every token with the vectors since the last end of a message, including the end itself. The
/// vector at the end of a message, and so the vector of a whole answer, is not changed.
///
/// | in TOML | vector at the i-th token since the end of a message |
/// |---|---|
/// | `"sum"` | Σⱼ≤ᵢ xⱼ |
/// | `"mean"` | Σⱼ≤ᵢ xⱼ / i |
/// | `"weighted"` | Σⱼ≤ᵢ j xⱼ / i, as in the reference implementation |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixReduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their sum weighted by position, divided by their number.
    Weighted,
}

impl PrefixReduction {
    /// Applies it to the vectors at every token.
    ///
    /// # Shapes
    ///
    /// - vectors: `[count, len, width]`
    /// - output: `[count, len, width]`
    pub fn forward(self, vectors: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        let [count, len] = [sequences.count, sequences.len];
        let mut weights = vec![0.0f32; count * len * len];
        for (row, messages) in sequences.messages.chunks(len).enumerate() {
            let mut start = 0;
            for query in 0..len {
                if messages[query].end {
                    start = query;
                }
                let number = (query - start + 1) as f32;
                for key in start..=query {
                    weights[(row * len + query) * len + key] = match self {
                        PrefixReduction::Sum => 1.0,
                        PrefixReduction::Mean => 1.0 / number,
                        PrefixReduction::Weighted => (key - start + 1) as f32 / number,
                    };
                }
            }
        }
        let weights = TensorData::new(weights, [count, len, len]);
        Tensor::from_data(weights, &vectors.device()).matmul(vectors)
    }
}
