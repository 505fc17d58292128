//! Published models have as many parameters as their authors say.

use dph_model::param_count;

#[track_caller]
fn assert_count(config: &str, published: usize) {
    assert_eq!(param_count(config).unwrap(), published);
}

#[test]
fn pythia() {
    // Biderman et al., arXiv 2304.01373, table 1.
    let pythia = |layers: usize, heads: usize| {
        format!(
            r#"{{"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 8192,
                "num_hidden_layers": {layers}, "num_attention_heads": {heads}, "rotary_pct": 0.25,
                "tie_word_embeddings": false}}"#
        )
    };
    assert_count(&pythia(16, 8), 1_011_781_632);
    assert_count(&pythia(24, 16), 1_414_647_808);
}

#[test]
fn llama() {
    // Touvron et al., arXiv 2302.13971, table 2, in full; Zhang et al., arXiv 2401.02385.
    let llama = |hidden: usize, inner: usize, layers: usize, heads: usize, kv_heads: usize| {
        format!(
            r#"{{"model_type": "llama", "vocab_size": 32000, "hidden_size": {hidden}, "intermediate_size": {inner},
                "num_hidden_layers": {layers}, "num_attention_heads": {heads}, "num_key_value_heads": {kv_heads},
                "tie_word_embeddings": false}}"#
        )
    };
    assert_count(&llama(4096, 11008, 32, 32, 32), 6_738_415_616);
    assert_count(&llama(5120, 13824, 40, 40, 40), 13_015_864_320);
    assert_count(&llama(2048, 5632, 22, 32, 4), 1_100_048_384);
}

#[test]
fn qwen() {
    // The model card of Qwen1.5-0.5B: 464M.
    assert_count(
        r#"{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 2816,
            "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
            "tie_word_embeddings": true, "use_sliding_window": false}"#,
        463_987_712,
    );
}

#[test]
fn gpt() {
    // All that the published configurations say is what is the default: 124M, and 117M.
    assert_count(r#"{"model_type": "gpt2", "vocab_size": 50257, "n_embd": 768, "n_layer": 12}"#, 124_439_808);
    assert_count(r#"{"model_type": "openai-gpt", "vocab_size": 40478, "n_positions": 512}"#, 116_534_784);
}

#[test]
fn bert() {
    // Devlin et al., arXiv 1810.04805: 110M and 340M, in full by transformers for `BertModel`.
    let bert = |hidden: usize, inner: usize, layers: usize, heads: usize| {
        format!(
            r#"{{"model_type": "bert", "vocab_size": 30522, "hidden_size": {hidden}, "intermediate_size": {inner},
                "num_hidden_layers": {layers}, "num_attention_heads": {heads}, "architectures": ["BertForMaskedLM"]}}"#
        )
    };
    assert_count(&bert(768, 3072, 12, 12), 109_482_240);
    assert_count(&bert(1024, 4096, 24, 16), 335_141_888);
}

#[test]
fn opt() {
    // Zhang et al., arXiv 2205.01068: 125M and 350M, in full by transformers.
    assert_count(r#"{"model_type": "opt", "word_embed_proj_dim": 768}"#, 125_239_296);
    assert_count(
        r#"{"model_type": "opt", "hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "word_embed_proj_dim": 512, "do_layer_norm_before": false}"#,
        331_196_416,
    );
}
