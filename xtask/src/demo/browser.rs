//! The user's browser, on a desktop.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

/// Opens an address as the desktop thinks best.
const OPENER: &str = "xdg-open";

/// Whether there is a desktop, with a program that opens addresses.
pub(super) fn can_open() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")) && is_installed()
}

/// Opens an address; a failure is told, and no reason to end.
pub(super) fn open(address: &str) {
    let mut opener = Command::new(OPENER);
    opener
        .arg(address)
        // Ctrl-C ends the demo, not a browser that was started for it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match opener.spawn() {
        Ok(mut child) => {
            // A browser that was not there before may stay as long as it is used.
            thread::spawn(move || match child.wait() {
                Ok(status) if status.success() => {}
                _ => println!("{OPENER} could not open it; open it yourself."),
            });
        }
        Err(error) => println!("{OPENER} cannot be started ({error}); open it yourself."),
    }
}

fn is_installed() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(OPENER).is_file())
}
