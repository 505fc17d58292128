//! The two objectives of Direct Preference Heads (arXiv 2405.20053, section 3.3).

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// How the rewards of the chosen and the rejected answer enter the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DphForm {
    /// Each reward is a binary classification of its own: chosen answers above 0, rejected ones below.
    #[default]
    Separable,
    /// Only the difference counts (Bradley-Terry).
    Contrastive,
}

/// A Direct Preference Head objective.
///
/// With σ the logistic function, ε the label smoothing and r₊, r₋ the rewards of the chosen and the rejected answer:
///
/// - separable: `-[(1-ε) log σ(r₊) + ε log σ(-r₊)] - [(1-ε) log σ(-r₋) + ε log σ(r₋)]`
/// - contrastive: `-[(1-ε) log σ(r₊ - r₋) + ε log σ(r₋ - r₊)]`
///
/// averaged over the pairs. Everything is computed through log σ, so rewards of any size are safe.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DphObjective {
    /// `"separable"` or `"contrastive"`.
    pub form: DphForm,
    /// Probability ε that a label is the wrong way round, from 0 to 0.5.
    pub label_smoothing: f64,
}

/// The loss of a batch of pairs and what is worth watching. All are scalars of shape `[1]`.
#[derive(Debug, Clone)]
pub struct DphLoss {
    /// What is minimised.
    pub loss: Tensor<1>,
    /// The separable loss of the chosen answers, whatever the form.
    pub chosen: Tensor<1>,
    /// The separable loss of the rejected answers, whatever the form.
    pub rejected: Tensor<1>,
    /// Share of pairs in which the chosen answer has the higher reward.
    pub accuracy: Tensor<1>,
    /// Mean of r₊ - r₋.
    pub margin: Tensor<1>,
}

impl DphObjective {
    /// The loss of pairs of rewards.
    ///
    /// # Shapes
    ///
    /// - chosen: `[pairs]`
    /// - rejected: `[pairs]`
    pub fn forward(&self, chosen: Tensor<1>, rejected: Tensor<1>) -> DphLoss {
        let difference = chosen.clone() - rejected.clone();
        let chosen_loss = self.smoothed(chosen).mean();
        let rejected_loss = self.smoothed(-rejected).mean();
        let loss = match self.form {
            DphForm::Separable => chosen_loss.clone() + rejected_loss.clone(),
            DphForm::Contrastive => self.smoothed(difference.clone()).mean(),
        };
        DphLoss {
            loss,
            chosen: chosen_loss.detach(),
            rejected: rejected_loss.detach(),
            accuracy: difference.clone().detach().greater_elem(0.0).float().mean(),
            margin: difference.detach().mean(),
        }
    }

    /// `-(1-ε) log σ(x) - ε log σ(-x)`, element by element.
    fn smoothed(&self, x: Tensor<1>) -> Tensor<1> {
        let right = activation::log_sigmoid(x.clone()) * -(1.0 - self.label_smoothing);
        if self.label_smoothing == 0.0 {
            return right;
        }
        right - activation::log_sigmoid(-x) * self.label_smoothing
    }
}
