//! `cargo xtask demo` as somebody new to the project runs it, on each system that the README names: in a folder with
//! nothing but that system, a C compiler and Rust.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::parts::Made;
use super::table::clock;
use crate::install::{self, BaseSystem, as_root, text};
use crate::places;
use crate::record::Record;

/// From the command to the address of the page, downloads included.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// From the address until there is a producer.
const PRODUCER_TIMEOUT: Duration = Duration::from_secs(30);

/// A system that the demo runs on.
pub(super) struct Platform {
    pub(super) name: &'static str,
    base: BaseSystem,
}

pub(super) const PLATFORMS: [Platform; 3] = [
    Platform {
        name: "debian-12",
        base: install::BOOKWORM,
    },
    Platform {
        name: "debian-13",
        base: BaseSystem {
            suite: "trixie",
            components: "main",
            origin: None,
        },
    },
    Platform {
        name: "ubuntu-24.04",
        base: BaseSystem {
            suite: "noble",
            components: "main,universe",
            // Debian 12's debootstrap has one script for all of Ubuntu since then.
            origin: Some(("http://archive.ubuntu.com/ubuntu", "gutsy")),
        },
    },
];

/// Runs the demo there, and watches what it shows.
pub(super) fn demo(record: &mut Record, made: &Made, platform: &Platform) -> Result<()> {
    let base = install::base_system(record, &platform.base)?;
    let folder = Folder::unpack(record, platform, &base)?;
    folder.bring_rust(record)?;
    folder.bring_sources(record)?;
    let mut demo = Demo::start(&folder)?;
    let began = Instant::now();
    let address = demo.address(record)?;
    record.say(&format!(
        "{}: from the command to the page {}",
        platform.name,
        clock(began.elapsed())
    ));
    let programs = made.get(&made.programs)?;
    let signalling = address.replacen("http", "ws", 1);
    let signalling = signalling.trim_end_matches('/');
    wait_for_producer(&programs.wigwag, signalling)?;
    let mut watch = Command::new(&programs.wigwag);
    watch.args(["load", signalling, "--viewers", "1", "--seconds", "5"]);
    record.check(&mut watch)?;
    demo.end()
}

/// The page is there a moment before what it shows.
fn wait_for_producer(wigwag: &Path, signalling: &str) -> Result<()> {
    let give_up = Instant::now() + PRODUCER_TIMEOUT;
    while Instant::now() < give_up {
        let list = Command::new(wigwag)
            .args(["list", "--json", signalling])
            .output()?;
        if list.stdout.windows(4).any(|part| part == b"test") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("nobody was listed within {PRODUCER_TIMEOUT:?}")
}

/// A system in a folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn unpack(record: &mut Record, platform: &Platform, base: &Path) -> Result<Self> {
        let folder = Self(places::target().join("platforms").join(platform.name));
        folder.remove();
        fs::create_dir_all(&folder.0)?;
        let mut unpack = as_root("tar", &["--extract", "--numeric-owner", "--file"])?;
        record.must_run(unpack.arg(base).arg("--directory").arg(&folder.0))?;
        // Names and certificates of the world outside as this machine has them.
        for file in ["/etc/resolv.conf", "/etc/hosts"] {
            let mut copy = as_root("cp", &["--dereference", file])?;
            record.must_run(copy.arg(folder.inside(file)))?;
        }
        folder.run(record, "apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev ca-certificates")?;
        let authorities = "/etc/ssl/certs/ca-certificates.crt";
        let mut copy = as_root("cp", &["--dereference", authorities])?;
        record.must_run(copy.arg(folder.inside(authorities)))?;
        Ok(folder)
    }

    /// The toolchain of this run, without what it downloaded for others.
    fn bring_rust(&self, record: &mut Record) -> Result<()> {
        let output = Command::new("rustc")
            .args(["--print", "sysroot"])
            .output()?;
        let toolchain = String::from_utf8(output.stdout)?;
        let mut copy = as_root("cp", &["--archive", toolchain.trim()])?;
        record.must_run(copy.arg(self.inside("/opt/rust")))
    }

    /// What git knows of this checkout, as it is now.
    fn bring_sources(&self, record: &mut Record) -> Result<()> {
        let root = text(places::root())?;
        let to = text(&self.inside("/wigwag"))?;
        let script = format!(
            "mkdir '{to}' && cd '{root}' && git ls-files -z --cached --others --exclude-standard \
             | tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory='{to}'"
        );
        record.must_run(&mut as_root("sh", &["-c", &script])?)
    }

    fn run(&self, record: &mut Record, script: &str) -> Result<()> {
        record.must_run(&mut self.command(script)?)
    }

    /// As root of that system, without what this one has in its environment. What it needs of the kernel is mounted for
    /// as long as the command runs: without `/proc`, programs do not find the libraries beside them.
    fn command(&self, script: &str) -> Result<Command> {
        const ENTER: &str = r#"
            mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" env --ignore-environment \
              PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
              HOME=/root DEBIAN_FRONTEND=noninteractive WIGWAG_ADDRESSES=127.0.0.1 sh -c "$1""#;
        let mut command = as_root("unshare", &["--mount", "sh", "-c", ENTER])?;
        command.arg(&self.0).arg(script);
        Ok(command)
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn remove(&self) {
        // It belongs to root. What could not be removed is removed by the next run.
        if let Ok(mut remove) = as_root("rm", &["-rf"]) {
            let _ = remove.arg(&self.0).status();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The running demo; it ends with its standard input.
struct Demo {
    child: Child,
}

impl Demo {
    fn start(folder: &Folder) -> Result<Self> {
        let mut command = folder.command("cd /wigwag && exec cargo xtask demo --no-open 2>&1")?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the demo")?;
        Ok(Self { child })
    }

    /// The address that it prints.
    fn address(&mut self, record: &mut Record) -> Result<String> {
        let output = self.child.stdout.take().context("no output")?;
        let (sender, lines) = channel();
        // It reads to the end, so that the demo can always write.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let give_up = Instant::now() + LONGEST;
        loop {
            let rest = give_up.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(rest) else {
                bail!("the demo printed no address within {LONGEST:?}, or ended");
            };
            record.say(&line);
            let address = line
                .split_once("Open ")
                .and_then(|(_, rest)| rest.split_once(" in a browser"));
            if let Some((address, _)) = address {
                return Ok(address.to_owned());
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the demo ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Without its input it ends by itself; waiting for that keeps the folder in place until then.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
