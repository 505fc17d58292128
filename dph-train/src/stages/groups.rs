//! Parameter groups of the optimiser and of the schedule.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;
use dph_model::fits;

use super::joint::JointTrainer;
use crate::experiment::Stage;
use crate::optimiser::LaPropConfig;

/// The optimiser and the schedule of a stage with their parameter groups: the head, and parameters without weight decay.
///
/// Groups are defined by paths, since loading a checkpoint changes the ids of parameters.
pub(crate) fn optimiser(stage: &Stage, model: &JointTrainer) -> (ModuleOptimizer, ModuleLrScheduler) {
    let settings = &stage.optimiser;
    let base = super::laprop(settings);
    let of_head = LaPropConfig {
        weight_decay: settings.head.weight_decay.unwrap_or(base.weight_decay),
        decay_towards: settings.head.decay_towards.unwrap_or(base.decay_towards),
        ..base
    };
    let without_decay = |config| LaPropConfig { weight_decay: 0.0, ..config };
    let names: HashMap<ParamId, Vec<String>> = model.backbone.parameter_names().into_iter().collect();
    let mut paths = Paths::default();
    model.visit(&mut paths);
    let (mut heads, mut heads_no_decay, mut no_decay) = (Vec::new(), Vec::new(), Vec::new());
    for (path, id) in paths.found {
        let is_head = path.starts_with("head.");
        let decays = |name: &String| !settings.no_decay.iter().any(|pattern| fits(pattern, name));
        let decays = names.get(&id).map_or_else(|| decays(&path), |names| names.iter().all(decays));
        match (is_head, decays) {
            (true, true) => heads.push(path),
            (true, false) => heads_no_decay.push(path),
            (false, false) => no_decay.push(path),
            (false, true) => {}
        }
    }
    let scheduler = |lr| stage.schedule.scheduler(lr, stage.steps);
    let mut optimiser = base.init();
    let mut schedule = ModuleLrScheduler::new(scheduler(settings.lr));
    for (paths, config) in
        [(&no_decay, without_decay(base)), (&heads, of_head), (&heads_no_decay, without_decay(of_head))]
    {
        if !paths.is_empty() {
            optimiser = optimiser.with_group(ParamGroup::from_paths(paths.clone()), config.build(), None);
        }
    }
    if settings.head.lr_factor != 1.0 {
        let paths = [heads, heads_no_decay].concat();
        let lr = settings.lr * settings.head.lr_factor;
        schedule = schedule.with_group(ParamGroup::from_paths(paths), scheduler(lr));
    }
    (optimiser, schedule)
}

/// The parameters of a module with their paths, as in burn's optimisers.
#[derive(Default)]
struct Paths {
    path: Vec<String>,
    found: Vec<(String, ParamId)>,
}

impl ModuleVisitor for Paths {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.id));
    }
}
