//! The rules of ARCHITECTURE.md that a program can check: who may import whom, what stays out of the
//! pure crates, and that the stated Rust version is enough.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Who may import which of our crates. Down only; `server`, `client` and `media` do not import each
/// other.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wigwag-protocol", &[]),
    ("wigwag-hub", &["wigwag-protocol"]),
    ("wigwag-server", &["wigwag-hub", "wigwag-protocol"]),
    ("wigwag-client", &["wigwag-protocol"]),
    ("wigwag-media", &[]),
    ("wigwag-receiver", &["wigwag-media"]),
    (
        "gst-plugin-wigwag",
        &["wigwag-server", "wigwag-client", "wigwag-media"],
    ),
    (
        "wigwag",
        &[
            "gst-plugin-wigwag",
            "wigwag-server",
            "wigwag-client",
            "wigwag-media",
            "wigwag-receiver",
            "wigwag-hub",
            "wigwag-protocol",
        ],
    ),
];

/// Libraries whose types stay inside some crates.
const BELONGS_TO: &[(&str, &[&str])] = &[
    ("axum", &["wigwag-server"]),
    ("gstreamer", &["gst-plugin-wigwag", "wigwag"]),
    ("gstreamer-app", &["gst-plugin-wigwag", "wigwag"]),
    ("hyper", &["wigwag-server", "wigwag"]),
    // The command writes figures, and reads the admin API; of signalling it knows the types. The server has JSON in the
    // admin API only, as the next rule says.
    (
        "serde_json",
        &[
            "wigwag-protocol",
            "wigwag-client",
            "wigwag-server",
            "wigwag",
        ],
    ),
    ("openssl", &["wigwag-media"]),
    ("str0m", &["wigwag-media", "wigwag-receiver"]),
];

/// What has no place in a crate without I/O, clock and threads.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "async fn",
    "println!",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "tokio",
];
/// The only files that may hold `unsafe`, each for FFI.
const MAY_BE_UNSAFE: &[&str] = &[
    "crates/gst/tests/stage/mod.rs",
    "crates/media/src/dtls/buffers.rs",
    "crates/media/src/dtls/retransmission.rs",
    "tests/link/src/tun.rs",
];

const PURE: &[&str] = &["wigwag-protocol", "wigwag-hub"];

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata runs")
}

/// The crates that users get.
fn shipped(metadata: &Metadata) -> Vec<&Package> {
    let crates = metadata.workspace_root.join("crates");
    metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&crates))
        .collect()
}

fn imports(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn imports_go_down_only() {
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    for package in shipped(&metadata) {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap_or_else(|| panic!("{} has no rule; add one above", package.name));
        for import in imports(package).filter(|import| ours.contains(*import)) {
            assert!(
                allowed.contains(&import),
                "{} imports {import}",
                package.name
            );
        }
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    for package in shipped(&metadata()) {
        for import in imports(package) {
            if let Some((_, owners)) = BELONGS_TO.iter().find(|(name, _)| *name == import) {
                let name = package.name.as_str();
                assert!(owners.contains(&name), "{name} imports {import}");
            }
        }
    }
}

/// Signalling is read and written by `protocol`; what is said to an operator is no signalling.
#[test]
fn the_server_has_json_in_its_admin_api_only() {
    let sources_of_server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/server/src");
    for file in sources(&sources_of_server) {
        let name = file.strip_prefix(&sources_of_server).expect("below it");
        let text = fs::read_to_string(&file).expect("readable");
        let has_json = text.contains("serde");
        // The peers of the simulation are part of its tests.
        let may = name.starts_with("admin") || name.starts_with("simulation");
        assert!(!has_json || may, "{} has JSON", name.display());
    }
}

#[test]
fn pure_crates_do_nothing_but_compute() {
    for package in shipped(&metadata()) {
        if !PURE.contains(&package.name.as_str()) {
            continue;
        }
        let folder = package.manifest_path.parent().expect("a folder");
        for file in sources(folder.join("src").as_std_path()) {
            let text = fs::read_to_string(&file).expect("readable");
            for impure in IMPURE {
                assert!(!text.contains(impure), "{} has {impure}", file.display());
            }
        }
    }
}

#[test]
fn unsafe_stays_where_ffi_needs_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["crates", "tests"].map(|folder| sources(&root.join(folder)));
    for file in folders.concat() {
        let text = fs::read_to_string(&file).expect("readable");
        let name = file.strip_prefix(&root).expect("below the top");
        let allowed = MAY_BE_UNSAFE
            .iter()
            .any(|allowed| name == Path::new(allowed));
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.contains("unsafe ") || line.starts_with("//") {
                continue;
            }
            assert!(allowed, "{} has unsafe code", file.display());
            let said = lines[number.saturating_sub(4)..number]
                .iter()
                .any(|line| line.contains("SAFETY"));
            let declares = line.starts_with("unsafe extern");
            assert!(
                said || declares,
                "{}:{} says no SAFETY",
                file.display(),
                number + 1
            );
        }
    }
}

#[test]
fn the_stated_rust_version_is_enough_for_what_we_ship() {
    let metadata = metadata();
    let stated = shipped(&metadata)[0]
        .rust_version
        .clone()
        .expect("the workspace states one");
    let resolve = metadata.resolve.as_ref().expect("resolved");
    let mut reached: BTreeSet<_> = shipped(&metadata)
        .iter()
        .map(|package| package.id.clone())
        .collect();
    let mut waiting: Vec<_> = reached.iter().cloned().collect();
    while let Some(id) = waiting.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == id);
        for dependency in &node.expect("every package is resolved").deps {
            let shipped = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development);
            if shipped && reached.insert(dependency.pkg.clone()) {
                waiting.push(dependency.pkg.clone());
            }
        }
    }
    for package in metadata.packages.iter().filter(|p| reached.contains(&p.id)) {
        if let Some(needed) = &package.rust_version {
            assert!(
                *needed <= stated,
                "{} needs Rust {needed}, stated is {stated}",
                package.name
            );
        }
    }
}

#[test]
fn no_source_file_is_near_a_thousand_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["crates", "xtask", "tests"] {
        for file in sources(&root.join(folder)) {
            let lines = fs::read_to_string(&file).expect("readable").lines().count();
            assert!(lines < 800, "{} has {lines} lines", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
