//! The loss of a classifier and of a regressor: values and gradients of PyTorch 2.9.0 (`cross_entropy`, `mse_loss`).

use burn::tensor::{Tensor, TensorData};
use dph_core::ClassifyObjective;
use dph_core::testing::assert_close;

const LOGITS: [[f32; 3]; 4] = [[0.5, -1.25, 2.0], [-0.75, 0.25, 0.125], [30.0, -30.0, 0.0], [1.0, 1.0, 1.0]];

const GRADIENTS: [f64; 12] = [
    0.044205043,
    0.007681685,
    -0.051886737,
    -0.20913133,
    0.11109253,
    0.098038815,
    0.25,
    -0.25,
    0.0,
    0.083333328,
    -0.166666672,
    0.083333328,
];

#[test]
fn classes_have_the_cross_entropy_of_pytorch() {
    let device = dph_core::device("flex").unwrap().autodiff();
    let logits = Tensor::<2>::from_data(LOGITS, &device).require_grad();
    let term = ClassifyObjective::default().forward(logits.clone(), &[2, 0, 1, 1]);
    let values: Vec<f64> = term.values().into_data().iter::<f64>().collect();
    let gradients = logits.grad(&term.loss.backward()).unwrap();
    let gradients: Vec<f64> = gradients.into_data().iter::<f64>().collect();
    // The first of equal logits is the predicted class.
    assert_close("values", &values, &[15.785_582_542_4, 0.25], 1e-6, 1e-6);
    assert_close("gradients", &gradients, &GRADIENTS, 1e-6, 0.0);
}

#[test]
fn numbers_have_the_squared_error_of_pytorch() {
    let device = dph_core::device("flex").unwrap().autodiff();
    let predictions = Tensor::<1>::from_data([0.5f32, 4.75, -2.0], &device).require_grad();
    let numbers = Tensor::from_data(TensorData::from([1.5f32, 4.25, 0.0]), &device);
    let term = ClassifyObjective::default().forward_numbers(predictions.clone(), numbers);
    let gradients = predictions.grad(&term.loss.backward()).unwrap();
    let gradients: Vec<f64> = gradients.into_data().iter::<f64>().collect();
    assert_close("loss", &[term.loss.into_scalar::<f64>()], &[1.75], 1e-6, 0.0);
    assert_close("gradients", &gradients, &[-2.0 / 3.0, 1.0 / 3.0, -4.0 / 3.0], 1e-6, 0.0);
}
