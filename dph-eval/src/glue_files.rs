//! [`GLUE_FILES`]: the eleven files that the server of GLUE takes.

/// A file of a submission, the split whose rows it answers, and how the server writes answers.
pub(crate) struct GlueFile {
    /// The name of the file, without `.tsv`.
    pub name: &'static str,
    /// The task.
    pub task: &'static str,
    /// The split with the rows to answer.
    pub split: &'static str,
    /// The number of rows of the published test set.
    pub rows: usize,
    /// How an answer is written.
    pub answers: Answers,
}

/// How the server writes the answers to a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answers {
    /// The number of the candidate: the number of its label.
    Numbers,
    /// A number from 0 to 5.
    Similarity,
    /// The word at the place of the candidate.
    Words(&'static [&'static str]),
}

const NLI: Answers = Answers::Words(&["entailment", "neutral", "contradiction"]);
const ENTAILMENT: Answers = Answers::Words(&["entailment", "not_entailment"]);

const fn file(
    name: &'static str,
    task: &'static str,
    split: &'static str,
    rows: usize,
    answers: Answers,
) -> GlueFile {
    GlueFile { name, task, split, rows, answers }
}

/// The task whose labels a task without training rows has.
pub(crate) fn labels_of(task: &str) -> Option<&'static str> {
    (task == "ax").then_some("mnli")
}

/// The files in the order of the server. Source: the instructions for submissions of gluebenchmark.com, and the test sets that are
/// published there (Wang et al., arXiv 1804.07461).
pub(crate) const GLUE_FILES: [GlueFile; 11] = [
    file("CoLA", "cola", "test", 1063, Answers::Numbers),
    file("SST-2", "sst2", "test", 1821, Answers::Numbers),
    file("MRPC", "mrpc", "test", 1725, Answers::Numbers),
    file("STS-B", "stsb", "test", 1379, Answers::Similarity),
    file("QQP", "qqp", "test", 390_965, Answers::Numbers),
    file("MNLI-m", "mnli", "test", 9796, NLI),
    file("MNLI-mm", "mnli", "test_mismatched", 9847, NLI),
    file("QNLI", "qnli", "test", 5463, ENTAILMENT),
    file("RTE", "rte", "test", 3000, ENTAILMENT),
    file("WNLI", "wnli", "test", 146, Answers::Numbers),
    file("AX", "ax", "test", 1104, NLI),
];
