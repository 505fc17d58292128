//! [`KeptStates`]: the states of sequences that grow, for aggregations that need all of them.

use burn::tensor::Tensor;

use super::SelectedStates;
use crate::candidates::CandidateSpan;
use crate::select::select_rows;

/// The selected states of prompts, each stored once, and of the sequences that continue them together.
#[derive(Debug, Clone)]
pub(crate) struct KeptStates {
    /// `[prompts · columns, layers, d_model]`, padded at the start of a prompt; `None` if no token of a prompt is read.
    prompts: Option<Tensor<3>>,
    columns: usize,
    /// The ids of the prompts, `[prompts, columns]`; empty if the aggregation reads no ids.
    prompt_ids: Vec<i32>,
    /// Padding of each prompt.
    padding: Vec<usize>,
    /// The prompt of each sequence.
    owners: Vec<usize>,
    /// The states of the sequences after each step, `[rows, steps, layers, d_model]` each.
    steps: Vec<Tensor<4>>,
    len: usize,
    /// The ids of each sequence.
    ids: Vec<Vec<i32>>,
}

impl KeptStates {
    /// One sequence for each prompt, without a token of its own.
    ///
    /// # Shapes
    ///
    /// - states: `[prompts, columns, layers, d_model]`, if tokens of the prompts are read
    /// - ids: `[prompts, columns]`, or empty
    /// - padding: of each prompt
    pub fn new(states: Option<Tensor<4>>, ids: Vec<i32>, padding: Vec<usize>) -> Self {
        let count = padding.len();
        Self {
            columns: states.as_ref().map_or(0, |states| states.dims()[1]),
            prompts: states.map(|states| states.flatten(0, 1)),
            prompt_ids: ids,
            padding,
            owners: (0..count).collect(),
            steps: Vec::new(),
            len: 0,
            ids: vec![Vec::new(); count],
        }
    }

    /// Adds a token to each sequence: its states, `[rows, layers, d_model]`, and its id.
    pub fn push(&mut self, states: Tensor<3>, ids: &[u32]) {
        self.steps.push(states.unsqueeze_dim(1));
        self.len += 1;
        for (all, &id) in self.ids.iter_mut().zip(ids) {
            all.push(id as i32);
        }
    }

    /// Continues these sequences, which may repeat.
    pub fn select(&mut self, rows: &[usize]) {
        if !self.steps.is_empty() {
            let all = Tensor::cat(std::mem::take(&mut self.steps), 1);
            self.steps = vec![select_rows(all, rows.iter().copied())];
        }
        self.owners = rows.iter().map(|&row| self.owners[row]).collect();
        self.ids = rows.iter().map(|&row| self.ids[row].clone()).collect();
    }

    /// The states of all sequences as those of candidates.
    ///
    /// # Panics
    ///
    /// If no token was added.
    pub fn selected(&self) -> SelectedStates {
        let own: Tensor<3> = Tensor::cat(self.steps.clone(), 1).flatten(0, 1);
        let before = self.prompts.as_ref().map_or(0, |states| states.dims()[0]);
        let values = match &self.prompts {
            None => own,
            Some(prompts) => Tensor::cat(vec![prompts.clone(), own], 0),
        };
        let tokens = match self.prompt_ids.is_empty() {
            true => Vec::new(),
            false => self.prompt_ids.iter().chain(self.ids.iter().flatten()).copied().collect(),
        };
        let span = |(row, &owner): (usize, &usize)| {
            let (start, first) = (before + row * self.len, owner * self.columns);
            let padding = self.padding[owner].min(self.columns);
            CandidateSpan {
                prompt: first + padding..first + self.columns,
                context: start..start,
                turn: start..start + self.len,
                ..CandidateSpan::default()
            }
        };
        SelectedStates { values, tokens, candidates: self.owners.iter().enumerate().map(span).collect() }
    }
}
