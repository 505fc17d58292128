//! [`FetchError`]: why the rows of a task cannot be downloaded.

use std::io;
#[cfg(feature = "hub")]
use std::path::Path;
use std::path::PathBuf;

use dph_core::hub::TokenError;

/// Why the rows of a task cannot be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The task is generated.
    #[error("the task `{task}` is generated; there is nothing to fetch")]
    Synthetic {
        /// The task.
        task: String,
    },
    /// The task has no table `[hub]`.
    #[error(
        "the task `{task}` names no repository to fetch its rows from; put them into {}, or name a repository (table [hub], described in TASKS.md) \
         in a copy of the task",
        folder.display()
    )]
    NoRepository {
        /// The task.
        task: String,
        /// Where its rows belong.
        folder: PathBuf,
    },
    /// The repository lacks the split.
    #[error("{repository} has no split `{split}` of `{task}`; it has {}: name one of them with --split", splits.join(", "))]
    NoSplit {
        /// The task.
        task: String,
        /// The split asked for.
        split: String,
        /// The repository.
        repository: String,
        /// The splits that there are.
        splits: Vec<String>,
    },
    /// The data root is a file.
    #[error("{}: this is a file; give the directory of the data sets", root.display())]
    NoDirectory {
        /// The data root.
        root: PathBuf,
    },
    /// `hf:` without a place for the data.
    #[error(
        "there is no home directory for the data sets; write hf:DIR instead of hf:, or set XDG_CACHE_HOME"
    )]
    NoHome,
    /// The token of the hub cannot be sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The download failed.
    #[error("cannot fetch `{task}` ({}) from {repository}: {problem}", splits.join(", "))]
    Failed {
        /// The task.
        task: String,
        /// The splits that are missing.
        splits: Vec<String>,
        /// The repository.
        repository: String,
        /// What went wrong.
        problem: Box<HubProblem>,
    },
}

/// What went wrong between this machine and the hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubProblem {
    /// `HF_HUB_OFFLINE` is set.
    #[error(
        "it is not below {}, and HF_HUB_OFFLINE forbids downloads; fetch it on a machine with network, and copy the directory",
        root.display()
    )]
    Offline {
        /// The data root.
        root: PathBuf,
    },
    /// This program has no code for it.
    #[error(
        "this program was built without the feature `hub`, which downloads data; build it with this feature, or fetch the data on another machine \
         and copy the directory"
    )]
    NotBuilt,
    /// There is no network.
    #[error(
        "{endpoint} cannot be reached ({problem}); check the network and HF_ENDPOINT, or fetch the data on a machine with network, and copy the \
         directory"
    )]
    Unreachable {
        /// The address of the hub.
        endpoint: String,
        /// What the system said.
        problem: String,
    },
    /// Status 401 or 403.
    #[error(
        "{endpoint} refuses access: {}{}",
        match with_token {
            false => format!(
                "the data set is gated or private, or there is none of this name. Accept its terms at {endpoint}/datasets/{repository} and \
                 set HF_TOKEN to a token of your account ({endpoint}/settings/tokens)"
            ),
            true if *status == 401 => format!(
                "it does not know the token, which may have expired. Set HF_TOKEN to a token of your account ({endpoint}/settings/tokens); \
                 public data sets need none"
            ),
            true => format!(
                "the account of the token has no access. Accept the terms at {endpoint}/datasets/{repository} with this account, or set \
                 HF_TOKEN to a token of another one ({endpoint}/settings/tokens)"
            ),
        },
        of_hub(says)
    )]
    Refused {
        /// The address of the hub.
        endpoint: String,
        /// The repository.
        repository: String,
        /// Whether a token was sent.
        with_token: bool,
        /// The status.
        status: u16,
        /// What the hub says.
        says: Option<String>,
    },
    /// The hub has closed the repository.
    #[error(
        "{endpoint} has disabled the repository {repository}; name another one in a copy of the task (table [hub], described in TASKS.md)"
    )]
    Disabled {
        /// The address of the hub.
        endpoint: String,
        /// The repository.
        repository: String,
    },
    /// Status 404.
    #[error(
        "{endpoint} has no {what} (revision {revision}); check the table [hub] of the task, which names the files of a repository without this \
         revision (key `files`){}",
        of_hub(says)
    )]
    NotFound {
        /// The address of the hub.
        endpoint: String,
        /// The repository, folder or file.
        what: String,
        /// The revision.
        revision: String,
        /// What the hub says.
        says: Option<String>,
    },
    /// The configuration has no such split.
    #[error(
        "the configuration has no split {}; it has {}. Name what there is in the table [splits] of the task, or the original files (key `files` \
         of [hub])",
        names.join(" or "),
        if there.is_empty() { "none".to_owned() } else { there.join(", ") }
    )]
    NoSuchSplit {
        /// The names that were looked for.
        names: Vec<String>,
        /// The splits that there are.
        there: Vec<String>,
    },
    /// The hub converted only the first part of the split.
    #[error(
        "the hub has converted only the first part of the split {split} (folder partial-{split}); name the original files in the task \
         (key `files` of [hub])"
    )]
    Partial {
        /// The split on the hub.
        split: String,
    },
    /// Shards of a split with a gap.
    #[error(
        "the hub lists later files of the split {split}, but no {file}; try again later, or name the original files in the task (key \
         `files` of [hub])"
    )]
    MissingShard {
        /// The split on the hub.
        split: String,
        /// The file that is missing.
        file: String,
    },
    /// Status 429 with a long pause.
    #[error(
        "{endpoint} gets too many requests and asks for a pause of {seconds} s; run the same command again later, it continues"
    )]
    Busy {
        /// The address of the hub.
        endpoint: String,
        /// The pause.
        seconds: u64,
    },
    /// The hub or the connection failed several times.
    #[error("{problem}, {attempts} times in a row; run the same command again later, it continues")]
    GaveUp {
        /// The last failure.
        problem: String,
        /// Number of attempts.
        attempts: u32,
    },
    /// Any other status.
    #[error(
        "{endpoint} answers with status {status} to {what}; run the same command again later, and check HF_ENDPOINT if it stays so{}",
        of_hub(says)
    )]
    Status {
        /// The address of the hub.
        endpoint: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
        /// What the hub says.
        says: Option<String>,
    },
    /// The answer is not one of a hub.
    #[error(
        "{endpoint} does not answer as a hub does ({problem}); check HF_ENDPOINT, and whether a proxy or the login of the network answers in its \
         place"
    )]
    NoHub {
        /// The address of the hub.
        endpoint: String,
        /// What is wrong.
        problem: String,
    },
    /// The file is not what the hub says.
    #[error(
        "{file}: {problem}, also in a second download; a proxy may change it, or the hub has changed it meanwhile. Run the command again"
    )]
    Damaged {
        /// The file in the repository.
        file: String,
        /// What does not agree.
        problem: String,
    },
    /// A local file cannot be written.
    #[error("cannot write {}: {source}{}", path.display(), disk_full(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the next task would fail in the same way.
    pub fn is_general(&self) -> bool {
        match self {
            Self::Failed { problem, .. } => !matches!(
                **problem,
                HubProblem::Refused { .. }
                    | HubProblem::Disabled { .. }
                    | HubProblem::NotFound { .. }
                    | HubProblem::NoSuchSplit { .. }
                    | HubProblem::Partial { .. }
                    | HubProblem::MissingShard { .. }
                    | HubProblem::Damaged { .. }
            ),
            Self::NoDirectory { .. } | Self::NoHome | Self::Token(_) => true,
            Self::Synthetic { .. } | Self::NoRepository { .. } | Self::NoSplit { .. } => false,
        }
    }
}

impl HubProblem {
    #[cfg(feature = "hub")]
    pub(super) fn write(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path: path.clone(), source }
    }
}

fn of_hub(says: &Option<String>) -> String {
    says.as_ref().map_or_else(String::new, |says| format!(". The hub says: {says}"))
}

fn disk_full(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make space and run the same command again, it continues"
        }
        _ => "",
    }
}
