//! Every setting of `wigwag serve`: its name, what it is for, and where its value goes.
//!
//! [`SETTINGS`] is the one list. The file, the variables, the flags' meaning, `--check`, `--print-config` and
//! `packaging/wigwag.toml` all follow from it.

mod admin;
mod list;
mod setting;
#[cfg(test)]
mod tests;
mod tls;
mod unfit;
mod values;

pub(super) use list::SETTINGS;
pub(super) use setting::{Setting, variable_of};
pub(super) use unfit::Unfit;
pub(super) use values::Settings;

/// The setting of this name.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
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
