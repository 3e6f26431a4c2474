//! The content at each path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::directory::Directory;
use super::redirect::{into_folder, not_found, redirect};
use crate::host::KnownHosts;
use crate::http::page_answer::{method_not_allowed, only_reads, page_answer};
use crate::page;
use crate::page_policy::PagePolicy;
use crate::refusal::Refusal;
use crate::tls::LiveTls;

/// What is served.
pub(super) enum Content {
    /// The page; `index` stands in the place of its first file.
    Page {
        index: Option<Vec<u8>>,
        policy: PagePolicy,
    },
    Directory(Directory),
}

impl Content {
    pub(super) fn page(signalling: Option<&str>) -> Self {
        let index = signalling.map(|address| page::index(Some(address), &[]).into_owned());
        let policy = PagePolicy {
            signalling: signalling.map(str::to_owned),
            ..PagePolicy::default()
        };
        Self::Page { index, policy }
    }
}

/// The content, and by which names it may be asked for.
pub(super) struct Site {
    /// Where the content is: empty, or begun by a slash, without one at its end.
    prefix: String,
    content: Content,
    known_hosts: KnownHosts,
    tls: Option<Arc<LiveTls>>,
}

impl Site {
    pub(super) fn new(
        prefix: String,
        content: Content,
        known_hosts: KnownHosts,
        tls: Option<Arc<LiveTls>>,
    ) -> Self {
        Self {
            prefix,
            content,
            known_hosts,
            tls,
        }
    }

    /// Whether it is known by the name that a request is for.
    fn is_known_as(&self, headers: &HeaderMap) -> bool {
        let certified = self.tls.as_ref().map(|tls| tls.names());
        let certified = certified.as_deref().unwrap_or_default();
        self.known_hosts.allow_request(headers, certified)
    }
}

pub(super) fn router(site: Site) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(site))
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    if !site.is_known_as(request.headers()) {
        return Refusal::Host.into_response();
    }
    if !only_reads(request.method()) {
        return method_not_allowed();
    }
    let Ok(path) = percent_decode_str(request.uri().path()).decode_utf8() else {
        return not_found();
    };
    let prefix = site.prefix.as_str();
    let below = match path.strip_prefix(prefix) {
        Some(below) if below.starts_with('/') => below[1..].to_owned(),
        Some("") if !prefix.is_empty() => return into_folder(request.uri()),
        // There is nothing else at the root.
        _ if path == "/" => return redirect(&format!(".{prefix}"), request.uri()),
        _ => return not_found(),
    };
    match &site.content {
        Content::Page { index, policy } => {
            let Some(file) = page::find(&below) else {
                return not_found();
            };
            let policy = policy.header(request.uri(), request.headers());
            page_answer(file, index.as_deref(), request.headers(), policy)
        }
        Content::Directory(directory) => directory.answer(&below, request).await,
    }
}
