//! The page that plays and sends streams in a browser, as files that anything may serve.
//!
//! The files are built from `web/app` and checked in, so that building this crate needs no Node. This
//! server serves them at `/`; another that does must send the headers of [`PageFile::headers`] along, and should send a
//! content security policy.
//! The page looks for the signalling server at its own host and port unless [`index`] puts another
//! address into it.

use std::borrow::Cow;

use crate::signalling_host::SignallingHost;

/// The page itself may ask for what it sends; no page in a frame of it may.
const PERMISSIONS_POLICY: &str =
    "camera=(self), display-capture=(self), geolocation=(), microphone=(self), usb=()";

/// Where [`index`] puts the signalling address.
const SIGNALLING_PLACE: &str = r#"<meta name="wigwag-signalling" content=""#;

/// Where it puts the hosts that the page may use besides its own.
const HOSTS_PLACE: &str = r#"<meta name="wigwag-signalling-hosts" content=""#;

/// One file of the page.
#[derive(Debug)]
pub struct PageFile {
    path: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    etag: [u8; 18],
}

impl PageFile {
    const fn new(path: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            path,
            content_type,
            content,
            etag: etag(content),
        }
    }

    /// The path to serve it at, relative to where the page is; empty for the page itself.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// What it is (RFC 9110, 8.3).
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Its bytes.
    pub fn content(&self) -> &'static [u8] {
        self.content
    }

    /// Names these very bytes, in quotes (RFC 9110, 8.8.3).
    pub fn etag(&self) -> &str {
        str::from_utf8(&self.etag).expect("it is written in ASCII")
    }

    /// The headers to answer with, besides the entity tag and a content security policy: names in lower case, and values.
    pub fn headers(&self) -> [(&'static str, &'static str); 5] {
        [
            ("content-type", self.content_type),
            ("permissions-policy", PERMISSIONS_POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            // Kept, but validated each time: the names stay when the content changes.
            ("cache-control", "no-cache"),
        ]
    }
}

static FILES: [PageFile; 4] = [
    PageFile::new(
        "",
        "text/html; charset=utf-8",
        include_bytes!("page/index.html"),
    ),
    PageFile::new(
        "page.js",
        "text/javascript; charset=utf-8",
        include_bytes!("page/page.js"),
    ),
    PageFile::new(
        "page.css",
        "text/css; charset=utf-8",
        include_bytes!("page/page.css"),
    ),
    PageFile::new(
        "favicon.svg",
        "image/svg+xml",
        include_bytes!("page/favicon.svg"),
    ),
];

/// All files of the page, the page itself first.
pub fn files() -> &'static [PageFile] {
    &FILES
}

/// The file at a path, with or without a leading slash; the page itself also as `index.html`.
pub fn find(path: &str) -> Option<&'static PageFile> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = if path == "index.html" { "" } else { path };
    FILES.iter().find(|file| file.path == path)
}

/// The page itself with the address of the signalling server: an address (`wss://example.org:8443`) or,
/// where the host is the one that the page came from, a port with or without a scheme (`ws://:8443`,
/// `:8443`). `None` stands for the page's own host and port. A link may name a server at that host or one of `hosts`; for
/// others the page asks a person first. With either it is no longer what the entity tag of its file names.
pub fn index(signalling: Option<&str>, hosts: &[SignallingHost]) -> Cow<'static, [u8]> {
    let content = FILES[0].content;
    let Ok(text) = str::from_utf8(content) else {
        return Cow::Borrowed(content);
    };
    if signalling.is_none() && hosts.is_empty() {
        return Cow::Borrowed(content);
    }
    let hosts: Vec<_> = hosts.iter().map(SignallingHost::as_str).collect();
    let filled = |text: &str, place: &str, content: &str| {
        text.replacen(place, &format!("{place}{}", escaped(content)), 1)
    };
    let text = filled(text, SIGNALLING_PLACE, signalling.unwrap_or_default());
    let text = filled(&text, HOSTS_PLACE, &hosts.join(" "));
    Cow::Owned(text.into_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

/// FNV-1a of 64 bits in hexadecimal: it only has to differ when the content does.
const fn etag(content: &[u8]) -> [u8; 18] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut index = 0;
    while index < content.len() {
        hash = (hash ^ content[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    let mut tag = [b'"'; 18];
    let mut digit = 0;
    while digit < 16 {
        tag[16 - digit] = b"0123456789abcdef"[((hash >> (4 * digit)) & 0xf) as usize];
        digit += 1;
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_its_own_files_only() {
        let page = str::from_utf8(files()[0].content()).expect("text");
        for file in &files()[1..] {
            let reference = format!("\"./{}\"", file.path());
            assert!(page.contains(&reference), "{reference} in {page}");
        }
        assert!(!page.contains("style="), "the policy forbids inline styles");
        assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn a_file_is_found_by_its_path() {
        assert_eq!(find("/").map(PageFile::path), Some(""));
        assert_eq!(find("/index.html").map(PageFile::path), Some(""));
        assert_eq!(find("page.js").map(PageFile::path), Some("page.js"));
        assert!(find("/nowhere").is_none());
    }

    #[test]
    fn entity_tags_are_of_the_content() {
        // The first two are known answers of FNV-1a.
        assert_eq!(&etag(b""), b"\"cbf29ce484222325\"");
        assert_eq!(&etag(b"a"), b"\"af63dc4c8601ec8c\"");
        assert_eq!(files()[1].etag().len(), 18);
    }

    #[test]
    fn the_page_is_told_the_signalling_address_as_text() {
        let page = index(Some("ws://:8443/?a=\"><script>&b"), &[]);
        let text = str::from_utf8(&page).expect("text");
        let expected =
            r#"<meta name="wigwag-signalling" content="ws://:8443/?a=&quot;>&lt;script>&amp;b" />"#;
        assert!(text.contains(expected), "{text}");
        assert_eq!(index(None, &[]), files()[0].content());
        let hosts = ["cam.example", "*.home.example"].map(|host| host.parse().expect("a host"));
        let page = index(None, &hosts);
        let text = str::from_utf8(&page).expect("text");
        let expected =
            r#"<meta name="wigwag-signalling-hosts" content="cam.example *.home.example" />"#;
        assert!(text.contains(expected), "{text}");
        assert!(
            text.contains(r#"<meta name="wigwag-signalling" content="" />"#),
            "{text}"
        );
    }
}
