//! Running sums of the vectors at every token, which restart at the end of every message.

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sequences::Sequences;

/// What the vectors at every token are made of: those since the last end of a message, which is counted with them. At
/// the end of a message, and so for the vector of a whole answer, it changes nothing.
///
/// | in TOML | vector at the i-th token since the end of a message |
/// |---|---|
/// | `"sum"` | Σⱼ≤ᵢ xⱼ |
/// | `"mean"` | Σⱼ≤ᵢ xⱼ / i |
/// | `"weighted"` | Σⱼ≤ᵢ j xⱼ / i, as the reference implementation has it |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Running {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their sum with each as often as its place says, over their number.
    Weighted,
}

impl Running {
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
                        Running::Sum => 1.0,
                        Running::Mean => 1.0 / number,
                        Running::Weighted => (key - start + 1) as f32 / number,
                    };
                }
            }
        }
        let weights = TensorData::new(weights, [count, len, len]);
        Tensor::from_data(weights, &vectors.device()).matmul(vectors)
    }
}
