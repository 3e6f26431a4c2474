//! The page of the demo, served from this machine to this machine.

use anyhow::Result;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Where the page says which server to ask.
const PLACE: &str = "SIGNALLING_ADDRESS";

/// Serves the page for as long as the runtime runs; returns its address.
pub(super) async fn serve(signalling: &str) -> Result<String> {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
         media-src 'self' blob:; connect-src {}",
        signalling.trim_end_matches('/')
    );
    let page = PAGE.replace(PLACE, signalling);
    let html = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    let script = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    let pages = Router::new()
        .route("/", get(move || async move { (html, page) }))
        .route("/page.js", get(move || async move { (script, SCRIPT) }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, pages).await });
    Ok(format!("http://{address}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_place_for_the_address() {
        assert_eq!(PAGE.matches(PLACE).count(), 1);
    }
}
