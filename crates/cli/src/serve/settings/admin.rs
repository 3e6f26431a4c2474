//! The settings of the admin API, and what the server makes of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wigwag_server::{AdminConfig, AdminSocket, Secret};

use super::unfit::Unfit;
use crate::bounded_file::{MAX_TOKEN_FILE_BYTES, read_at_most};

/// The section `admin`.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) allow_plaintext: bool,
    pub(super) socket: Option<PathBuf>,
    pub(super) socket_mode: u32,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            host: AdminConfig::default().host,
            port: None,
            token_file: None,
            allow_plaintext: false,
            socket: None,
            socket_mode: AdminSocket::new(PathBuf::new()).mode,
        }
    }
}

impl Admin {
    /// None for a server whose admin API has no port.
    ///
    /// # Errors
    ///
    /// There is a token but no port, or the token cannot be read or used.
    pub(super) fn config(&self) -> Result<Option<AdminConfig>, Unfit> {
        let Some(port) = self.port else {
            return match self.token_file {
                Some(_) => Err(Unfit::Missing("admin.token_file", "admin.port")),
                None if self.allow_plaintext => {
                    Err(Unfit::Missing("admin.allow_plaintext", "admin.port"))
                }
                None => Ok(None),
            };
        };
        let token = self.token_file.as_deref().map(token).transpose()?;
        Ok(Some(AdminConfig {
            host: self.host.clone(),
            port,
            token,
            allow_plaintext: self.allow_plaintext,
        }))
    }

    /// None for a server whose admin API has no socket.
    pub(super) fn socket(&self) -> Option<AdminSocket> {
        let path = self.socket.clone()?;
        Some(AdminSocket {
            path,
            mode: self.socket_mode,
        })
    }

    /// What works, and is no good idea.
    pub(super) fn warning(&self) -> Option<String> {
        let file = self.token_file.as_deref()?;
        // Orchestrators mount tokens like that, so it is used.
        let mode = fs::metadata(file).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| {
            format!(
                "all users of this machine can read the token of the admin API: chmod 0640 {}, or stricter",
                file.display()
            )
        })
    }
}

/// The token in a file. What is wrong with it never shows it.
fn token(file: &Path) -> Result<Secret, Unfit> {
    let unusable = |reason: String| {
        let reason = format!("cannot be used: {}: {reason}", file.display());
        Unfit::Unusable("admin.token_file", reason)
    };
    let text = read_at_most(file, MAX_TOKEN_FILE_BYTES);
    let text = text.map_err(|error| unusable(error.to_string()))?;
    Secret::new(text.trim()).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_token_is_what_a_file_holds() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut admin = Admin {
            token_file: Some(file.path().to_owned()),
            ..Admin::default()
        };
        let missing = Unfit::Missing("admin.token_file", "admin.port");
        assert_eq!(admin.config(), Err(missing));
        admin.port = Some(1);
        assert!(
            matches!(admin.config(), Err(Unfit::Unusable(..))),
            "it is empty"
        );
        writeln!(file, "correct-horse-battery").expect("written");
        let token = admin
            .config()
            .map(|config| config.and_then(|config| config.token));
        assert_eq!(token, Ok(Secret::new("correct-horse-battery").ok()));
        let set_mode = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(file.path(), mode).expect("changed");
        };
        set_mode(0o640);
        assert_eq!(admin.warning(), None);
        set_mode(0o644);
        let warning = admin.warning().expect("others can read it");
        assert!(
            warning.contains("chmod") && !warning.contains("horse"),
            "{warning}"
        );
        admin.token_file = Some("/dev/zero".into());
        assert!(
            matches!(admin.config(), Err(Unfit::Unusable(..))),
            "it has no end"
        );
        admin.token_file = None;
        let config = admin.config().expect("a port is enough");
        assert_eq!(config.map(|config| config.token), Some(None));
        admin.allow_plaintext = true;
        admin.port = None;
        let missing = Unfit::Missing("admin.allow_plaintext", "admin.port");
        assert_eq!(admin.config(), Err(missing));
    }
}
