//! Upper limits of the sizes of a model.

use super::DecoderConfig;

impl DecoderConfig {
    /// The first size that exceeds its limit, if there is one.
    ///
    /// Configuration files are not trusted. Within these limits the number of parameters does not overflow, and
    /// listing them needs little memory. The limits are far above the sizes of the largest models.
    pub(crate) fn excess(&self) -> Option<String> {
        let limits = [
            ("number of layers", self.n_layers, 1 << 12),
            ("vocabulary", self.vocab, 1 << 28),
            ("context", self.context, 1 << 40),
            ("hidden size", self.d_model, 1 << 20),
            ("feed-forward size", self.d_ffn, 1 << 22),
            ("number of heads", self.n_heads, 1 << 14),
            ("number of key/value heads", self.n_kv_heads, 1 << 14),
            ("head size", self.head_dim, 1 << 14),
            ("embedding size", self.embedding_width(), 1 << 20),
            ("number of registers", self.registers, 1 << 20),
            ("number of token types", self.token_types, 1 << 20),
            ("number of classes", self.pooler.map_or(0, |pooler| pooler.labels), 1 << 20),
        ];
        let (name, size, limit) = limits.into_iter().find(|(_, size, limit)| size > limit)?;
        Some(format!("the {name} is {size}, and no model has more than {limit}"))
    }
}
