//! Why there is no secret. Nothing in here holds one.

use std::{io, path::PathBuf, process::ExitStatus};

use thiserror::Error;

/// Why a backend has nothing at all.
#[derive(Debug, Error)]
pub(super) enum BackendError {
    #[error("{} cannot be read: {cause}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: SecretFileError,
    },
    #[error("the file is no JSON map from keys to strings (line {line}, column {column})")]
    NotAMap { line: usize, column: usize },
    #[error("the command is empty")]
    NoCommand,
    #[error(transparent)]
    Query(#[from] serde_json::Error),
    #[error("the command cannot be started: {0}")]
    NotStarted(#[source] io::Error),
    #[error("the command did not finish within {0} s")]
    Late(u64),
    #[error("the command's output cannot be read: {0}")]
    Output(#[source] io::Error),
    #[error("the command's output is larger than 1 MiB")]
    OutputTooLarge,
    #[error("the command was lost: {0}")]
    Lost(#[source] io::Error),
    #[error("the command failed: {0}")]
    Failed(ExitStatus),
    #[error("the command's output is not the JSON map that the protocol asks for")]
    NotTheProtocol,
}

/// Why a backend has nothing for one key, said of the key.
#[derive(Debug, Error)]
pub(super) enum KeyError {
    #[error("is not in the file")]
    NotInFile,
    #[error("leads out of the backend's directory")]
    Outside,
    #[error("cannot be read: {0}")]
    File(#[from] SecretFileError),
    #[error("was not in the command's output")]
    NotInOutput,
    #[error("was refused by the command; run it by hand to see why")]
    Refused,
    #[error("is empty")]
    Empty,
}

/// Why a file with secrets cannot be read.
#[derive(Debug, Error)]
pub(super) enum SecretFileError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("it is larger than 1 MiB")]
    TooLarge,
    #[error("it is not UTF-8")]
    NotText,
}
