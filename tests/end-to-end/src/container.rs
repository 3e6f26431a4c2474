//! Container images without a container engine: the steps of the last stage of a Dockerfile, run in a folder that
//! `chroot` makes the root of.
//!
//! Nothing is mounted, so nothing has to be unmounted. All of it needs root; a user becomes it by `sudo`.

mod dockerfile;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

pub use dockerfile::{Dockerfile, Step};

/// A file system made by the steps of a Dockerfile, gone when dropped.
#[derive(Debug)]
pub struct Image {
    root: TempDir,
    variables: Vec<(String, String)>,
    user: String,
    folder: String,
    entrypoint: Vec<String>,
    health: Vec<String>,
}

impl Image {
    /// Unpacks the file system that the stage starts from, and runs its steps. What they copy from other stages is
    /// looked up in `built`: (path there, file here); what they copy from the context, in `context`.
    pub fn build(
        dockerfile: &Dockerfile,
        base: &Path,
        context: &Path,
        built: &[(&str, &Path)],
    ) -> Result<Self> {
        let mut image = Self {
            root: TempDir::new()?,
            // What engines give every container.
            variables: vec![(
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            )],
            user: "0:0".to_owned(),
            folder: "/".to_owned(),
            entrypoint: Vec::new(),
            health: Vec::new(),
        };
        let mut unpack = as_root("tar")?;
        unpack
            .args(["--extract", "--numeric-owner", "--file"])
            .arg(base);
        must_run(unpack.arg("--directory").arg(image.root.path()))?;
        for step in &dockerfile.last_stage {
            image
                .take(step, context, built)
                .with_context(|| format!("{step:?}"))?;
        }
        Ok(image)
    }

    /// The entry point with further variables, as the image's user.
    pub fn entrypoint(&self, variables: &[(&str, &str)]) -> Result<Command> {
        self.command(&self.entrypoint, variables)
    }

    /// The health check, likewise.
    pub fn health(&self, variables: &[(&str, &str)]) -> Result<Command> {
        self.command(&self.health, variables)
    }

    /// The user and group that programs run as, as numbers.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    fn take(&mut self, step: &Step, context: &Path, built: &[(&str, &Path)]) -> Result<()> {
        match step {
            Step::Run(script) => {
                let words = ["/bin/sh", "-c", script].map(str::to_owned);
                must_run(&mut self.command(&words, &[])?)?;
            }
            Step::Copy { stage, from, to } => {
                let source = match stage {
                    None => context.join(from),
                    Some(stage) => {
                        let found = built.iter().find(|(path, _)| path == from);
                        let (_, file) =
                            found.with_context(|| format!("{stage} does not build {from}"))?;
                        PathBuf::from(file)
                    }
                };
                let mut install = as_root("install")?;
                let mode = fs::metadata(&source)?.mode() & 0o7777;
                install.args(["-D", "--owner=0", "--group=0", &format!("--mode={mode:o}")]);
                must_run(install.arg(source).arg(self.inside(to)))?;
            }
            Step::Env(name, value) => self.variables.push((name.clone(), value.clone())),
            Step::User(user) => self.user.clone_from(user),
            Step::Workdir(folder) => {
                must_run(as_root("mkdir")?.arg("--parents").arg(self.inside(folder)))?;
                self.folder.clone_from(folder);
            }
            Step::Entrypoint(words) => self.entrypoint.clone_from(words),
            Step::Healthcheck(words) => self.health.clone_from(words),
            Step::Documentation => {}
        }
        Ok(())
    }

    fn command(&self, words: &[String], variables: &[(&str, &str)]) -> Result<Command> {
        ensure!(!words.is_empty(), "the Dockerfile says nothing to run");
        let mut command = as_root("chroot")?;
        command.arg(format!("--userspec={}", self.user));
        command.arg(self.root.path());
        command.args(["env", "--ignore-environment"]);
        command.arg(format!("--chdir={}", self.folder));
        for (name, value) in &self.variables {
            command.arg(format!("{name}={value}"));
        }
        for (name, value) in variables {
            command.arg(format!("{name}={value}"));
        }
        command.args(words);
        Ok(command)
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // It belongs to root, so that the folder itself can only remove it if this process is root.
        if let Ok(mut remove) = as_root("rm") {
            let _ = remove
                .args(["--recursive", "--force"])
                .arg(self.root.path())
                .status();
        }
    }
}

fn as_root(program: &str) -> Result<Command> {
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    if is_root {
        return Ok(Command::new(program));
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", program]);
    Ok(sudo)
}

fn must_run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{command:?} ended with {}: {complaint}", output.status);
    }
    Ok(())
}
