//! The page at `/`, for a person who opens the server's address in a browser.

use crate::switchboard::Counts;

/// The page loads nothing and runs nothing.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Says what runs here. Only numbers come from outside, so nothing needs escaping.
pub(crate) fn page(counts: Counts) -> String {
    let Counts {
        peers,
        producers,
        sessions,
    } = counts;
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wigwag signalling server</title>
<style>
:root {{ color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }}
dd {{ margin: 0; font-variant-numeric: tabular-nums; }}
</style>
</head>
<body>
<h1>Wigwag signalling server</h1>
<p>This server connects WebRTC senders and receivers: <code>webrtcsink</code>, <code>webrtcsrc</code>,
<code>gstwebrtc-api</code>, <code>gst-signalling</code>. Give them this page's address with
<code>ws</code> in place of <code>http</code>, or <code>wss</code> in place of <code>https</code>.</p>
<dl>
<dt>Connected now</dt><dd>{peers}</dd>
<dt>Producers</dt><dd>{producers}</dd>
<dt>Sessions</dt><dd>{sessions}</dd>
<dt>Version</dt><dd>{version}</dd>
</dl>
<p>For machines: <a href="/healthz">/healthz</a> answers while the server is well.</p>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}
