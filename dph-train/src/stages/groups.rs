//! Parameter groups of the optimiser and of the schedule.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;
use dph_model::fits;

use super::group_optimiser::GroupOptimiser;
use crate::experiment::Stage;

/// The optimiser and the schedule of a stage with their parameter groups: the head, and parameters without weight decay. `names` are the
/// tensor names of parameters; others have their path. `is_head` says whether a path is one of the head.
///
/// Groups are defined by paths, since loading a checkpoint changes the ids of parameters.
pub(crate) fn optimiser(
    stage: &Stage,
    model: &impl Module,
    names: Vec<(ParamId, Vec<String>)>,
    is_head: impl Fn(&str) -> bool,
) -> (ModuleOptimizer, ModuleLrScheduler) {
    let settings = &stage.optimiser;
    let base = GroupOptimiser::new(settings);
    let of_head = base.with_decay(settings.head.weight_decay, settings.head.decay_towards);
    let without_decay = |optimiser: GroupOptimiser| optimiser.with_decay(Some(0.0), None);
    let names: HashMap<ParamId, Vec<String>> = names.into_iter().collect();
    let mut paths = Paths::default();
    model.visit(&mut paths);
    let (mut heads, mut heads_no_decay, mut no_decay) = (Vec::new(), Vec::new(), Vec::new());
    for (path, id) in paths.found {
        let decays = |name: &String| !settings.no_decay.iter().any(|pattern| fits(pattern, name));
        let decays = names.get(&id).map_or_else(|| decays(&path), |names| names.iter().all(decays));
        match (is_head(&path), decays) {
            (true, true) => heads.push(path),
            (true, false) => heads_no_decay.push(path),
            (false, false) => no_decay.push(path),
            (false, true) => {}
        }
    }
    let scheduler = |lr| stage.schedule.scheduler(lr, stage.steps);
    let mut optimiser = base.init();
    optimiser = without_decay(base).add_to(optimiser, &no_decay);
    optimiser = of_head.add_to(optimiser, &heads);
    optimiser = without_decay(of_head).add_to(optimiser, &heads_no_decay);
    let mut schedule = ModuleLrScheduler::new(scheduler(settings.lr));
    if settings.head.lr_factor != 1.0 {
        let paths = [heads, heads_no_decay].concat();
        let lr = settings.lr * settings.head.lr_factor;
        schedule = schedule.with_group(ParamGroup::from_paths(paths), scheduler(lr));
    }
    (optimiser, schedule)
}

/// The paths of the head of a [`JointTrainer`](super::joint::JointTrainer).
pub(crate) fn is_preference_head(path: &str) -> bool {
    path.starts_with("head.")
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
