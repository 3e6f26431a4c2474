//! The parts of `cargo xtask test --long`.

use std::time::Duration;

use anyhow::Result;

use super::parts::{
    CONTAINER, Made, attack, browsers_long, build, end_to_end_long, npm, published,
    server_features, soak,
};
use super::platforms::{self, PLATFORMS};
use super::programs::{self, END_TO_END};
use super::schedule::{Lane, Part};
use crate::peers::Programs;
use crate::record::Record;
use crate::{fuzz, install, peers, supply_chain};

/// For each fuzz target.
const FUZZ_TIME: Duration = Duration::from_secs(300);

const SOAK_MINUTES: &str = "10";

/// What runs before an issue is closed. Nothing runs beside the soak and the demos: they are measured.
pub(super) fn before_closing(made: &Made) -> Vec<Part<'_>> {
    let mut parts = vec![
        Part::new("packages", Lane::Install, &[], install::debian_packages),
        Part::new("released", Lane::Build, &["packages"], |record| {
            let programs = Programs::released(record)?;
            record.check(&mut programs.find_element()?)?;
            made.released.get_or_init(|| programs);
            Ok(())
        }),
        Part::new("build", Lane::Build, &["packages"], |record| {
            build(record, made)
        }),
        Part::new("npm", Lane::Install, &["packages"], |record| {
            npm(record, made)
        }),
        Part::new("published", Lane::Build, &["packages"], |record| {
            published(record, made)
        }),
        Part::new(
            "end-to-end",
            Lane::Alone,
            &["build", "published"],
            |record| end_to_end_long(record, made),
        ),
        Part::new(
            "browsers",
            Lane::Alone,
            &["build", "published", "npm"],
            |record| browsers_long(record, made),
        ),
        Part::new("soak", Lane::Alone, &["released"], |record| {
            soak(record, made, &made.released, SOAK_MINUTES)
        }),
        Part::new("attack", Lane::Alone, &["released"], |record| {
            attack(record, made)
        }),
    ];
    parts.extend(PLATFORMS.iter().map(|platform| {
        Part::new(platform.name, Lane::Alone, &["build"], move |record| {
            platforms::demo(record, made, platform)
        })
    }));
    parts.extend([
        Part::new("container", Lane::Alone, &["packages"], container),
        Part::new("features", Lane::Alone, &["packages"], server_features),
        Part::new("fuzz", Lane::Alone, &["packages"], |record| {
            fuzz::build(record)?;
            fuzz::every_target(record, FUZZ_TIME)
        }),
        Part::new("supply-chain", Lane::Alone, &["packages"], |record| {
            supply_chain::check_registries(record)
        }),
    ]);
    parts
}

/// The steps of our Dockerfile, in a minimal Debian.
fn container(record: &mut Record) -> Result<()> {
    let serve_only = peers::serve_only(record)?;
    let base = install::base_system(record, &install::BOOKWORM)?;
    let tests = programs::build_one(record, END_TO_END, CONTAINER)?;
    let variables = [
        (
            "WIGWAG_SERVE_ONLY",
            serve_only.to_string_lossy().into_owned(),
        ),
        ("WIGWAG_CONTAINER_BASE", base.to_string_lossy().into_owned()),
    ];
    programs::run(record, tests, &variables, 1)
}
