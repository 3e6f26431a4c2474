//! A Unix socket in the file system: bound for its owner alone, and taken away at the end.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::config::AdminSocket;
use crate::error::StartError;

/// A socket that is listened on; its file goes with this.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// The number of the file, which may be another's by now.
    inode: u64,
}

/// Finds out whether it could be listened on, without doing so.
pub(super) fn check(config: &AdminSocket) -> Result<(), StartError> {
    if config.mode & !0o660 != 0 || config.mode & 0o600 != 0o600 {
        return Err(StartError::AdminSocketMode { mode: config.mode });
    }
    let failed = |source| failed(&config.path, source);
    let folder = config.path.parent().unwrap_or_else(|| Path::new("/"));
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(failed(ErrorKind::NotADirectory.into())),
        // Another user may see more.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    match fs::symlink_metadata(&config.path) {
        Ok(found) if !found.file_type().is_socket() => Err(failed(ErrorKind::AlreadyExists.into())),
        _ => Ok(()),
    }
}

/// Listens. A socket that nobody listens on any more is replaced; what is no socket stays.
pub(super) fn bind(config: &AdminSocket) -> Result<(UnixListener, SocketFile), StartError> {
    check(config)?;
    let path = &config.path;
    bind_with_mode(path, config.mode).map_err(|source| failed(path, source))
}

fn bind_with_mode(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    // One that somebody listens on is in use.
    if UnixStream::connect(path).is_ok() {
        return Err(ErrorKind::AddrInUse.into());
    }
    // Nobody can connect before it has its mode, and at the path there is the old one or the new one.
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    remove_socket(&new)?;
    let listener = UnixListener::bind(&new)?;
    let prepared = fs::set_permissions(&new, Permissions::from_mode(mode))
        .and_then(|()| fs::symlink_metadata(&new))
        .and_then(|found| fs::rename(&new, path).map(|()| found.ino()));
    let inode = prepared.inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    let file = SocketFile {
        path: path.to_owned(),
        inode,
    };
    Ok((listener, file))
}

/// Removes what an earlier process with the same number left.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed(path: &Path, source: io::Error) -> StartError {
    StartError::AdminSocket {
        path: path.to_owned(),
        source,
    }
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = |found: Metadata| found.ino() == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(is_own) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(path: PathBuf) -> AdminSocket {
        AdminSocket { path, mode: 0o600 }
    }

    fn mode(path: &Path) -> u32 {
        let found = fs::symlink_metadata(path).expect("there");
        found.permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn socket_is_of_its_owner_alone_and_goes_with_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        for wanted in [0o600, 0o660] {
            let config = AdminSocket {
                path: path.clone(),
                mode: wanted,
            };
            let (_listener, file) = bind(&config).expect("bound");
            assert_eq!(mode(&path), wanted);
            let error = bind(&config).expect_err("it is in use");
            assert!(error.to_string().contains("in use"), "{error}");
            drop(file);
            assert_eq!(fs::read_dir(&folder).expect("readable").count(), 0);
        }
    }

    #[tokio::test]
    async fn socket_that_nobody_listens_on_replaced_and_another_file_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "as after a crash");
        let (listener, file) = bind(&socket(path.clone())).expect("bound");
        UnixStream::connect(&path).expect("it listens");
        // One that has taken its place is not removed.
        let (_other, other_file) = {
            drop(listener);
            bind(&socket(path.clone())).expect("bound")
        };
        drop(file);
        assert!(path.exists());
        drop(other_file);
        fs::write(&path, "mine").expect("written");
        let error = bind(&socket(path.clone())).expect_err("a file");
        assert!(matches!(error, StartError::AdminSocket { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "mine");
    }

    #[test]
    fn socket_that_others_could_use_or_that_has_no_folder_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.sock");
        for mode in [0o666, 0o606, 0o400, 0o4600] {
            let error = check(&AdminSocket {
                path: path.clone(),
                mode,
            })
            .expect_err("a mode");
            assert!(
                matches!(error, StartError::AdminSocketMode { .. }),
                "{error}"
            );
        }
        let error = check(&socket(folder.path().join("a/b"))).expect_err("no folder");
        assert!(error.to_string().contains("a/b"), "{error}");
    }
}
