//! Taking new settings while serving, when told to by a signal (SIGHUP).

use std::sync::Arc;

use tokio::signal::unix::Signal;
use wigwag_server::{Handle, Server};

use super::arguments::ServeArguments;
use super::service_manager;
use super::settings::SETTINGS;
use super::sources::{Effective, Origin};
use crate::logging::{LogFormat, LogHandle};

/// What is told of new settings.
pub(super) struct Reload {
    pub(super) arguments: Arc<ServeArguments>,
    /// The settings in force.
    pub(super) effective: Effective,
    pub(super) server: Handle,
    pub(super) log: LogHandle,
    /// How lines of the log look since the start, whatever the settings said later.
    pub(super) log_format: LogFormat,
    /// For the service manager, when all is as it was.
    pub(super) status: String,
}

impl Reload {
    /// Reads the settings anew at each signal. Never ready.
    pub(super) async fn at_each(mut self, mut signal: Signal) {
        while signal.recv().await.is_some() {
            service_manager::reloading();
            self.once().await;
            service_manager::ready(&self.status);
        }
        std::future::pending::<()>().await;
    }

    /// A mistake anywhere changes nothing.
    async fn once(&mut self) {
        tracing::info!("reading the settings anew");
        let arguments = Arc::clone(&self.arguments);
        let read = tokio::task::spawn_blocking(move || arguments.sources().read());
        let effective = match read.await {
            Ok(Ok(effective)) => effective,
            Ok(Err(mistakes)) => {
                for mistake in mistakes {
                    tracing::error!("{mistake}");
                }
                return tracing::error!("the settings stay as they are");
            }
            Err(error) => return tracing::error!(%error, "cannot read the settings"),
        };
        for warning in &effective.warnings {
            tracing::warn!("{warning}");
        }
        // What only the next start would refuse is told to whoever can still mend it.
        if let Err(error) = Server::check(&effective.config).await {
            return tracing::error!("{error}; the settings stay as they are");
        }
        let reloaded = match self.server.reload(effective.config.clone()) {
            Ok(reloaded) => reloaded,
            Err(error) => return tracing::error!("{error}; the settings stay as they are"),
        };
        if let Err(error) = self.log.set_filter(&effective.settings.log) {
            tracing::error!(%error, "the log filter stays as it is");
        }
        self.tell_changes(&effective);
        for setting in reloaded.needs_restart {
            tracing::warn!(setting, "counts from the next start only");
        }
        if effective.settings.log_format != self.log_format {
            tracing::warn!(setting = "log_format", "counts from the next start only");
        }
        self.effective = effective;
    }

    fn tell_changes(&self, new: &Effective) {
        for setting in SETTINGS {
            let before = (setting.show)(&self.effective.settings);
            let now = (setting.show)(&new.settings);
            if before != now {
                let none = || "none".to_owned();
                let (before, now) = (before.unwrap_or_else(none), now.unwrap_or_else(none));
                let origin: &Origin = new.origin(setting.key);
                tracing::info!(before, now, %origin, "changed: {}", setting.key);
            }
        }
    }
}
