//! Asking the admin API.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::snapshot::{Peer, Room, Session, Snapshot};
use crate::client::{Target, Way};

/// Of an answer; a page of the server's has a third of it at the most.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// Entries that are asked for at once, which is as many as the server gives.
const PAGE: usize = 500;

/// Entries of a list that are asked for in all: nobody reads more.
pub(super) const MAX_ENTRIES: usize = 2_000;

/// For everything that is asked at a time.
const TIMEOUT: Duration = Duration::from_secs(10);

const WHAT_IS_SAID: &str = r#"{"reason":"removed by the operator"}"#;

/// A way to the admin API of one server, with a connection as long as it lasts.
pub(super) struct AdminClient {
    target: Target,
    way: Way,
    authorization: Option<HeaderValue>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

#[derive(Deserialize)]
struct PeerPage {
    peers: Vec<Peer>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct SessionPage {
    sessions: Vec<Session>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct RoomPage {
    rooms: Vec<Room>,
    next: Option<String>,
}

/// A page of a list, and where the next one begins.
type Page<T> = (Vec<T>, Option<String>);

impl AdminClient {
    pub(super) fn new(target: Target, way: Way, token: Option<&str>) -> Result<Self, String> {
        let bearer = |token| {
            let header = HeaderValue::try_from(format!("Bearer {token}"));
            header.map_err(|_| "the token cannot be sent".to_owned())
        };
        let mut authorization = token.map(bearer).transpose()?;
        if let Some(header) = &mut authorization {
            header.set_sensitive(true);
        }
        Ok(Self {
            target,
            way,
            authorization,
            connection: None,
        })
    }

    /// All there is to see now.
    pub(super) async fn look(&mut self) -> Result<Snapshot, String> {
        let looked = timeout(TIMEOUT, self.look_without_end()).await;
        self.unless_broken(looked.unwrap_or_else(|_| Err("the server is silent".to_owned())))
    }

    /// Removes a peer (`peers`) or ends a session (`sessions`). One that is gone already is as good.
    pub(super) async fn remove(&mut self, list: &str, id: &str) -> Result<(), String> {
        let path = format!("/api/v1/{list}/{}", encoded(id));
        let asked = self.request(Method::DELETE, &path, WHAT_IS_SAID);
        let asked = timeout(TIMEOUT, asked).await;
        let answer =
            self.unless_broken(asked.unwrap_or_else(|_| Err("the server is silent".to_owned())))?;
        match answer {
            (StatusCode::NO_CONTENT | StatusCode::NOT_FOUND, _) => Ok(()),
            (status, body) => Err(refusal(status, &body)),
        }
    }

    async fn look_without_end(&mut self) -> Result<Snapshot, String> {
        let status = self.get("/api/v1/status").await?;
        let peers = self
            .all("peers", |page: PeerPage| (page.peers, page.next))
            .await?;
        let sessions = self
            .all("sessions", |page: SessionPage| (page.sessions, page.next))
            .await?;
        let rooms = self
            .all("rooms", |page: RoomPage| (page.rooms, page.next))
            .await?;
        Ok(Snapshot {
            status,
            peers,
            sessions,
            rooms,
        })
    }

    /// The pages of a list, as many as anybody reads.
    async fn all<P: DeserializeOwned, T>(
        &mut self,
        list: &str,
        parts: impl Fn(P) -> Page<T>,
    ) -> Result<Vec<T>, String> {
        let mut all = Vec::new();
        let mut after = None;
        // A page may hold few entries, or none.
        for _ in 0..2 * MAX_ENTRIES / PAGE {
            let from = after.map(|after: String| format!("&after={}", encoded(&after)));
            let path = format!("/api/v1/{list}?limit={PAGE}{}", from.unwrap_or_default());
            let (entries, next) = parts(self.get(&path).await?);
            all.extend(entries);
            after = next;
            if after.is_none() || all.len() >= MAX_ENTRIES {
                break;
            }
        }
        all.truncate(MAX_ENTRIES);
        Ok(all)
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        match self.request(Method::GET, path, "").await? {
            (StatusCode::OK, body) => serde_json::from_slice(&body)
                .map_err(|error| format!("this is no admin API of ours ({error})")),
            (status, body) => Err(refusal(status, &body)),
        }
    }

    async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.target.authority())
            .header(ACCEPT, "application/json, application/problem+json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from_static(body.as_bytes())))
            .map_err(|error| broken(&error))?;
        let response = self.connection().await?.send_request(request).await;
        let (head, body) = response.map_err(|error| broken(&error))?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        Ok((
            head.status,
            body.map_err(|error| broken(&error))?.to_bytes(),
        ))
    }

    async fn connection(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, String> {
        let is_ready = match &mut self.connection {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !is_ready {
            let stream = TokioIo::new(self.way.open().await?);
            let (sender, connection) = handshake(stream).await.map_err(|error| broken(&error))?;
            // It ends with the sender; what goes wrong is told there.
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| "no connection".to_owned())
    }

    /// After a failure nobody knows what is still to come on a connection.
    fn unless_broken<T>(&mut self, result: Result<T, String>) -> Result<T, String> {
        if result.is_err() {
            self.connection = None;
        }
        result
    }
}

fn broken(error: &dyn std::fmt::Display) -> String {
    format!("the HTTP request failed: {error}")
}

fn refusal(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Problem { detail }) => format!("the server refused ({}): {detail}", status.as_u16()),
        Err(_) => format!("the server answered HTTP {status}"),
    }
}

/// A text as a part of an address: all but letters and digits by numbers.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_a_part_of_an_address() {
        assert_eq!(encoded("a-1/ü?"), "a-1%2F%C3%BC%3F");
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let body = br#"{"type":"about:blank","title":"x","status":401,"detail":"show the token"}"#;
        assert_eq!(
            refusal(StatusCode::UNAUTHORIZED, body),
            "the server refused (401): show the token"
        );
        assert!(refusal(StatusCode::BAD_GATEWAY, b"<html>").contains("502"));
    }
}
