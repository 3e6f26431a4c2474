//! Which address gets what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::directory::Directory;
use super::encoded;
use crate::http::{method_not_allowed, only_reads, page_file};
use crate::page;

/// What there is to see.
pub(super) enum Content {
    /// The page, and what stands in its place if it is told something.
    Page {
        told: Option<Vec<u8>>,
    },
    Directory(Directory),
}

impl Content {
    pub(super) fn page(signalling: Option<&str>) -> Self {
        let told = signalling.map(|address| page::index(Some(address)).into_owned());
        Self::Page { told }
    }
}

struct Shared {
    /// Where the content is: empty, or begun by a slash, without one at its end.
    prefix: String,
    content: Content,
}

pub(super) fn router(prefix: String, content: Content) -> Router {
    Router::new()
        .fallback(answer)
        .with_state(Arc::new(Shared { prefix, content }))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if !only_reads(request.method()) {
        return method_not_allowed();
    }
    let Ok(path) = percent_decode_str(request.uri().path()).decode_utf8() else {
        return not_found();
    };
    let prefix = shared.prefix.as_str();
    let below = match path.strip_prefix(prefix) {
        Some(below) if below.starts_with('/') => below[1..].to_owned(),
        Some("") if !prefix.is_empty() => return into_folder(request.uri()),
        // There is nothing else at the root.
        _ if path == "/" => return redirect(&format!(".{prefix}"), request.uri()),
        _ => return not_found(),
    };
    match &shared.content {
        Content::Page { told } => page_answer(told.as_deref(), &below, request.headers()),
        Content::Directory(directory) => directory.answer(&below, request).await,
    }
}

fn page_answer(told: Option<&[u8]>, path: &str, request: &HeaderMap) -> Response {
    match (page::find(path), told) {
        (None, _) => not_found(),
        // No entity tag is known of what was told something.
        (Some(file), Some(told)) if file.path().is_empty() => {
            (file.headers(), told.to_owned()).into_response()
        }
        (Some(file), _) => page_file(file, request),
    }
}

pub(super) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "nothing is here\n").into_response()
}

/// Sends a browser from a folder's address without a slash at its end to the one with it, so that what
/// the folder's page refers to is found.
pub(super) fn into_folder(uri: &Uri) -> Response {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    redirect(&format!("./{name}"), uri)
}

/// To a folder, by a path from where the request is, so that no name of a host can come of it.
fn redirect(folder: &str, uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}"));
    let location = format!("{}/{}", encoded(folder), query.unwrap_or_default());
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
}
