//! One setting: its names, what it is for, and how its value is read and shown.

use std::path::Path;

use super::super::value::Given;
use super::values::Settings;

/// A setting.
pub(in super::super) struct Setting {
    /// As in the file, with its section before a point.
    pub(in super::super) key: &'static str,
    /// What it is for, in the words of the file.
    pub(super) about: &'static str,
    /// A value to show where none is the default.
    pub(super) example: &'static str,
    /// Gives it a value; relative paths are in the folder.
    pub(in super::super) read: fn(&mut Settings, &Given, Option<&Path>) -> Result<(), String>,
    /// Its value as in the file, if it has one.
    pub(in super::super) show: fn(&Settings) -> Option<String>,
}

impl Setting {
    /// Its environment variable.
    pub(in super::super) fn variable(&self) -> String {
        variable_of(self.key)
    }

    /// Its section and its name there.
    pub(in super::super) fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.rsplit_once('.').unwrap_or(("", self.key))
    }
}

/// The environment variable of a key or a section.
pub(in super::super) fn variable_of(key: &str) -> String {
    format!("WIGWAG_{}", key.to_uppercase().replace('.', "_"))
}
