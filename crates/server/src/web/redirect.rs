//! Redirects, and the answer where nothing is.

use axum::http::header::LOCATION;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that stand in a path as they are (RFC 3986, 2.3), and the one that separates its parts.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A path as it stands in an address.
pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
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
pub(super) fn redirect(folder: &str, uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}"));
    let location = format!("{}/{}", encoded(folder), query.unwrap_or_default());
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_in_an_address_percent_encoded() {
        assert_eq!(encoded("/a b/ä?"), "/a%20b/%C3%A4%3F");
    }
}
