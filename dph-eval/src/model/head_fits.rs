//! Whether a preference head fits a language model.

use dph_core::{Layer, PreferenceHeadConfig};

use crate::model::error::ModelError;

/// Whether a head fits a model of this size.
pub(crate) fn check_head(
    config: &PreferenceHeadConfig,
    d_model: usize,
    n_layers: usize,
) -> Result<(), ModelError> {
    if config.d_model != d_model {
        return Err(ModelError::HeadSize { head: config.d_model, backbone: d_model });
    }
    match Layer::find_missing(config.aggregation.layers_needed(), n_layers) {
        Some(layer) => Err(ModelError::HeadLayer { layer, layers: n_layers }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dph_core::Aggregation;

    #[test]
    fn a_head_of_another_model_is_refused() {
        let config = |d_model, layer: Layer| PreferenceHeadConfig {
            aggregation: Aggregation { layers: layer.into(), ..Aggregation::default() },
            ..PreferenceHeadConfig::new(d_model, 8)
        };
        let error = |config| check_head(&config, 64, 3).map_err(|error| error.to_string());
        assert_eq!(error(config(64, Layer::At(3))), Ok(()));
        assert_eq!(error(config(64, Layer::Last)), Ok(()));
        assert!(error(config(48, Layer::Last)).is_err_and(|error| {
            error.starts_with(
                "the preference head reads hidden states of size 48, but the model's have size 64",
            )
        }));
        assert!(error(config(64, Layer::At(4))).is_err_and(|error| {
            error.starts_with(
                "the preference head reads layer 4, but the model has only 3 (0, the embedding, to 3)",
            )
        }));
    }
}
