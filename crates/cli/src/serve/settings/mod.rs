//! Every setting of `wigwag serve`: its name, what it is for, and where its value goes.
//!
//! [`SETTINGS`] is the one list. The file, the variables, the flags' meaning, `--check`, `--print-config` and
//! `packaging/wigwag.toml` all follow from it.

mod admin;
mod list;
#[cfg(test)]
mod tests;
mod tls;

use std::path::Path;

use wigwag_server::Config;

use super::value::Given;
use crate::logging::LogFormat;

use admin::Admin;
use tls::Tls;

pub(super) use list::SETTINGS;

/// The values of all settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What the server takes as it is.
    config: Config,
    tls: Tls,
    admin: Admin,
    pub(super) log: String,
    pub(super) log_format: LogFormat,
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
    /// What the server is told.
    ///
    /// # Errors
    ///
    /// All that does not go together.
    pub(super) fn config(&self) -> Result<Config, Vec<Unfit>> {
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
            ..self.config.clone()
        })
    }
}

/// Settings that are right one by one, but not together. All name keys.
#[derive(Debug, PartialEq)]
pub(super) enum Unfit {
    /// The first is set, and demands the second, which is not.
    Missing(&'static str, &'static str),
    /// Both are set, and only one can be.
    Both(&'static str, &'static str),
    /// What is set is of no use, for a reason.
    Unusable(&'static str, String),
}

/// A setting.
pub(super) struct Setting {
    /// As in the file, with its section before a point.
    pub(super) key: &'static str,
    /// What it is for, in the words of the file.
    pub(super) about: &'static str,
    /// A value to show where none is the default.
    pub(super) example: &'static str,
    /// Gives it a value; relative paths are in the folder.
    pub(super) read: fn(&mut Settings, &Given, Option<&Path>) -> Result<(), String>,
    /// Its value as in the file, if it has one.
    pub(super) show: fn(&Settings) -> Option<String>,
}

impl Setting {
    /// Its environment variable.
    pub(super) fn variable(&self) -> String {
        variable_of(self.key)
    }

    /// Its section and its name there.
    pub(super) fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.rsplit_once('.').unwrap_or(("", self.key))
    }
}

/// The setting of this name.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The environment variable of a key or a section.
pub(super) fn variable_of(key: &str) -> String {
    format!("WIGWAG_{}", key.to_uppercase().replace('.', "_"))
}

/// Whether settings are in this section.
pub(super) fn is_section(name: &str) -> bool {
    let mut sections = SETTINGS.iter().map(|setting| setting.section_and_name().0);
    sections.any(|section| section == name)
}

/// A file with every setting and its default, none of them in force.
pub(super) fn sample() -> String {
    let defaults = Settings::default();
    let mut sample = String::from(
        "# Settings of `wigwag serve`, all with their defaults. Take the # from a line to change it.\n\
         # A flag goes before an environment variable (limits.max_peers is WIGWAG_LIMITS_MAX_PEERS), and that before\n\
         # this file. Files are looked for beside this one. `wigwag serve --check` shows what is in force.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (own, name) = setting.section_and_name();
        if own != section {
            section = own;
            sample += &format!("\n[{section}]\n");
        }
        let (value, note) = match (setting.show)(&defaults) {
            Some(value) => (value, ""),
            None => (setting.example.to_owned(), " Not set by default."),
        };
        sample += &format!("\n# {}{note}\n#{name} = {value}\n", setting.about);
    }
    sample
}
