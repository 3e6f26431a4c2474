//! What the demo and the tests need from outside, installed once and found again later.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::commands::{cargo, command};
use crate::places;
use crate::record::Record;

/// Debian packages, and what they are for.
pub(crate) type Packages = (&'static str, &'static [&'static str]);

/// What building the demo needs.
const PACKAGES_TO_BUILD: &[Packages] = &[(
    "building: C and C++ compilers, pkg-config, the headers of OpenSSL and GStreamer",
    &[
        "g++",
        "pkg-config",
        "libssl-dev",
        "libgstreamer1.0-dev",
        "libgstreamer-plugins-base1.0-dev",
    ],
)];

/// What running the demo needs.
const PACKAGES_TO_PLAY: &[Packages] = &[
    (
        "pictures and sound: GStreamer's plugins",
        &[
            "gstreamer1.0-plugins-base",
            "gstreamer1.0-plugins-good",
            "gstreamer1.0-plugins-bad",
        ],
    ),
    (
        "files and cameras of all kinds: an encoder and decoders of H.264, and many decoders more",
        &["gstreamer1.0-plugins-ugly", "gstreamer1.0-libav"],
    ),
    (
        "the clock in the test picture: GStreamer's text in pictures, with a font",
        &["gstreamer1.0-x", "fonts-dejavu-core"],
    ),
];

/// What the tests need besides.
const PACKAGES_TO_TEST: &[Packages] = &[
    (
        "peers: GStreamer's own WebRTC, its headers, its tools and its Python side",
        &[
            "libgstreamer-plugins-bad1.0-dev",
            "gstreamer1.0-nice",
            "gstreamer1.0-tools",
            "python3-gi",
            "python3-venv",
            "gir1.2-gst-plugins-base-1.0",
            "gir1.2-gst-plugins-bad-1.0",
        ],
    ),
    ("peers: browsers", &["chromium", "firefox-esr"]),
    ("peers: an RTSP server", &["gir1.2-gst-rtsp-server-1.0"]),
    ("peers: a reverse proxy", &["haproxy"]),
    ("tests: a network that drops packets", &["nftables"]),
    (
        "tests: limits and ends of processes, and networks of their own",
        &["util-linux", "procps", "iproute2"],
    ),
    ("peers: a certificate authority (ACME)", &["pebble"]),
    ("tests: a terminal without anybody in front", &["tmux"]),
    (
        "tests: sockets that systemd hands over, its opinion of our unit, and a Debian to run our container's steps in",
        &["systemd", "debootstrap"],
    ),
    ("benchmarks: counting instructions", &["valgrind"]),
];

/// Node.js as a wheel, pinned with its hashes: Debian's is too old for the tools.
const NODE: &str = "tests/node";
/// What checks Python code, the same for every project.
const LINT: &str = "tests/lint";
const REQUIREMENTS: &str = "requirements.txt";
const CARGO_FUZZ_VERSION: &str = "0.13.2";
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Installs the Debian packages that are missing for everything.
pub(crate) fn debian_packages(record: &mut Record) -> Result<()> {
    let all = [PACKAGES_TO_BUILD, PACKAGES_TO_PLAY, PACKAGES_TO_TEST].concat();
    let absent = missing(&all);
    if absent.is_empty() {
        return Ok(());
    }
    update(record)?;
    install(record, &absent)
}

/// The Debian packages that are missing for building the demo, and for running it; none on another system, where they
/// are named instead.
pub(crate) fn missing_for_the_demo(record: &mut Record) -> [Vec<Packages>; 2] {
    let wanted = [PACKAGES_TO_BUILD, PACKAGES_TO_PLAY];
    if Command::new("dpkg-query").arg("--version").output().is_ok() {
        return wanted.map(missing);
    }
    record.say(
        "This is not Debian or Ubuntu: see that you have the like of these packages of Debian",
    );
    for (purpose, packages) in wanted.concat() {
        record.say(&format!("{} (for {purpose})", packages.join(" ")));
    }
    [Vec::new(), Vec::new()]
}

/// The groups of which something is not installed.
fn missing(groups: &[Packages]) -> Vec<Packages> {
    let lacks = |(_, packages): &&Packages| packages.iter().any(|name| !is_installed(name));
    groups.iter().filter(lacks).copied().collect()
}

/// Reads what packages there are.
pub(crate) fn update(record: &mut Record) -> Result<()> {
    record.must_run(&mut as_root("apt-get", &["update"])?)
}

/// Installs packages, and says what for.
pub(crate) fn install(record: &mut Record, groups: &[Packages]) -> Result<()> {
    let mut arguments = vec![
        "install",
        "--yes",
        "--no-install-recommends",
        // Another installation may be under way on a machine that has just started.
        "-oDPkg::Lock::Timeout=300",
    ];
    for (purpose, packages) in groups {
        record.say(&format!(
            "Debian packages for {purpose}: {}",
            packages.join(" ")
        ));
        arguments.extend(*packages);
    }
    record.must_run(&mut as_root("apt-get", &arguments)?)
}

/// A folder with `node` and `npm`, the same version everywhere.
pub(crate) fn node(record: &mut Record) -> Result<PathBuf> {
    environment(record, &[places::root().join(NODE)], &[])
}

/// The packages of an npm project, exactly as its lockfile says.
pub(crate) fn npm_packages(record: &mut Record, project: &Path, node: &Path) -> Result<()> {
    let mut install = command(
        "npm",
        &["ci", "--no-audit", "--no-fund", "--ignore-scripts"],
    );
    record.must_run(install.current_dir(project).env("PATH", with_path(node)?))
}

/// The `bin` folder of a Python environment with the pinned requirements of a folder; it also sees
/// Debian's packages, because GStreamer's Python side is one.
pub(crate) fn python(record: &mut Record, project: &Path) -> Result<PathBuf> {
    let folders = [project.to_owned(), places::root().join(LINT)];
    environment(record, &folders, &["--system-site-packages"])
}

/// A Python environment in the cache, named after what is pinned for it.
fn environment(record: &mut Record, folders: &[PathBuf], options: &[&str]) -> Result<PathBuf> {
    let lists: Vec<_> = folders
        .iter()
        .map(|folder| folder.join(REQUIREMENTS))
        .collect();
    let mut pinned = String::new();
    for list in &lists {
        pinned += &fs::read_to_string(list).context("the list of requirements")?;
    }
    let folder = places::cache()?.join(format!("python-{:016x}", places::hash(&pinned)));
    let bin = folder.join("bin");
    if !is_done(&folder) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        // Debian's Python by its full name: another in front of it lacks python3-gi.
        let mut create = command("/usr/bin/python3", &["-m", "venv"]);
        record.must_run(create.args(options).arg(&folder))?;
        let install = ["install", "--quiet", "--no-deps", "--require-hashes"];
        let mut install = command(&text(&bin.join("pip"))?, &install);
        for list in &lists {
            install.arg("-r").arg(list);
        }
        record.must_run(&mut install)?;
        mark_done(&folder)?;
    }
    Ok(bin)
}

/// How fast a program of others has to be, and so how long it takes to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// As its authors release it, to be measured.
    Released,
    /// Enough to be tested with, or to be a tool: a third of the time to build.
    QuickToBuild,
}

impl Speed {
    /// Sets the profile of a build; the folder of its output under the target folder.
    pub(crate) fn apply(self, build: &mut Command) -> &'static str {
        match self {
            Self::Released => {
                build.args(["--profile", "release"]);
                "release"
            }
            Self::QuickToBuild => {
                build
                    .args(["--profile", "dev"])
                    .env("CARGO_PROFILE_DEV_DEBUG", "0");
                "debug"
            }
        }
    }
}

/// The folder with `cargo-fuzz`.
pub(crate) fn cargo_fuzz(record: &mut Record) -> Result<PathBuf> {
    published_programs(
        record,
        "cargo-fuzz",
        CARGO_FUZZ_VERSION,
        Speed::QuickToBuild,
    )
}

/// The folder with `cargo-deny`.
pub(crate) fn cargo_deny(record: &mut Record) -> Result<PathBuf> {
    published_programs(
        record,
        "cargo-deny",
        CARGO_DENY_VERSION,
        Speed::QuickToBuild,
    )
}

/// Whether the programs of a published crate are in the cache.
pub(crate) fn has_published_programs(name: &str, version: &str, speed: Speed) -> Result<bool> {
    Ok(is_done(&published_folder(name, version, speed)?))
}

fn published_folder(name: &str, version: &str, speed: Speed) -> Result<PathBuf> {
    let suffix = match speed {
        Speed::Released => "",
        Speed::QuickToBuild => "-quick",
    };
    Ok(places::cache()?.join(format!("programs/{name}-{version}{suffix}")))
}

/// Builds the programs of a published crate into a folder of the cache, with the dependencies that its
/// authors tested; returns the folder of the programs.
pub(crate) fn published_programs(
    record: &mut Record,
    name: &str,
    version: &str,
    speed: Speed,
) -> Result<PathBuf> {
    let folder = published_folder(name, version, speed)?;
    let programs = folder.join("bin");
    if is_done(&folder) {
        return Ok(programs);
    }
    let version = format!("={version}");
    let mut install = cargo(&["install", "--locked", "--quiet", name]);
    install.args(["--version", &version, "--root"]).arg(&folder);
    speed.apply(&mut install);
    // What its build leaves behind is of no use to anybody.
    let target = places::cache()?.join(format!("programs/target-{name}"));
    record.must_run(install.env("CARGO_TARGET_DIR", &target))?;
    fs::remove_dir_all(target)?;
    mark_done(&folder)?;
    Ok(programs)
}

/// A system that is installed into a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaseSystem {
    /// As debootstrap names it.
    pub(crate) suite: &'static str,
    /// The parts of the archive that its packages come from.
    pub(crate) components: &'static str,
    /// Of a suite that debootstrap does not know: the mirror, and a suite that is installed in the same way.
    pub(crate) origin: Option<(&'static str, &'static str)>,
}

/// What our container image starts from.
pub(crate) const BOOKWORM: BaseSystem = BaseSystem {
    suite: "bookworm",
    components: "main",
    origin: None,
};

/// A minimal system as an archive.
pub(crate) fn base_system(record: &mut Record, system: &BaseSystem) -> Result<PathBuf> {
    let folder = places::cache()?.join(format!("base-system-{}-1", system.suite));
    let archive = folder.join("base.tar");
    if is_done(&folder) {
        return Ok(archive);
    }
    let root = folder.join("root");
    record.must_run(&mut as_root("rm", &["-rf", &text(&folder)?])?)?;
    fs::create_dir_all(&folder)?;
    let (root, out) = (text(&root)?, text(&archive)?);
    let components = format!("--components={}", system.components);
    let mut debootstrap = as_root("debootstrap", &["--variant=minbase", &components])?;
    debootstrap.args([system.suite, &root]);
    if let Some((mirror, like)) = system.origin {
        debootstrap.args([mirror, &format!("/usr/share/debootstrap/scripts/{like}")]);
    }
    record.must_run(&mut debootstrap)?;
    // What apt has downloaded and would download again is no part of an image.
    let mut pack = vec![
        "--create",
        "--numeric-owner",
        "--file",
        &out,
        "--directory",
        &root,
    ];
    pack.extend([
        "--exclude=./var/cache/apt/*",
        "--exclude=./var/lib/apt/lists/*",
        ".",
    ]);
    record.must_run(&mut as_root("tar", &pack)?)?;
    record.must_run(&mut as_root("rm", &["-rf", &root])?)?;
    record.must_run(&mut as_root("chmod", &["a+r", &out])?)?;
    mark_done(&folder)?;
    Ok(archive)
}

/// `PATH` with a folder in front.
pub(crate) fn with_path(folder: &Path) -> Result<std::ffi::OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(env::split_paths(&path));
    Ok(env::join_paths(folders)?)
}

/// Whether something in the cache was finished; an interrupted installation starts anew.
fn is_done(folder: &Path) -> bool {
    folder.join("done").exists()
}

/// Says that something in the cache is finished.
fn mark_done(folder: &Path) -> Result<()> {
    Ok(fs::write(folder.join("done"), "")?)
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

/// Whether this runs as root.
fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.trim_ascii() == b"0")
}

pub(crate) fn as_root(program: &str, arguments: &[&str]) -> Result<Command> {
    let mut root = if is_root()? {
        command(program, arguments)
    } else if Command::new("sudo").arg("--version").output().is_ok() {
        let mut sudo = command("sudo", &[program]);
        sudo.args(arguments);
        sudo
    } else {
        bail!("packages are missing, and neither root nor sudo is at hand to install them");
    };
    root.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(root)
}

pub(crate) fn text(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path that is not UTF-8")?;
    Ok(text.to_owned())
}
