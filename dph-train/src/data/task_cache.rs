//! [`TaskCache`]: loads each data set once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};

use dph_core::CandidateSet;
use dph_data::{ChatTokenizer, DataError, Task, TaskData, TaskLoadOptions, TextLayout};
use dph_eval::{BenchOptions, PlannedTask};

/// Loads data sets. Stages, variants and evaluations that use the same data share it in memory until the last of them drops it.
#[derive(Default)]
pub(crate) struct TaskCache(HashMap<String, Weak<TaskData>>);

/// The source of the data sets of a run, and the model that they are loaded for.
#[derive(Clone, Copy)]
pub(crate) struct DataSource<'a> {
    /// Root of the data sets.
    pub root: &'a Path,
    /// The tokenizer. It must outlive the cache.
    pub tokenizer: &'a Arc<ChatTokenizer>,
    /// The length of the model's context in tokens.
    pub context: usize,
    /// How texts are laid out for a classifier.
    pub layout: TextLayout,
}

/// The sets of a task that a stage can use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usable<'a> {
    /// Whether a set needs at least two candidates.
    pub compares: bool,
    /// The attributes that a gold answer must have.
    pub attributes: &'a [String],
}

impl Usable<'_> {
    fn includes(&self, set: &CandidateSet) -> bool {
        let has_all = self.attributes.iter().all(|name| set.attributes.contains_key(name));
        set.gold.is_some() && (!self.compares || set.candidates.len() > 1) && has_all
    }
}

impl TaskCache {
    /// The sets of a split that a stage can use. `name` is the name or path of the task.
    pub fn stage_task(
        &mut self,
        source: DataSource<'_>,
        (name, task): (&str, &Task),
        split: &str,
        mut options: TaskLoadOptions,
        usable: Usable<'_>,
    ) -> Result<Arc<TaskData>, DataError> {
        options.max_len = Some(source.context);
        if options.limit.is_none() {
            // Without a sample the seed has no effect, and the runs of different seeds share the data.
            options.seed = 0;
        }
        let key = format!("{} {name} {split} {options:?} {usable:?}", source.key());
        self.get(key, || {
            let mut data = TaskData::load(task, source.root, split, source.tokenizer, &options)?;
            data.sets.retain(|set| usable.includes(set));
            Ok(data)
        })
    }

    /// The documents of a task of an evaluation.
    pub fn evaluation_task(
        &mut self,
        source: DataSource<'_>,
        planned: &PlannedTask,
        options: &BenchOptions,
    ) -> Result<Arc<TaskData>, DataError> {
        let PlannedTask { requested, split, held_out, .. } = planned;
        let key = format!("{} {requested} {split} {held_out:?} {options:?}", source.key());
        self.get(key, || planned.load(source.tokenizer, source.context, options))
    }

    fn get(
        &mut self,
        key: String,
        load: impl FnOnce() -> Result<TaskData, DataError>,
    ) -> Result<Arc<TaskData>, DataError> {
        if let Some(data) = self.0.get(&key).and_then(Weak::upgrade) {
            return Ok(data);
        }
        let data = Arc::new(load()?);
        self.0.insert(key, Arc::downgrade(&data));
        Ok(data)
    }
}

impl DataSource<'_> {
    /// Tokenizers are compared by their address: those of one model are shared.
    fn key(&self) -> String {
        let Self { root, tokenizer, context, layout: _ } = self;
        format!("{root:?} {:p} {context}", Arc::as_ptr(tokenizer))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_data::World;

    use super::*;

    #[test]
    fn data_are_shared_until_their_last_user_drops_them() {
        let dir = tempfile::tempdir().unwrap();
        World::default().write_tokenizer(dir.path()).unwrap();
        let tokenizer = Arc::new(ChatTokenizer::from_dir(dir.path()).unwrap());
        let source =
            DataSource { root: dir.path(), tokenizer: &tokenizer, context: 256, layout: TextLayout::Pair };
        let task = Task::find("world").unwrap();
        let usable = Usable { compares: true, attributes: &[] };
        let mut cache = TaskCache::default();
        let mut load = |seed, limit| {
            let options = TaskLoadOptions { seed, limit, ..TaskLoadOptions::default() };
            cache.stage_task(source, ("world", &task), "train", options, usable).unwrap()
        };
        let first = load(1, None);
        assert!(Arc::ptr_eq(&first, &load(2, None)), "without a sample the seed has no effect");
        assert_eq!(Arc::strong_count(&first), 1, "the cache itself does not hold the data");
        let sample = load(1, Some(5));
        assert_eq!(sample.sets.len(), 5);
        assert!(Arc::ptr_eq(&sample, &load(1, Some(5))));
        assert_ne!(sample.sets, load(2, Some(5)).sets);
    }
}
