//! Parameter groups of the optimiser and of the schedule.

use std::collections::HashMap;
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;
use dph_model::fits;

use super::group_optimiser::GroupOptimiser;
use crate::experiment::{HeadOptimiser, Optimiser, PartOptimiser, Stage};

/// A part of the trained parameters with settings of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The model.
    Model,
    /// The adapters of the model.
    Adapters,
    /// What is between the model and the head.
    Pooler,
    Head,
}

/// The part of a [`JointTrainer`](super::joint::JointTrainer) to which the parameter at a path belongs.
pub(crate) fn part_of_model(path: &str) -> Part {
    match path.strip_prefix("head.") {
        Some(path) => part_of_head(path),
        None if is_adapter(path) => Part::Adapters,
        None => Part::Model,
    }
}

/// Whether a path is one of an adapter.
pub(crate) fn is_adapter(path: &str) -> bool {
    path.contains(".lora.")
}

/// A path in a preference head.
fn part_of_head(path: &str) -> Part {
    if path.contains("rewards.") { Part::Head } else { Part::Pooler }
}

/// The optimiser and the schedule of a stage with their parameter groups: the parts, and parameters without weight decay. `names` are the
/// tensor names of parameters; others have their path. `part` says to which part a path belongs, and `tokens` are those of
/// [`Schedule::scheduler`](crate::Schedule::scheduler).
///
/// Groups are defined by paths, since loading a checkpoint changes the ids of parameters.
pub(crate) fn optimiser(
    stage: &Stage,
    tokens: Option<Arc<[u64]>>,
    model: &impl Module,
    names: Vec<(ParamId, Vec<String>)>,
    part: impl Fn(&str) -> Part,
) -> (ModuleOptimizer, ModuleLrScheduler) {
    let settings = &stage.optimiser;
    let names: HashMap<ParamId, Vec<String>> = names.into_iter().collect();
    let mut paths = Paths::default();
    model.visit(&mut paths);
    let decays = |path: &String, id: ParamId| {
        let decays = |name: &String| !settings.no_decay.iter().any(|pattern| fits(pattern, name));
        names.get(&id).map_or_else(|| decays(path), |names| names.iter().all(decays))
    };
    let base = GroupOptimiser::new(settings);
    let mut optimiser = base.init();
    let mut schedule =
        ModuleLrScheduler::new(stage.schedule.scheduler(settings.lr, stage.steps, tokens.clone()));
    for group in [Part::Model, Part::Adapters, Part::Pooler, Part::Head] {
        let found = paths.found.iter().filter(|(path, _)| settings.group(part(path)) == group);
        let (with_decay, without): (Vec<_>, Vec<_>) = found.partition(|(path, id)| decays(path, *id));
        let [with_decay, without] =
            [with_decay, without].map(|of| of.into_iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
        let of_group = settings.of(group, base);
        optimiser = of_group.with_decay(Some(0.0), None).add_to(optimiser, &without);
        if group != Part::Model {
            optimiser = of_group.add_to(optimiser, &with_decay);
        }
        let factor = settings.lr_factor(group);
        let all = [with_decay, without].concat();
        if factor != 1.0 && !all.is_empty() {
            let scheduler = stage.schedule.scheduler(settings.lr * factor, stage.steps, tokens.clone());
            schedule = schedule.with_group(ParamGroup::from_paths(all), scheduler);
        }
    }
    (optimiser, schedule)
}

/// The optimiser and the schedule of a stage that trains only a head, to which the settings for all parameters apply.
pub(crate) fn head_optimiser(
    stage: &Stage,
    tokens: Option<Arc<[u64]>>,
    model: &impl Module,
) -> (ModuleOptimizer, ModuleLrScheduler) {
    let settings =
        Optimiser { head: HeadOptimiser::default(), no_decay: Vec::new(), ..stage.optimiser.clone() };
    let has_pooler = !settings.pooler.is_default();
    let stage = Stage { optimiser: settings, ..stage.clone() };
    let part = |path: &str| if has_pooler { part_of_head(path) } else { Part::Model };
    optimiser(&stage, tokens, model, Vec::new(), part)
}

/// A warning about settings of the optimiser that have no effect in a stage that trains only a head, see [`head_optimiser`].
pub(crate) fn unused_settings(stage: &Stage) -> Option<String> {
    let Optimiser { head, no_decay, .. } = &stage.optimiser;
    let unused: Vec<&str> =
        [("`head`", *head != HeadOptimiser::default()), ("`no_decay`", !no_decay.is_empty())]
            .into_iter()
            .filter_map(|(key, is_set)| is_set.then_some(key))
            .collect();
    (!unused.is_empty()).then(|| {
        format!(
            "stage `{}` trains only a head, on a frozen model, so {} of its `optimiser` has no effect: set `lr`, `weight_decay` and \
             `decay_towards` of the stage for the head",
            stage.name,
            unused.join(" and ")
        )
    })
}

impl Optimiser {
    /// The group of a part. A part without settings of its own belongs to the group that it takes them from.
    fn group(&self, part: Part) -> Part {
        match part {
            Part::Adapters if self.adapters.is_default() => Part::Model,
            Part::Pooler if self.pooler.is_default() => Part::Head,
            part => part,
        }
    }

    /// The optimiser of a group. `base` is that of the model.
    fn of(&self, group: Part, base: GroupOptimiser) -> GroupOptimiser {
        let of_head = base.with_decay(self.head.weight_decay, self.head.decay_towards);
        let with =
            |of: GroupOptimiser, part: &PartOptimiser| of.with_decay(part.weight_decay, part.decay_towards);
        match group {
            Part::Model => base,
            Part::Adapters => with(base, &self.adapters),
            Part::Pooler => with(of_head, &self.pooler),
            Part::Head => of_head,
        }
    }

    /// The learning rate of a group as a multiple of that of the model.
    fn lr_factor(&self, group: Part) -> f64 {
        match group {
            Part::Model => 1.0,
            Part::Adapters => self.adapters.lr_factor.unwrap_or(1.0),
            Part::Pooler => self.pooler.lr_factor.unwrap_or(self.head.lr_factor),
            Part::Head => self.head.lr_factor,
        }
    }
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
