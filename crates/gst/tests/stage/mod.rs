//! A pipeline with `webrtcsink`, a signalling server, and viewers, all in this process and on the loopback
//! interface.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each of which uses a part"
)]

pub mod sdp;
mod sender;
mod server;
mod viewer;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gstreamer as gst;
use wigwag_server::TlsFiles;

#[allow(unused_imports, reason = "a test file uses a part")]
pub use sender::{AUDIO, EncoderSetUp, Posted, Sender, VIDEO};
#[allow(unused_imports, reason = "a test file uses a part")]
pub use server::SignallingServer;
#[allow(unused_imports, reason = "a test file uses a part")]
pub use viewer::{Answering, Call, Calling, Viewer};

/// Long for a machine that is busy; nothing waits that long if all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at: more often than pictures come.
const POLL: Duration = Duration::from_millis(3);

/// Ports that the system gives to nobody by itself, so that none is taken between the choice and the use.
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;

/// Starts GStreamer with the plugin. The engine offers nothing but the loopback interface.
#[allow(
    unsafe_code,
    reason = "the environment of the process; the use says why it is sound"
)]
pub fn init() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: every test of a program begins here and waits for the first, so that nothing reads the environment
        // yet: neither GStreamer nor the engine runs.
        let set = unsafe { glib::setenv("WIGWAG_ADDRESSES", "127.0.0.1", true) };
        set.expect("a name without \"=\"");
        gst::init().expect("GStreamer starts");
        gstwigwag::plugin_register_static().expect("the plugin starts");
    });
}

/// Waits until the condition holds.
pub fn wait(what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, condition), "not in time: {what}");
}

/// Whether the condition comes to hold within this time.
pub fn holds_within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(POLL);
    }
}

/// A TCP port on which nobody listens.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ports = LAST_PORT - FIRST_PORT;
    // Other processes begin elsewhere.
    let begin = (std::process::id() * 37 % u32::from(ports)) as u16;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST_PORT + begin.wrapping_add(number) % ports;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// A self-signed certificate for the loopback interface.
pub fn certificate(folder: &Path) -> TlsFiles {
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let files = TlsFiles {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    fs::write(&files.certificate, made.cert.pem()).expect("a file");
    fs::write(&files.key, made.signing_key.serialize_pem()).expect("a file");
    files
}
