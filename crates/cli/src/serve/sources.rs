//! Where settings come from. A flag goes before an environment variable, that before the file, and that before the
//! default. What is given is always read, also where something else goes before it, so that no mistake lies in wait.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use strsim::damerau_levenshtein;
use wigwag_server::Config;

use super::file;
use super::flags::flag_of;
use super::mistake::Mistake;
use super::settings::{SETTINGS, Setting, Settings, Unfit, find, is_section, variable_of};
use super::value::Given;

/// The variable that names the file.
pub(super) const CONFIG_VARIABLE: &str = "WIGWAG_CONFIG";

/// Other variables with the same meaning: (key, variable).
const OTHER_NAMES: [(&str, &str); 1] = [
    // The reference's units and scripts keep their filter.
    ("log", "WEBRTCSINK_SIGNALLING_SERVER_LOG"),
];

/// The variable in which `wigwag monitor` is given its token.
const MONITOR_TOKEN_VARIABLE: &str = "WIGWAG_ADMIN_TOKEN";

/// Variables of the other commands, of the elements, and of tests.
const OF_OTHERS: [&str; 6] = [
    CONFIG_VARIABLE,
    "WIGWAG_ADDRESSES",
    MONITOR_TOKEN_VARIABLE,
    "WIGWAG_MAX_VIEWERS",
    "WIGWAG_PLUGIN",
    "WIGWAG_SERVE",
];

/// What was given outside the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// The settings file, if there is one.
    pub(super) file: Option<PathBuf>,
    /// The environment variables of this process that can be meant.
    pub(super) environment: BTreeMap<String, OsString>,
    /// What was said by flags.
    pub(super) flags: Vec<FromFlag>,
}

/// A value on the command line.
#[derive(Clone, Debug)]
pub(super) struct FromFlag {
    pub(super) key: &'static str,
    /// Without the dashes.
    pub(super) flag: &'static str,
    pub(super) value: String,
}

/// The settings in force, and whence they came.
#[derive(Debug)]
pub(super) struct Effective {
    pub(super) settings: Settings,
    pub(super) config: Config,
    /// What may be a mistake, and may as well not be.
    pub(super) warnings: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Effective {
    /// Where the value of a setting comes from.
    pub(super) fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
    Flag { flag: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment { variable } => write!(f, "{variable}"),
            Self::Flag { flag } => write!(f, "--{flag}"),
        }
    }
}

impl Sources {
    /// Takes what can be meant from an environment; a file that is named by a flag goes before the variable.
    pub(super) fn new(
        file: Option<PathBuf>,
        flags: Vec<FromFlag>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let environment: BTreeMap<String, OsString> = environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| is_ours(name) && !value.is_empty())
            .collect();
        let file = file.or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
        Self {
            file,
            environment,
            flags,
        }
    }

    /// Reads all there is.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, not only the first.
    pub(super) fn read(&self) -> Result<Effective, Vec<Mistake>> {
        let mut reading = Reading::default();
        if let Some(path) = &self.file {
            reading.file(path);
        }
        reading.environment(&self.environment);
        for flag in &self.flags {
            reading.flag(flag);
        }
        let mut effective = reading.finish()?;
        effective.warnings.extend(effective.settings.warnings());
        let has_open_admin_api =
            matches!(&effective.config.admin, Some(admin) if admin.token.is_none());
        if has_open_admin_api && self.environment.contains_key(MONITOR_TOKEN_VARIABLE) {
            effective.warnings.push(format!(
                "{MONITOR_TOKEN_VARIABLE} is for `wigwag monitor` and is ignored: the server takes the token of its admin \
                 API from the file that admin.token_file names ({})",
                variable_of("admin.token_file")
            ));
        }
        Ok(effective)
    }
}

#[derive(Default)]
struct Reading {
    settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
    warnings: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl Reading {
    fn file(&mut self, path: &Path) {
        let entries = match file::read(path) {
            Ok(entries) => entries,
            Err(mistake) => return self.mistakes.push(mistake),
        };
        let folder = path.parent();
        for file::Entry { key, line, given } in entries {
            if given == Given::EmptySection && is_section(&key) {
                continue;
            }
            let path = path.to_owned();
            let Some(setting) = find(&key) else {
                let nearest = nearest_key(&key);
                self.mistakes.push(Mistake::UnknownKey {
                    path,
                    line,
                    key,
                    nearest,
                });
                continue;
            };
            match (setting.read)(&mut self.settings, &given, folder) {
                Ok(()) => self.set(setting, Origin::File { path, line }),
                Err(reason) => self.mistakes.push(Mistake::InFile {
                    path,
                    line,
                    key: setting.key,
                    reason,
                }),
            }
        }
    }

    fn environment(&mut self, environment: &BTreeMap<String, OsString>) {
        for setting in SETTINGS {
            let own = setting.variable();
            let other = OTHER_NAMES.iter().find(|(key, _)| *key == setting.key);
            let names = [Some(own.as_str()), other.map(|(_, name)| *name)];
            let given = names
                .into_iter()
                .flatten()
                .find_map(|name| Some((name, environment.get(name)?)));
            if let Some((name, value)) = given {
                self.variable(setting, name, value);
            }
        }
        let unknown = environment.keys().filter_map(|name| misspelt(name));
        self.warnings.extend(unknown);
    }

    fn variable(&mut self, setting: &'static Setting, name: &str, value: &OsString) {
        let variable = name.to_owned();
        let Some(value) = value.to_str() else {
            let reason = "this is no text".to_owned();
            return self
                .mistakes
                .push(Mistake::InEnvironment { variable, reason });
        };
        if is_of_kubernetes(name, value) {
            self.warnings.push(format!(
                "{name}=\"{value}\" is ignored: Kubernetes sets it for a service of the name \"wigwag\" \
                 (enableServiceLinks: false keeps it from doing so)"
            ));
            return;
        }
        let given = Given::Word(value.to_owned());
        match (setting.read)(&mut self.settings, &given, None) {
            Ok(()) => self.set(setting, Origin::Environment { variable }),
            Err(reason) => self
                .mistakes
                .push(Mistake::InEnvironment { variable, reason }),
        }
    }

    fn flag(&mut self, from: &FromFlag) {
        let FromFlag { key, flag, value } = from;
        let setting = find(key).expect("a flag is for a setting");
        let given = Given::Word(value.clone());
        match (setting.read)(&mut self.settings, &given, None) {
            Ok(()) => self.set(setting, Origin::Flag { flag }),
            Err(reason) => self.mistakes.push(Mistake::InFlag { flag, reason }),
        }
    }

    fn set(&mut self, setting: &'static Setting, origin: Origin) {
        self.origins.insert(setting.key, origin);
    }

    /// Whether values go together is not asked before all of them can be read: what follows from a mistake is none.
    fn finish(self) -> Result<Effective, Vec<Mistake>> {
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        match self.settings.config() {
            Ok(config) => Ok(Effective {
                settings: self.settings,
                config,
                warnings: self.warnings,
                origins: self.origins,
            }),
            Err(unfit) => Err(unfit.iter().map(|unfit| self.mistake(unfit)).collect()),
        }
    }

    /// In the words of whoever gave the one thing.
    fn mistake(&self, unfit: &Unfit) -> Mistake {
        let (Unfit::Missing(given, _) | Unfit::Both(given, _) | Unfit::Unusable(given, _)) = unfit;
        let given = *given;
        let origin = self.origins.get(given).unwrap_or(&Origin::Default);
        let name = |key: &str| match origin {
            Origin::Flag { .. } => {
                let flag = flag_of(key);
                flag.map_or_else(|| key.to_owned(), |flag| format!("--{flag}"))
            }
            Origin::Environment { .. } => variable_of(key),
            Origin::File { .. } | Origin::Default => key.to_owned(),
        };
        let reason = match unfit {
            Unfit::Missing(_, missing) => format!("is given, so {} is required", name(missing)),
            Unfit::Both(_, other) => format!("and {} cannot both be given", name(other)),
            Unfit::Unusable(_, reason) => reason.clone(),
        };
        let place = match origin {
            Origin::File { path, line } => Some((path.clone(), *line)),
            _ => None,
        };
        Mistake::Unfit {
            place,
            name: name(given),
            reason,
            by_flag: matches!(origin, Origin::Flag { .. }),
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("WIGWAG_") || OTHER_NAMES.iter().any(|(_, other)| *other == name)
}

/// Kubernetes tells every container of every service around it by variables, as Docker's links did. For a service
/// that is called `wigwag` one of them, an address, has the name of a setting.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    name.ends_with("_PORT") && value.contains("://")
}

/// A warning about a variable that is none but looks as if it was meant to be one.
fn misspelt(name: &str) -> Option<String> {
    let is_known = SETTINGS.iter().any(|setting| setting.variable() == name)
        || OF_OTHERS.contains(&name)
        || OTHER_NAMES.iter().any(|(_, other)| *other == name);
    if is_known {
        return None;
    }
    let nearest = SETTINGS
        .iter()
        .map(Setting::variable)
        .chain(OF_OTHERS.map(str::to_owned))
        .map(|variable| (damerau_levenshtein(&variable, name), variable))
        .min()?;
    let sections = SETTINGS.iter().map(Setting::section_and_name);
    let in_section = sections
        .filter(|(section, _)| !section.is_empty())
        .any(|(section, _)| name.starts_with(&format!("{}_", variable_of(section))));
    match nearest {
        (..=2, nearest) => Some(format!(
            "{name} is no setting and is ignored; did you mean {nearest}?"
        )),
        (distance, nearest) if in_section && distance <= 8 => Some(format!(
            "{name} is no setting and is ignored; the nearest is {nearest}"
        )),
        _ if in_section => Some(format!("{name} is no setting and is ignored")),
        _ => None,
    }
}

/// What may have been meant by a key: one that is spelt alike, or of the same name in another section.
fn nearest_key(key: &str) -> Option<&'static str> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let distance = |setting: &Setting| {
        let (_, own) = setting.section_and_name();
        let whole = damerau_levenshtein(setting.key, key);
        whole.min(1 + damerau_levenshtein(own, name))
    };
    let nearest = SETTINGS.iter().min_by_key(|setting| distance(setting))?;
    let near_enough = 1 + name.len() / 4;
    (distance(nearest) <= near_enough).then_some(nearest.key)
}
