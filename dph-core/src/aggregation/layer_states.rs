//! [`LayerStates`]: the hidden states of several layers, computed once however many heads and objectives read them.

use burn::tensor::Tensor;

use super::Layer;

/// The hidden states of some layers for one batch, each `[rows, seq, d_model]`.
#[derive(Debug, Clone, Default)]
pub struct LayerStates {
    layers: Vec<Layer>,
    states: Vec<Tensor<3>>,
}

impl LayerStates {
    /// The layers that several readers need, each once, in the order of their first appearance.
    pub fn union<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Vec<Layer> {
        let mut union = Vec::new();
        for &layer in layers {
            if !union.contains(&layer) {
                union.push(layer);
            }
        }
        union
    }

    /// Names the states of `layers`, which are in the same order.
    ///
    /// # Panics
    ///
    /// If the number of states is not that of the layers.
    pub fn new(layers: Vec<Layer>, states: Vec<Tensor<3>>) -> Self {
        assert_eq!(layers.len(), states.len(), "one tensor is needed for each layer");
        Self { layers, states }
    }

    /// The states of a layer, `[rows, seq, d_model]`; `None` if they were not computed.
    pub fn get(&self, layer: Layer) -> Option<Tensor<3>> {
        let place = self.layers.iter().position(|&other| other == layer)?;
        Some(self.states[place].clone())
    }

    /// The states of `layers`, in their order.
    ///
    /// # Panics
    ///
    /// If one of them was not computed.
    pub fn select(&self, layers: &[Layer]) -> Vec<Tensor<3>> {
        let states = layers.iter().map(|&layer| self.get(layer));
        states.map(|states| states.expect("the states of every layer in the union were computed")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_in_the_union_once_and_selected_by_its_name() {
        let layers =
            LayerStates::union(&[Layer::Last, Layer::At(1), Layer::Last, Layer::At(0), Layer::At(1)]);
        assert_eq!(layers, [Layer::Last, Layer::At(1), Layer::At(0)]);
        let device = crate::device("flex").unwrap();
        let tensors = (0..3).map(|value| Tensor::full([1, 1, 1], value, &device)).collect();
        let states = LayerStates::new(layers, tensors);
        let values = |layers: &[Layer]| -> Vec<f32> {
            states.select(layers).into_iter().map(|states| states.into_scalar::<f32>()).collect()
        };
        assert_eq!(values(&[Layer::At(0), Layer::Last]), [2.0, 0.0]);
        assert!(states.get(Layer::At(7)).is_none());
    }
}
