//! [`GroupOptimiser`]: the optimiser of a parameter group.

use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, ModuleOptimizer};

use crate::experiment::{Optimiser, OptimiserName};
use crate::optimiser::{DecayTowards, LaPropConfig};

/// The optimiser of a parameter group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupOptimiser {
    name: OptimiserName,
    config: LaPropConfig,
}

impl GroupOptimiser {
    /// The optimiser of a stage, without its groups.
    pub fn new(settings: &Optimiser) -> Self {
        let config = LaPropConfig {
            betas: settings.betas,
            eps: settings.eps,
            weight_decay: settings.weight_decay,
            decay_towards: settings.decay_towards,
            amsgrad: false,
        };
        Self { name: settings.name, config }
    }

    /// With another weight decay, where one is given.
    pub fn with_decay(mut self, weight_decay: Option<f64>, towards: Option<DecayTowards>) -> Self {
        self.config.weight_decay = weight_decay.unwrap_or(self.config.weight_decay);
        self.config.decay_towards = towards.unwrap_or(self.config.decay_towards);
        self
    }

    /// The optimiser of a whole module.
    pub fn init(self) -> ModuleOptimizer {
        match self.name {
            OptimiserName::Laprop => self.config.init(),
            OptimiserName::Adamw => self.adamw().init(),
        }
    }

    /// Adds this optimiser for the parameters with these paths, if there are any.
    pub fn add_to(self, optimiser: ModuleOptimizer, paths: &[String]) -> ModuleOptimizer {
        if paths.is_empty() {
            return optimiser;
        }
        let group = ParamGroup::from_paths(paths.to_vec());
        match self.name {
            OptimiserName::Laprop => optimiser.with_group(group, self.config.build(), None),
            OptimiserName::Adamw => optimiser.with_group(group, self.adamw().build(), None),
        }
    }

    fn adamw(self) -> AdamWConfig {
        let LaPropConfig { betas: [beta_1, beta_2], eps, weight_decay, .. } = self.config;
        AdamWConfig::new()
            .with_beta_1(beta_1 as f32)
            .with_beta_2(beta_2 as f32)
            .with_epsilon(eps as f32)
            .with_weight_decay(weight_decay as f32)
    }
}
