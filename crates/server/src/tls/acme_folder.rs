//! What an order brings, kept in a folder for the next start: the account's key, and the certificate with its key.

use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use rustls_acme::{AccountCache, CertCache};

use crate::error::TlsError;
use crate::tls::certificate::Certificate;
use crate::tls::state::TlsState;

/// Bytes of a name's digest that make a file's name; others may use the folder, for other names.
const NAME_BYTES: usize = 16;

/// Its user may do anything anyway.
const ROOT: u32 = 0;

/// Files of the folder that are looked at; there are two for each order.
const MAX_FILES: usize = 1_000;

/// A folder that nobody else can read.
#[derive(Clone, Debug)]
pub(crate) struct AcmeFolder(PathBuf);

impl AcmeFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.into())
    }

    /// Makes the folder if it is missing, and finds out whether it can be written to.
    pub(crate) fn open(&self) -> Result<(), TlsError> {
        let path = &self.0;
        let failed = |source| self.failed(source);
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let found = fs::metadata(path).map_err(failed)?;
        self.check_mode(&found)?;
        self.check_owner(&found)?;
        self.check_files().map_err(failed)?;
        // Better found now than when there is a certificate to keep.
        let probe = path.join(format!(".{}.new", std::process::id()));
        write_secret(&probe, &[]).map_err(failed)?;
        fs::remove_file(probe).map_err(failed)
    }

    /// Finds out whether it could be opened, as far as that shows without writing. The caller may be another than the
    /// user that the server runs as: what is made here would be in its way, and what cannot be seen may be in order.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        for path in self.0.ancestors() {
            let is_here = path.as_os_str().is_empty() && path != self.0;
            match fs::metadata(if is_here { Path::new(".") } else { path }) {
                Ok(found) if !found.is_dir() => {
                    return Err(self.failed(ErrorKind::NotADirectory.into()));
                }
                Ok(found) if path == self.0 => return self.check_mode(&found),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
                Err(error) => return Err(self.failed(error)),
            }
        }
        Err(self.failed(ErrorKind::NotFound.into()))
    }

    /// Its rights are never changed: it may have been named by mistake, and be needed by others.
    fn check_mode(&self, found: &Metadata) -> Result<(), TlsError> {
        if found.permissions().mode() & 0o077 != 0 {
            let path = self.0.clone();
            return Err(TlsError::CacheIsOpen { path });
        }
        Ok(())
    }

    /// Another owner could put keys of its own there.
    fn check_owner(&self, found: &Metadata) -> Result<(), TlsError> {
        let user = rustix::process::geteuid().as_raw();
        if [user, ROOT].contains(&found.uid()) {
            return Ok(());
        }
        Err(self.failed(io::Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "it belongs to user {}, not to the one that runs this ({user})",
                found.uid()
            ),
        )))
    }

    /// Takes from others what they may do to the files in it: the folder is for this program alone.
    fn check_files(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)?.take(MAX_FILES) {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            if found.is_file() && found.permissions().mode() & 0o077 != 0 {
                let file = path.display();
                tracing::warn!(%file, "others could use this file with a key of ACME's; it is for its owner alone now");
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> TlsError {
        let path = self.0.clone();
        TlsError::CacheDirectory { path, source }
    }

    /// The certificate that was kept last, if it can be used; it may have expired.
    pub(crate) fn certificate(&self, domains: &[String], directory: &str) -> Option<Certificate> {
        let path = self.certificate_path(domains, directory);
        let text = fs::read(&path).ok()?;
        match Certificate::parse(&text, &path) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                tracing::warn!(%error, "cannot use the kept certificate; another one is ordered");
                None
            }
        }
    }

    fn certificate_path(&self, domains: &[String], directory: &str) -> PathBuf {
        let name = file_name(domains, directory);
        self.0.join(format!("certificate-{name}.pem"))
    }

    fn account_path(&self, contact: &[String], directory: &str) -> PathBuf {
        let name = file_name(contact, directory);
        self.0.join(format!("account-{name}.key"))
    }
}

/// The folder as an order sees it. What is stored is in use from then on.
pub(crate) struct OrderFolder {
    pub(crate) folder: AcmeFolder,
    pub(crate) state: Arc<TlsState>,
}

#[async_trait]
impl CertCache for OrderFolder {
    type EC = io::Error;

    async fn load_cert(&self, domains: &[String], directory: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.folder.certificate_path(domains, directory);
        let text = blocking({
            let path = path.clone();
            move || read_if_there(&path)
        });
        // What cannot be used was said at the start.
        let is_good = |text: &Vec<u8>| Certificate::parse(text, &path).is_ok();
        Ok(text.await?.filter(is_good))
    }

    async fn store_cert(&self, domains: &[String], directory: &str, text: &[u8]) -> io::Result<()> {
        let path = self.folder.certificate_path(domains, directory);
        match Certificate::parse(text, &path) {
            Ok(certificate) => {
                let until = certificate.validity.to;
                self.state.set_certificate(certificate);
                tracing::info!(%until, domains = domains.join(" "), "a new TLS certificate is in use");
            }
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
        let text = text.to_vec();
        blocking(move || replace(&path, &text)).await
    }
}

#[async_trait]
impl AccountCache for OrderFolder {
    type EA = io::Error;

    async fn load_account(
        &self,
        contact: &[String],
        directory: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        let path = self.folder.account_path(contact, directory);
        blocking(move || read_if_there(&path)).await
    }

    async fn store_account(
        &self,
        contact: &[String],
        directory: &str,
        key: &[u8],
    ) -> io::Result<()> {
        let path = self.folder.account_path(contact, directory);
        let key = key.to_vec();
        blocking(move || replace(&path, &key)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn file_name(words: &[String], directory: &str) -> String {
    let mut digest = Context::new(&SHA256);
    for word in words.iter().map(String::as_str).chain([directory]) {
        digest.update(word.as_bytes());
        digest.update(&[0]);
    }
    let digest = digest.finish();
    let bytes = &digest.as_ref()[..NAME_BYTES];
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// In one step: a reader, even after a crash, finds all of the old or all of the new.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    write_secret(&new, text)?;
    fs::rename(new, path)
}

fn write_secret(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_nobody_else() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("a/b");
        let open = |path: &Path| AcmeFolder::new(path).open();
        open(&path).expect("made");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        open(&path).expect("found again");
        assert_eq!(fs::read_dir(&path).expect("readable").count(), 0);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("changed");
        let error = open(&path).expect_err("others can read it");
        assert!(matches!(error, TlsError::CacheIsOpen { .. }), "{error}");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("written");
        let error = open(&file).expect_err("a file");
        assert!(matches!(error, TlsError::CacheDirectory { .. }), "{error}");
    }

    #[test]
    fn a_check_makes_nothing() {
        let parent = tempfile::tempdir().expect("a folder");
        let check = |path: &Path| AcmeFolder::new(path).check();
        let path = parent.path().join("a/b");
        check(&path).expect("it could be made");
        assert_eq!(fs::read_dir(&parent).expect("readable").count(), 0);
        check(Path::new("nowhere/acme")).expect("it could be made here");
        fs::create_dir_all(&path).expect("made");
        fs::set_permissions(&path, Permissions::from_mode(0o500)).expect("changed");
        check(&path).expect("its owner may be another");
        fs::set_permissions(&path, Permissions::from_mode(0o750)).expect("changed");
        let error = check(&path).expect_err("others can read it");
        assert!(matches!(error, TlsError::CacheIsOpen { .. }), "{error}");
        assert_eq!(fs::read_dir(&path).expect("readable").count(), 0);
        let file = parent.path().join("file");
        fs::write(&file, "").expect("written");
        for path in [file.clone(), file.join("acme")] {
            let error = check(&path).expect_err("a file is in the way");
            assert!(matches!(error, TlsError::CacheDirectory { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_kept_can_be_read_by_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("account.key");
        for text in ["first", "second"] {
            replace(&path, text.as_bytes()).expect("kept");
            assert_eq!(read_if_there(&path).expect("read"), Some(text.into()));
        }
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn file_that_others_could_read_made_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), own).expect("changed");
        let path = folder.path().join("account-0.key");
        fs::write(&path, "key").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");
        AcmeFolder::new(folder.path()).open().expect("opened");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// A crash or a reader in between finds all of one of them.
    #[test]
    fn file_replaced_in_one_step() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("account.key");
        replace(&path, b"first").expect("kept");
        let mut reader = fs::File::open(&path).expect("there");
        let before = fs::metadata(&path).expect("there").ino();
        replace(&path, b"second, which is longer").expect("kept");
        assert_ne!(fs::metadata(&path).expect("there").ino(), before);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).expect("readable");
        assert_eq!(text, "first", "who reads the old one reads on");
    }

    #[test]
    fn other_domains_and_directories_have_other_files() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let names = [
            file_name(&words(&["a", "b"]), "c"),
            file_name(&words(&["ab"]), "c"),
            file_name(&words(&["a"]), "bc"),
            file_name(&words(&[]), "c"),
        ];
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name));
        }
    }
}
