//! Golden cases in both precisions, and log-probabilities out of whole logits.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use burn::tensor::{DType, Gradients, Tensor, TensorData, activation};
use dph_core::{Target, Term, index_tensor, select_rows};
use serde_json::Value;

use dph_core::testing::{Golden, GoldenTensor, assert_close, device, number, say};

pub type Tensors = BTreeMap<String, GoldenTensor>;

/// The json and the tensors of `losses/<name>`.
pub fn losses(name: &str) -> Option<(Value, Tensors)> {
    let golden = Golden::open();
    Some((
        golden.json(&format!("losses/{name}.json"))?,
        golden.tensors(&format!("losses/{name}.safetensors"))?,
    ))
}

/// One of the precisions that golden values come in, with its tolerances.
pub struct Precision {
    pub name: &'static str,
    dtype: DType,
    absolute: f64,
    relative: f64,
}

impl Precision {
    /// Those that the device has.
    pub fn all(json: &Value) -> Vec<Self> {
        let double = Self {
            name: "f64",
            dtype: DType::F64,
            absolute: number(&json["tolerance"]["float64_abs"]),
            relative: 0.0,
        };
        if has_f64() { vec![Self::single(json), double] } else { vec![Self::single(json)] }
    }

    pub fn single(json: &Value) -> Self {
        let tolerance = |key: &str| number(&json["tolerance"][key]);
        Self {
            name: "f32",
            dtype: DType::F32,
            absolute: tolerance("float32_abs"),
            relative: tolerance("float32_rel"),
        }
    }

    /// A leaf on the tape.
    pub fn leaf<const D: usize>(&self, golden: &GoldenTensor) -> Tensor<D> {
        let shape: [usize; D] = golden.shape[..].try_into().unwrap();
        let data = TensorData::new(golden.values.clone(), shape);
        Tensor::from_data(data, (&device().autodiff(), self.dtype)).require_grad()
    }

    pub fn check<const D: usize>(&self, what: &str, actual: Tensor<D>, expected: &[f64]) {
        assert_close(
            &format!("{what} {}", self.name),
            &values(actual),
            expected,
            self.absolute,
            self.relative,
        );
    }

    /// The loss of a case and its metrics; `ours` are the names that differ from the authors'.
    pub fn check_term(&self, name: &str, case: &Value, term: &Term, ours: &[(&str, &str)]) {
        let metrics = case[format!("metrics_{}", self.name)].as_object().unwrap();
        for (theirs, expected) in metrics.iter().filter(|(theirs, _)| *theirs != "aux") {
            let renamed = ours.iter().find(|(from, _)| from == theirs).map_or(&theirs[..], |(_, to)| to);
            let value = term.metric(renamed).unwrap_or_else(|| panic!("{name}: no metric {renamed}"));
            if theirs.ends_with("/accuracy") {
                // A share of pairs: the authors take its mean in f32, whatever the precision.
                assert_close(name, &values(value), &[number(expected)], 1e-7, 0.0);
            } else {
                self.check(&format!("{name} {theirs}"), value, &[number(expected)]);
            }
        }
        assert_eq!(values(term.values())[0], values(term.loss.clone())[0], "{name}: the loss is a metric");
    }

    pub fn check_gradient<const D: usize>(
        &self,
        name: &str,
        input: &str,
        leaf: &Tensor<D>,
        gradients: &Gradients,
        tensors: &Tensors,
    ) {
        let expected = &tensors[&format!("{name}.{}.grad.{input}", self.name)].values;
        self.check(&format!("{name}, gradient of {input}"), leaf.grad(gradients).unwrap(), expected);
    }
}

/// Whether the device computes in f64. WGSL knows no exponentials of f64, and some drivers answer with nonsense.
fn has_f64() -> bool {
    static HAS_F64: LazyLock<bool> = LazyLock::new(|| {
        let device = device();
        let computes = device.supports_dtype(DType::F64) && {
            let one = Tensor::<1>::from_data([1.0f64], (&device, DType::F64));
            (values(one.exp().log())[0] - 1.0).abs() < 1e-12
        };
        if !computes {
            say("the device has no f64, or no exponentials in it: only f32 is tried");
        }
        computes
    });
    *HAS_F64
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The tokens of labels that are to be scored; a label of -100 is not.
pub fn targets(labels: &GoldenTensor) -> Vec<Target> {
    let seq = labels.shape[1];
    let kept = labels.values.iter().enumerate().filter(|&(_, &label)| label != -100.0);
    kept.map(|(state, &label)| Target { state, token: label as u32, candidate: state / seq }).collect()
}

/// The logits of the targets, `[targets, vocab]`.
pub fn logits_at(logits: &Tensor<3>, targets: &[Target]) -> Tensor<2> {
    let [rows, seq, vocab] = logits.dims();
    select_rows(logits.clone().reshape([rows * seq, vocab]), targets.iter().map(|target| target.state))
}

/// The log-probabilities of the targets, `[targets]`.
pub fn log_probs(logits: &Tensor<3>, targets: &[Target]) -> Tensor<1> {
    let count = targets.len();
    let distributions = activation::log_softmax(logits_at(logits, targets), 1);
    let tokens = index_tensor(targets.iter().map(|target| target.token as usize), &logits.device());
    distributions.gather(1, tokens.reshape([count, 1])).squeeze_dim(1)
}
