//! Credentials of a URI as a header (RFC 7617).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

/// The value of an `Authorization` header for `user:password` as it stands in a URI, with escapes.
pub fn basic_authorization(userinfo: &str) -> String {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut credentials: Vec<u8> = percent_decode_str(user).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(password));
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

/// A URI without the credentials that it holds, and those.
pub fn without_credentials(uri: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return (uri.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((userinfo, _)) => {
            let rest = &rest[userinfo.len() + 1..];
            (format!("{scheme}://{rest}"), Some(userinfo))
        }
        None => (uri.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_uri_are_encoded_without_their_escapes() {
        // The example of RFC 7617.
        assert_eq!(
            basic_authorization("Aladdin:open%20sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(basic_authorization("me"), "Basic bWU6");
    }
}
