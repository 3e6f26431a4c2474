//! The files of a directory, and nothing that is outside of it.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use mime_guess::Mime;
use tokio::fs;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::redirect::{into_folder, not_found};
use crate::error::StartError;

/// The page of a folder.
const INDEX: &str = "index.html";

/// A directory that was there when it was opened.
pub(super) struct Directory {
    /// Absolute and without symbolic links.
    root: PathBuf,
}

enum Found {
    /// A file without symbolic links in its path, and its type by the name that was asked for.
    File(PathBuf, Mime),
    Folder,
}

impl Directory {
    pub(super) async fn open(path: PathBuf) -> Result<Self, StartError> {
        // Reading shows at once whether that is allowed, and whether it is a directory at all.
        let opened = async {
            drop(fs::read_dir(&path).await?);
            fs::canonicalize(&path).await
        };
        match opened.await {
            Ok(root) => Ok(Self { root }),
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }

    /// What is at a path, which is decoded and has no slash at its begin.
    pub(super) async fn answer(&self, path: &str, request: Request) -> Response {
        let names_folder = path.is_empty() || path.ends_with('/');
        let file = if names_folder {
            self.find(&format!("{path}{INDEX}")).await
        } else {
            self.find(path).await
        };
        match file {
            Some(Found::File(file, kind)) => serve(file, &kind, request).await,
            Some(Found::Folder) if !names_folder => into_folder(request.uri()),
            _ => not_found(),
        }
    }

    async fn find(&self, path: &str) -> Option<Found> {
        let path = self.root.join(inside(Path::new(path))?);
        let real = fs::canonicalize(&path).await.ok()?;
        if !real.starts_with(&self.root) {
            return None;
        }
        let kind = fs::metadata(&real).await.ok()?.file_type();
        if kind.is_file() {
            // What was checked is what is opened: a link may be replaced meanwhile.
            let kind = mime_guess::from_path(&path).first_or_octet_stream();
            Some(Found::File(real, kind))
        } else {
            // What is neither, such as a pipe, could make its reader wait.
            kind.is_dir().then_some(Found::Folder)
        }
    }
}

/// The path, if it leads nowhere but down, and to nothing that is hidden.
fn inside(path: &Path) -> Option<PathBuf> {
    let part = |component| match component {
        Component::Normal(name) => {
            let hidden = name.as_encoded_bytes().starts_with(b".") && name != ".well-known";
            (!hidden).then_some(name)
        }
        _ => None,
    };
    path.components().map(part).collect()
}

/// The file, or the part of it that is asked for.
async fn serve(file: PathBuf, kind: &Mime, request: Request) -> Response {
    let file = ServeFile::new_with_mime(file, kind);
    let Ok(answer) = file.oneshot(request).await;
    let mut answer = answer.map(Body::new);
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Kept, but validated each time, by the time of the last change.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_down_only() {
        for path in ["a", "a/b.js", "a//b", "a/./b", ".well-known/x", "a..b"] {
            assert!(inside(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "..",
            "a/../b",
            "/etc",
            "../a",
            "a/..",
            ".git/config",
            "a/.env",
            "./a",
        ] {
            assert!(inside(Path::new(path)).is_none(), "{path}");
        }
    }
}
