//! Answers with a file of the page.

use axum::http::header::{ALLOW, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::page::PageFile;

/// Whether a request with this method only reads.
pub(crate) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

pub(crate) fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response()
}

/// A file of the page, unless the client has it. `index` stands in the place of the page itself.
pub(crate) fn page_answer(
    file: &'static PageFile,
    index: Option<&[u8]>,
    request: &HeaderMap,
    policy: HeaderValue,
) -> Response {
    let mut response = match index {
        // Its entity tag is not known.
        Some(index) if file.path().is_empty() => (file.headers(), index.to_owned()).into_response(),
        _ => page_file(file, request),
    };
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn page_file(file: &'static PageFile, request: &HeaderMap) -> Response {
    let head = (file.headers(), [(ETAG, file.etag())]);
    if is_cached(request, file) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, file.content()).into_response()
}

/// Whether the client names the file as it is (RFC 9110, 13.1.2).
fn is_cached(headers: &HeaderMap, file: &PageFile) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == file.etag())
}
