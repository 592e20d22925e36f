//! The viewers' session descriptions on disk.
//!
//! Invariant: files in a directory of our own making are gone when this is dropped; in the user's they stay.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use plain_relay::relay::Relay;

/// One file a viewer.
#[derive(Debug)]
pub(crate) struct SessionFiles {
    directory: PathBuf,
    is_ours: bool,
    paths: Vec<PathBuf>,
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; choose another --sdp-directory", path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl SessionFiles {
    /// Writes `viewer-N.sdp` for each viewer into `directory`, or into a temporary one.
    pub(crate) fn write(relay: &Relay, directory: Option<&Path>) -> Result<Self, FileError> {
        let temporary = || env::temp_dir().join(format!("plain-relay-{}", process::id()));
        let mut files = Self {
            directory: directory.map_or_else(temporary, Path::to_owned),
            is_ours: directory.is_none(),
            paths: Vec::new(),
        };
        fs::create_dir_all(&files.directory)
            .map_err(|source| FileError { path: files.directory.clone(), source })?;
        for (index, viewer) in relay.viewers().iter().enumerate() {
            let path = files.directory.join(format!("viewer-{}.sdp", index + 1));
            fs::write(&path, viewer.session_description())
                .map_err(|source| FileError { path: path.clone(), source })?;
            files.paths.push(path);
        }
        Ok(files)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// In the order of the viewers.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

impl Drop for SessionFiles {
    fn drop(&mut self) {
        if self.is_ours {
            // Best effort: it is in the system's temporary directory.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}
