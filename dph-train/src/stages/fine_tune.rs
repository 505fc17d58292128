//! Stages in which the language model learns: what is prepared before, and what is exported after.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Tensor;
use dph_core::{Batch, CandidateSet, HeadFileError, PreferenceHead, TargetTokens};
use dph_data::{ChatTokenizer, TaskData, plan_batches, plan_rows};
use dph_model::{Backbone, fits};

use super::data::StageData;
use super::joint::{JointBatch, JointSettings, JointStep, JointTrainer};
use super::reference::Reference;
use super::{StageContext, compared, copy_tokenizer, head_config, trainable};
use crate::TrainError;
use crate::experiment::{Answers, Keep, Negatives, Stage, Trainable};
use crate::optimiser::LaPropConfig;
use crate::trainer;

impl StageContext<'_> {
    /// Trains the language model in `model_dir`, and the head where the objective asks for it.
    pub(super) fn fine_tune(
        &self,
        stage: &Stage,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        let tokenizer = self.tokenizer_for(stage, model_dir, export)?;
        let backbone = self.backbone(model_dir)?;
        let backbone = match tokenizer.vocab_size() > backbone.vocab() && !stage.add_tokens.is_empty() {
            true => backbone.with_vocab(tokenizer.vocab_size(), seed)?,
            false => backbone,
        };
        let data = StageData::load(
            stage,
            &self.experiment.head.rewards,
            seed,
            self.data,
            &tokenizer,
            backbone.context(),
        )?;

        let head_config = head_config(self.experiment, backbone.config());
        let head = match stage.objective.trains_head() {
            true => Some(match PreferenceHead::load(model_dir, self.device) {
                Ok((head, config)) if config == head_config => head,
                Ok(_) | Err(HeadFileError::Missing { .. }) => head_config.init(seed, self.device),
                Err(error) => return Err(error.into()),
            }),
            false => None,
        };
        let batches = self.batches(stage, &backbone, model_dir, &data)?;
        let reference = stage.objective.kl.as_ref().map(|_| backbone.clone().no_grad());
        let backbone = self.learning(stage, backbone)?;

        let StageData { mixture, validation, .. } = data;
        let validation =
            validation.iter().enumerate().flat_map(|(task, data)| batches.validation(task, data)).collect();
        let size = stage.batch;
        let step = move |step: usize| {
            let items = ((step - 1) * size..step * size).map(|item| mixture.item(item as u64));
            let items = items.map(|item| (item.dataset, item.row, item.epoch)).collect::<Vec<_>>();
            JointStep { step, parts: batches.training(&items) }
        };
        let settings = JointSettings {
            objective: stage.objective.clone(),
            head: head_config.clone(),
            reference,
            clip: super::clip(stage),
            seed,
            gradient_checkpointing: stage.gradient_checkpointing,
            fault: trainer::Fault::default(),
        };
        let fault = settings.fault.clone();
        let model = JointTrainer::new(backbone, head, settings);
        let (optimiser, schedule) = optimiser(stage, &model);
        let training = self.training(stage, checkpoints, optimiser, schedule, fault);
        let trained = trainer::train(model, step, validation, stage.keep == Keep::Best, training)?;
        trained.backbone.save(export)?;
        if let Some(head) = &trained.head {
            head.save(&head_config, export)?;
        }
        Ok(())
    }

    /// What learns of the model in a stage.
    fn learning(&self, stage: &Stage, backbone: Backbone) -> Result<Backbone, TrainError> {
        let frozen = match stage.freeze.is_empty() {
            true => None,
            false => Some(backbone.parameters_like(&stage.freeze)?),
        };
        let backbone = match trainable(self.experiment, stage) {
            Trainable::None => backbone.freeze(),
            Trainable::All => backbone,
            Trainable::Embeddings => {
                let embeddings = backbone.embedding_parameters();
                backbone.freeze().unfreeze_group(embeddings)
            }
            Trainable::Lora => backbone.with_lora(&self.experiment.model.lora, self.experiment.seed)?,
        };
        Ok(match frozen {
            Some(group) => backbone.freeze_group(group),
            None => backbone,
        })
    }

    fn batches(
        &self,
        stage: &Stage,
        backbone: &Backbone,
        model_dir: &Path,
        data: &StageData,
    ) -> Result<Batches, TrainError> {
        let hash = match &stage.objective.dpo {
            Some(_) => Some(dph_model::content_hash(model_dir)?),
            None => None,
        };
        let reference = |data: &[TaskData]| -> Result<Vec<Reference>, TrainError> {
            let of_task = |data: &TaskData| match &hash {
                Some(hash) => {
                    let label = format!("reference {} {}", data.task, data.split);
                    Reference::compute(&self.features.dir, backbone, hash, &data.sets, &label)
                }
                None => Ok(Reference::default()),
            };
            data.iter().map(of_task).collect()
        };
        Ok(Batches {
            compares: stage.objective.compares(),
            packs: !stage.objective.compares() && !stage.objective.trains_head(),
            answers: stage.answers,
            negatives: stage.negatives,
            seed: self.experiment.seed,
            budget: stage.micro_batch,
            pad: backbone.pad_token(),
            packable: backbone.is_packable(),
            references: reference(&data.training)?,
            validation_references: reference(&data.validation)?,
            sets: data.training.iter().map(|data| data.sets.clone()).collect(),
        })
    }
}

/// Makes batches of the sets of a stage.
struct Batches {
    /// Whether candidates are compared; otherwise only the gold ones are needed.
    compares: bool,
    /// Whether sets are whole conversations that may share a row.
    packs: bool,
    answers: Answers,
    negatives: Negatives,
    seed: u64,
    /// Padded tokens in a batch.
    budget: usize,
    pad: u32,
    packable: bool,
    /// The training sets of each task, and what the reference gives them.
    sets: Vec<Vec<CandidateSet>>,
    references: Vec<Reference>,
    validation_references: Vec<Reference>,
}

/// Some candidates of a set.
struct Chosen {
    set: CandidateSet,
    reference: Vec<f32>,
}

impl Batches {
    /// The sets of a step, as (task, set, epoch).
    fn training(&self, items: &[(usize, usize, u64)]) -> Vec<JointBatch> {
        let chosen = items.iter().map(|&(task, row, epoch)| {
            let set = &self.sets[task][row];
            let candidates = match self.compares {
                true => compared(set, self.negatives, self.seed, epoch),
                false => set.gold.into_iter().collect(),
            };
            choose(set, row, &candidates, &self.references[task])
        });
        self.pack(chosen.collect())
    }

    fn validation(&self, task: usize, data: &TaskData) -> Vec<JointBatch> {
        let chosen = data.sets.iter().enumerate().map(|(row, set)| {
            let candidates: Vec<usize> = match self.compares {
                true => (0..set.candidates.len()).collect(),
                false => set.gold.into_iter().collect(),
            };
            choose(set, row, &candidates, &self.validation_references[task])
        });
        self.pack(chosen.collect())
    }

    fn pack(&self, chosen: Vec<Chosen>) -> Vec<JointBatch> {
        match self.packs {
            true => self.pack_conversations(&chosen),
            false => self.pack_choices(&chosen),
        }
    }

    /// A row for each set.
    fn pack_choices(&self, chosen: &[Chosen]) -> Vec<JointBatch> {
        let lengths: Vec<usize> = chosen.iter().map(|chosen| chosen.set.packed_len()).collect();
        let part = |plan: &Vec<usize>| {
            let sets = || plan.iter().map(|&index| &chosen[index].set);
            let batch = match self.packable {
                true => Batch::pack(sets(), TargetTokens::Turn, self.pad),
                false => {
                    let rows: Vec<CandidateSet> = sets().flat_map(CandidateSet::one_by_one).collect();
                    Batch::pack(&rows, TargetTokens::Turn, self.pad)
                }
            };
            JointBatch::new(batch, plan.iter().map(|&index| &chosen[index]))
        };
        plan_batches(&lengths, self.budget).iter().map(part).collect()
    }

    /// Short conversations share a row.
    fn pack_conversations(&self, chosen: &[Chosen]) -> Vec<JointBatch> {
        let lengths: Vec<usize> = chosen.iter().map(|chosen| chosen.set.conversation_len()).collect();
        let plan = match self.packable {
            true => plan_rows(&lengths, self.budget),
            false => {
                let alone = |batch: Vec<usize>| batch.into_iter().map(|index| vec![index]).collect();
                plan_batches(&lengths, self.budget).into_iter().map(alone).collect()
            }
        };
        let targets = match self.answers {
            Answers::All => TargetTokens::AllTurns,
            Answers::Last => TargetTokens::Turn,
        };
        let part = |rows: &Vec<Vec<usize>>| {
            let sets = |row: &Vec<usize>| row.iter().map(|&index| &chosen[index].set).collect();
            let batch =
                Batch::pack_conversations(&rows.iter().map(sets).collect::<Vec<_>>(), targets, self.pad);
            JointBatch::new(batch, rows.iter().flatten().map(|&index| &chosen[index]))
        };
        plan.iter().map(part).collect()
    }
}

impl JointBatch {
    /// A batch of these sets, in its order.
    fn new<'a>(batch: Batch, sets: impl Iterator<Item = &'a Chosen>) -> Self {
        let mut part = Self { batch, ..Self::default() };
        let mut first = 0;
        for Chosen { set, reference } in sets {
            part.sets.push((first..first + set.candidates.len(), set.gold.unwrap_or(0)));
            part.reference.extend(reference);
            part.attributes.push(set.attributes.clone());
            part.ids.push(set.id.clone());
            first += set.candidates.len();
        }
        part
    }
}

/// A set with only some of its candidates.
fn choose(set: &CandidateSet, row: usize, candidates: &[usize], reference: &Reference) -> Chosen {
    let gold = candidates.iter().position(|&candidate| set.gold == Some(candidate));
    Chosen {
        set: CandidateSet {
            candidates: candidates.iter().map(|&candidate| set.candidates[candidate].clone()).collect(),
            gold,
            ..set.clone()
        },
        reference: candidates.iter().filter_map(|&candidate| reference.get(row, candidate)).collect(),
    }
}

/// The optimiser and the schedule of a stage with their groups: the head, and what does not decay.
///
/// Groups go by paths, since the parameters of a resumed run get the ids of the interrupted one.
pub(super) fn optimiser(stage: &Stage, model: &JointTrainer) -> (ModuleOptimizer, ModuleLrScheduler) {
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
    let (mut heads, mut heads_kept, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (path, id) in paths.found {
        let is_head = path.starts_with("head.");
        let decays = |name: &String| !settings.no_decay.iter().any(|pattern| fits(pattern, name));
        let decays = names.get(&id).map_or_else(|| decays(&path), |names| names.iter().all(decays));
        match (is_head, decays) {
            (true, true) => heads.push(path),
            (true, false) => heads_kept.push(path),
            (false, false) => kept.push(path),
            (false, true) => {}
        }
    }
    let scheduler = |lr| stage.schedule.scheduler(lr, stage.steps);
    let mut optimiser = base.init();
    let mut schedule = ModuleLrScheduler::new(scheduler(settings.lr));
    for (paths, config) in
        [(&kept, without_decay(base)), (&heads, of_head), (&heads_kept, without_decay(of_head))]
    {
        if !paths.is_empty() {
            optimiser = optimiser.with_group(ParamGroup::from_paths(paths.clone()), config.build(), None);
        }
    }
    if settings.head.lr_factor != 1.0 {
        let paths = [heads, heads_kept].concat();
        let lr = settings.lr * settings.head.lr_factor;
        schedule = schedule.with_group(ParamGroup::from_paths(paths), scheduler(lr));
    }
    (optimiser, schedule)
}

/// The parameters of a module with their paths, as burn's optimisers see them.
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

impl StageContext<'_> {
    /// The tokenizer of a stage, with the tokens that it adds; their files are then already in the export.
    fn tokenizer_for(
        &self,
        stage: &Stage,
        model_dir: &Path,
        export: &Path,
    ) -> Result<ChatTokenizer, TrainError> {
        copy_tokenizer(model_dir, export)?;
        if !stage.add_tokens.is_empty() {
            dph_data::add_special_tokens(export, &stage.add_tokens)?;
        }
        super::tokenizer(self.experiment, export)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::Candidate;

    use super::*;

    fn batches(compares: bool, answers: Answers, packable: bool) -> Batches {
        // Two answers of two tokens and an end each, the first of them in the prompt.
        let conversation = CandidateSet {
            prompt: vec![10, 20, 21, 9, 11],
            candidates: vec![Candidate { tokens: vec![30, 31, 9], bytes: 2 }; 2],
            gold: Some(0),
            earlier_answers: std::iter::once(1..4).collect(),
            ..CandidateSet::default()
        };
        let short = CandidateSet { prompt: vec![10], earlier_answers: Vec::new(), ..conversation.clone() };
        Batches {
            compares,
            packs: !compares,
            answers,
            negatives: Negatives::All,
            seed: 0,
            budget: 16,
            pad: 0,
            packable,
            sets: vec![vec![short.clone(), conversation, short]],
            references: vec![Reference::default()],
            validation_references: Vec::new(),
        }
    }

    #[test]
    fn short_conversations_share_a_row_and_all_answers_are_learnt() {
        let step = [(0, 0, 0), (0, 1, 0), (0, 2, 0)];
        let sizes = |batches: Batches| -> Vec<(usize, usize, usize)> {
            let parts = batches.training(&step);
            parts.iter().map(|part| (part.batch.rows, part.batch.seq, part.batch.targets.len())).collect()
        };
        assert_eq!(sizes(batches(false, Answers::All, true)), [(2, 8, 12)]);
        assert_eq!(sizes(batches(false, Answers::Last, true)), [(2, 8, 9)]);
        assert_eq!(sizes(batches(false, Answers::All, false)), [(2, 8, 9), (1, 4, 3)]);
        // What is compared is the last answer, behind a prompt that is stored once.
        assert_eq!(sizes(batches(true, Answers::All, true)), [(1, 11, 6), (2, 7, 12)]);
    }
}
