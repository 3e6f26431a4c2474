//! A server and how it is started.

use std::path::Path;

use anyhow::Result;

use super::certificate::Certificate;
use crate::bench::server_process::ServerProcess;

#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [&'a str],
}

impl Candidate<'_> {
    pub(super) fn start(self, tls: Option<&Certificate>) -> Result<ServerProcess> {
        let mut arguments = self.arguments.to_vec();
        let paths =
            tls.map(|files| [&files.certificate, &files.key].map(|file| file.to_string_lossy()));
        if let Some([certificate, key]) = &paths {
            arguments.extend(["--cert", certificate, "--key", key]);
        }
        ServerProcess::start(self.program, &arguments)
    }
}
