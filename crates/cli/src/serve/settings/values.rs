//! The values of all settings, and what the server makes of them.

use wigwag_server::Config;

use super::admin::Admin;
use super::tls::Tls;
use super::unfit::Unfit;
use crate::logging::LogFormat;

/// The values of all settings.
#[derive(Clone, Debug)]
pub(in super::super) struct Settings {
    /// What the server takes as it is.
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) admin: Admin,
    pub(in super::super) log: String,
    pub(in super::super) log_format: LogFormat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::default(),
            tls: Tls::default(),
            admin: Admin::default(),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Settings {
    /// What works, and is no good idea.
    pub(in super::super) fn warnings(&self) -> Vec<String> {
        self.admin.warning().into_iter().collect()
    }

    /// The configuration of the server.
    ///
    /// # Errors
    ///
    /// All that does not go together.
    pub(in super::super) fn config(&self) -> Result<Config, Vec<Unfit>> {
        let mut unfit = Vec::new();
        let tls = self.tls.config().unwrap_or_else(|these| {
            unfit.extend(these);
            None
        });
        let admin = self.admin.config().unwrap_or_else(|this| {
            unfit.push(this);
            None
        });
        if !unfit.is_empty() {
            return Err(unfit);
        }
        Ok(Config {
            tls,
            admin,
            admin_socket: self.admin.socket(),
            ..self.config.clone()
        })
    }
}
