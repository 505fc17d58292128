//! [`Delta`]: what an adapter adds to a matrix.

use rayon::prelude::*;

/// The product of two small matrices, times a factor, that is added to a matrix of a model.
#[derive(Debug)]
pub(crate) struct Delta {
    /// The name of the matrix `[rank, inputs]`.
    pub a: String,
    /// The name of the matrix `[outputs, rank]`.
    pub b: String,
    pub inputs: usize,
    pub outputs: usize,
    pub rank: usize,
    pub scale: f32,
    /// Whether the matrix of the model is `[inputs, outputs]`.
    pub transposed: bool,
}

impl Delta {
    /// Adds it to the values of the matrix, given the values of the two small ones.
    pub fn add(&self, a: &[f32], b: &[f32], values: &mut [f32]) {
        let Self { inputs, outputs, rank, scale, transposed, .. } = self;
        let product = |output: usize, input: usize| {
            let terms = (0..*rank).map(|k| b[output * rank + k] * a[k * inputs + input]);
            scale * terms.sum::<f32>()
        };
        let width = if *transposed { *outputs } else { *inputs };
        values.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, values)| {
            for (column, value) in values.iter_mut().enumerate() {
                let (output, input) = if *transposed { (column, row) } else { (row, column) };
                *value += product(output, input);
            }
        });
    }

    /// The shape of the matrix.
    pub fn shape(&self) -> [usize; 2] {
        if self.transposed { [self.inputs, self.outputs] } else { [self.outputs, self.inputs] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_either_way_round() {
        let delta = |transposed| Delta {
            a: "a".into(),
            b: "b".into(),
            inputs: 3,
            outputs: 2,
            rank: 2,
            scale: 0.5,
            transposed,
        };
        let (a, b) = ([1.0, 2.0, 3.0, 0.0, 1.0, 0.0], [1.0, 10.0, -1.0, 0.0]);
        let mut values = vec![0.0; 6];
        delta(false).add(&a, &b, &mut values);
        assert_eq!(values, [0.5, 6.0, 1.5, -0.5, -1.0, -1.5]);
        delta(true).add(&a, &b, &mut values);
        assert_eq!(values, [1.0, 5.5, 7.5, -1.5, 0.5, -3.0]);
    }
}
