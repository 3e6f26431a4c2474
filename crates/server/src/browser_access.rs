//! What servers inside other programs take from the environment: such programs have no settings file.

use std::env::{self, VarError};
use std::str::FromStr;

use crate::config::Config;
use crate::host::{AllowedHost, InvalidHost};
use crate::origin::{AllowedOrigin, InvalidOrigin};

/// Origins of pages that may connect, with commas between.
const ORIGINS: &str = "WIGWAG_ALLOWED_ORIGINS";

/// Names by which browsers may ask for the server, with commas between.
const HOSTS: &str = "WIGWAG_ALLOWED_HOSTS";

/// Origins and hosts of the variables `WIGWAG_ALLOWED_ORIGINS` and `WIGWAG_ALLOWED_HOSTS`, as
/// [`Config::allowed_origins`] and [`Config::allowed_hosts`] take them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowserAccess {
    /// Pages from which browsers may connect.
    pub origins: Vec<AllowedOrigin>,
    /// Names by which browsers may ask for the server.
    pub hosts: Vec<AllowedHost>,
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBrowserAccess {
    /// An entry is no origin.
    #[error("{ORIGINS}: {0}")]
    Origin(#[from] InvalidOrigin),
    /// An entry is no name of hosts.
    #[error("{HOSTS}: {0}")]
    Host(#[from] InvalidHost),
    /// It is no text.
    #[error("{0} is no text")]
    NoText(&'static str),
}

impl BrowserAccess {
    /// What the variables of this process hold.
    ///
    /// # Errors
    ///
    /// An entry is no origin or no host.
    pub fn from_environment() -> Result<Self, InvalidBrowserAccess> {
        Self::read(|name| env::var(name))
    }

    fn read(
        variable: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<Self, InvalidBrowserAccess> {
        let text = |name: &'static str| match variable(name) {
            Ok(text) => Ok(text),
            Err(VarError::NotPresent) => Ok(String::new()),
            Err(VarError::NotUnicode(_)) => Err(InvalidBrowserAccess::NoText(name)),
        };
        Ok(Self {
            origins: entries(&text(ORIGINS)?)?,
            hosts: entries(&text(HOSTS)?)?,
        })
    }

    /// Adds these to a configuration.
    pub fn add_to(self, config: &mut Config) {
        config.allowed_origins.extend(self.origins);
        config.allowed_hosts.extend(self.hosts);
    }
}

fn entries<T: FromStr>(list: &str) -> Result<Vec<T>, T::Err> {
    let entries = list.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(str::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(origins: &str, hosts: &str) -> Result<BrowserAccess, InvalidBrowserAccess> {
        BrowserAccess::read(|name| match name {
            ORIGINS => Ok(origins.to_owned()),
            _ if hosts.is_empty() => Err(VarError::NotPresent),
            _ => Ok(hosts.to_owned()),
        })
    }

    #[test]
    fn lists_of_the_environment_read() {
        assert_eq!(read("", ""), Ok(BrowserAccess::default()));
        let access = read("https://a.example:8443, null", "b.example,*.c.example").expect("lists");
        let mut config = Config::default();
        access.add_to(&mut config);
        let origins: Vec<_> = config
            .allowed_origins
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(origins, ["https://a.example:8443", "null"]);
        let hosts: Vec<_> = config
            .allowed_hosts
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(hosts, ["b.example", "*.c.example"]);
    }

    #[test]
    fn variable_that_makes_no_sense_named() {
        let error = read("a", "").expect_err("no origin").to_string();
        assert!(error.starts_with("WIGWAG_ALLOWED_ORIGINS: "), "{error}");
        let error = read("", "a:8443").expect_err("no host").to_string();
        assert!(error.starts_with("WIGWAG_ALLOWED_HOSTS: "), "{error}");
    }
}
