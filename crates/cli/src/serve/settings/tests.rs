use std::collections::BTreeSet;
use std::fmt::Debug;

use wigwag_server::Config;

use super::super::file;
use super::super::value::Given;
use super::*;

/// The names of the fields of a value, by way of its own output.
fn fields(value: &impl Debug) -> Vec<String> {
    format!("{value:#?}")
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.starts_with([' ', '}', ')', ']']))
        .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .collect()
}

fn named_in(section: &str, value: &impl Debug) {
    let fields = fields(value);
    assert!(!fields.is_empty());
    for field in fields {
        // A choice, and no limit.
        let key = match field.as_str() {
            "only_producers_call_consumers" => field,
            _ => format!("{section}.{field}"),
        };
        assert!(find(&key).is_some(), "{key} cannot be set");
    }
}

#[test]
fn every_limit_can_be_set() {
    let config = Config::default();
    named_in("limits", &config.limits);
    named_in("limits", &config.policy);
    named_in("text_limits", &config.text_policy);
}

#[test]
fn everything_that_the_server_takes_can_be_set() {
    for field in fields(&Config::default()) {
        let key = match field.as_str() {
            "policy" => "limits",
            "text_policy" => "text_limits",
            "frame_ancestors" | "signalling_hosts" => "page",
            "admin_socket" => "admin.socket",
            other => other,
        };
        assert!(
            find(key).is_some() || is_section(key),
            "{field} cannot be set"
        );
    }
}

#[test]
fn the_file_in_the_package_lists_exactly_the_settings_and_their_defaults() {
    let packaged = include_str!("../../../../../packaging/wigwag.toml");
    assert!(
        packaged == sample(),
        "write it anew: wigwag serve --print-config > packaging/wigwag.toml"
    );
    // Nothing in it is in force, and all that it shows could be.
    let entries = file::parse(packaged).expect("TOML");
    let mut given = entries.iter().map(|entry| &entry.given);
    assert!(given.all(|given| *given == Given::EmptySection));
    let all: String = packaged
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let entries = file::parse(&all).expect("TOML");
    assert_eq!(entries.len(), SETTINGS.len());
    let defaults = Settings::default();
    for entry in entries {
        let setting = find(&entry.key).expect("a setting");
        let mut settings = Settings::default();
        (setting.read)(&mut settings, &entry.given, None).expect("a value");
        let shown = (setting.show)(&settings);
        let default = (setting.show)(&defaults);
        if default.is_some() {
            assert_eq!(shown, default, "{}", setting.key);
        } else {
            assert_eq!(shown.as_deref(), Some(setting.example), "{}", setting.key);
        }
    }
}

#[test]
fn no_two_settings_have_one_variable() {
    let variables: BTreeSet<String> = SETTINGS.iter().map(Setting::variable).collect();
    assert_eq!(variables.len(), SETTINGS.len());
}

#[test]
fn a_certificate_needs_its_key() {
    let mut settings = Settings::default();
    settings.tls.certificate = Some("cert.pem".into());
    let missing = settings.config().expect_err("no key");
    assert_eq!(missing, [Unfit::Missing("tls.certificate", "tls.key")]);
}

#[test]
fn all_that_does_not_go_together_is_told_at_once() {
    let mut settings = Settings::default();
    settings.tls.certificate = Some("cert.pem".into());
    settings.admin.token_file = Some("token".into());
    let unfit = settings.config().expect_err("neither");
    assert_eq!(
        unfit,
        [
            Unfit::Missing("tls.certificate", "tls.key"),
            Unfit::Missing("admin.token_file", "admin.port")
        ]
    );
}
