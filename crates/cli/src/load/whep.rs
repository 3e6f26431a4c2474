//! A viewer at a WHEP endpoint (draft-ietf-wish-whep-03).

use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::viewer::{Call, SETUP_TIMEOUT, Stop};
use crate::client::{Target, Way};

/// Descriptions of a hundred candidates take a tenth of it.
const MAX_BODY: usize = 256 * 1024;
const SDP: &str = "application/sdp";

struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// Whether an endpoint can be reached at all.
pub(super) async fn reach(way: &Way) -> Result<(), String> {
    let opened = timeout(SETUP_TIMEOUT, way.open()).await;
    opened.map_err(|_| "the server is silent".to_owned())??;
    Ok(())
}

/// Offers, and watches until it is told to stop; fails if it cannot.
pub(super) async fn watch(
    way: &Way,
    target: &Target,
    call: &Arc<Call>,
    stop: &mut Stop,
) -> Result<(), String> {
    let offer = call.offer()?;
    let posted = request(way, target, Method::POST, target.path(), offer);
    let response = tokio::select! {
        response = timeout(SETUP_TIMEOUT, posted) => {
            response.map_err(|_| format!("no answer within {} s", SETUP_TIMEOUT.as_secs()))??
        }
        () = stop.told() => return Err("no answer before the end".to_owned()),
    };
    let session = session(target, &response);
    let begun = begin(call, &response);
    if begun.is_ok() {
        stop.told().await;
    }
    if let Some(path) = session {
        // It is over anyway.
        let deleted = request(way, target, Method::DELETE, &path, String::new());
        let _ = timeout(SETUP_TIMEOUT, deleted).await;
    }
    begun
}

fn begin(call: &Call, response: &Response) -> Result<(), String> {
    let status = response.status;
    match status {
        // 200 is what some servers say.
        StatusCode::CREATED | StatusCode::OK => call.accept_answer(&response.body),
        StatusCode::NOT_ACCEPTABLE if !response.body.is_empty() => {
            Err("the server wants to make the offer, which is not supported".to_owned())
        }
        StatusCode::CONFLICT => Err("the server has nothing to send now (409)".to_owned()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(format!(
            "the server wants credentials ({})",
            status.as_u16()
        )),
        _ if status.is_redirection() => Err(format!(
            "the endpoint is elsewhere ({}), and redirects are not followed",
            status.as_u16()
        )),
        _ => Err(format!("the server answered HTTP {status}")),
    }
}

/// The path of the session that was begun, if it is at the same server: nothing is asked of others.
fn session(target: &Target, response: &Response) -> Option<String> {
    let location = response.headers.get(LOCATION)?.to_str().ok()?;
    if location.starts_with("//") {
        return None;
    }
    if location.starts_with('/') {
        return Some(location.to_owned());
    }
    if location.contains("://") {
        let uri: Uri = location.parse().ok()?;
        let same = uri.authority()?.as_str() == target.authority();
        return same.then(|| uri.path_and_query().map(ToString::to_string))?;
    }
    let path = target.path().split('?').next()?;
    let (folder, _) = path.rsplit_once('/')?;
    Some(format!("{folder}/{location}"))
}

async fn request(
    way: &Way,
    target: &Target,
    method: Method,
    path: &str,
    body: String,
) -> Result<Response, String> {
    let broken = |error: &dyn std::fmt::Display| format!("the HTTP request failed: {error}");
    let stream = way.open().await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    // It ends with the sender; what goes wrong is told there.
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, target.authority())
        .header(ACCEPT, SDP);
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, HeaderValue::from_static(SDP));
    }
    let mut request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(&error))?;
    request.headers_mut().extend(way.headers()?);
    let response = sender.send_request(request).await;
    let (head, body) = response.map_err(|error| broken(&error))?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| broken(&error))?.to_bytes();
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    use tokio::sync::watch::channel as watch_channel;
    use wigwag_receiver::{ReceiverSettings, Receivers};

    use super::*;

    #[test]
    fn sessions_are_found_at_the_same_server_only() {
        let target: Target = "http://cam.example:9090/whep/endpoint?x"
            .parse()
            .expect("an address");
        let found = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, location.parse().expect("a header"));
            session(
                &target,
                &Response {
                    status: StatusCode::CREATED,
                    headers,
                    body: String::new(),
                },
            )
        };
        assert_eq!(
            found("/whep/resource/1").as_deref(),
            Some("/whep/resource/1")
        );
        assert_eq!(found("1").as_deref(), Some("/whep/1"));
        assert_eq!(
            found("http://cam.example:9090/a?b").as_deref(),
            Some("/a?b")
        );
        assert_eq!(found("http://other.example/a"), None);
        assert_eq!(found("//other.example/a"), None);
    }

    /// Answers one request with these bytes.
    fn answering(response: String) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut buffer = [0; 65_536];
            let _ = stream.read(&mut buffer);
            // Who does not like it leaves early.
            let _ = stream.write_all(response.as_bytes());
        });
        let address = format!("http://127.0.0.1:{port}/whep");
        address.parse().expect("an address")
    }

    #[tokio::test]
    async fn a_refusal_has_a_reason() {
        let receivers = Arc::new(Receivers::start().expect("a thread"));
        let too_large = format!("201 Created\r\nContent-Length: {}", MAX_BODY + 1);
        for (status, body, reason) in [
            ("409 Conflict", "", "nothing to send"),
            ("401 Unauthorized", "", "credentials"),
            ("307 Temporary Redirect", "", "redirects are not followed"),
            ("404 Not Found", "no", "404"),
            ("406 Not Acceptable", "v=0", "wants to make the offer"),
            ("201 Created", "no description", "cannot be used"),
            (&too_large, &"x".repeat(MAX_BODY + 1), "HTTP request failed"),
        ] {
            let head = if status.contains("Length") {
                String::new()
            } else {
                format!("\r\nContent-Length: {}", body.len())
            };
            let target = answering(format!("HTTP/1.1 {status}{head}\r\n\r\n{body}"));
            let way = Way::to(&target);
            let address = Ipv4Addr::LOCALHOST.into();
            let call = Call::new(&receivers, address, ReceiverSettings::default());
            let (_stop, told) = watch_channel(false);
            let watched = watch(&way, &target, &Arc::new(call), &mut Stop(told)).await;
            let refusal = watched.expect_err(status);
            assert!(refusal.contains(reason), "{status}: {refusal}");
        }
    }
}
