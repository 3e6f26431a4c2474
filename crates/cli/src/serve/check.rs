//! `wigwag serve --check`: whether it would start, and with which settings.

use std::error::Error;
use std::io::{self, Write};

use tokio::runtime::Builder;
use wigwag_server::Server;

use super::settings::SETTINGS;
use super::sources::Effective;

/// Prints the settings in force as lines of a settings file, each with where it comes from, and tries what can be
/// tried without listening.
pub(super) fn run(effective: &Effective) -> Result<(), Box<dyn Error>> {
    for warning in &effective.warnings {
        eprintln!("warning: {warning}");
    }
    // That nobody reads it is no defect of the settings.
    let _ = io::stdout().write_all(table(effective).as_bytes());
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(Server::check(&effective.config))?;
    Ok(())
}

fn table(effective: &Effective) -> String {
    let lines: Vec<(String, String)> = SETTINGS
        .iter()
        .map(|setting| {
            let line = match (setting.show)(&effective.settings) {
                Some(value) => format!("{} = {value}", setting.key),
                None => format!("# {} is not set", setting.key),
            };
            (line, effective.origin(setting.key).to_string())
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let line = |(line, origin): &(String, String)| format!("{line:width$}  # {origin}\n");
    lines.iter().map(line).collect()
}
