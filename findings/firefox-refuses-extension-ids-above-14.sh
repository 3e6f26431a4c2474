#!/usr/bin/env bash
# Firefox refuses an offer as a whole if one header extension has an id above 14, although its own offers say that
# it takes one-byte and two-byte extension headers mixed.
#
# Versions: Firefox ESR 153.8.0, Chromium 156.0.8078.108 (Debian 12), driven by puppeteer-core 24.43.1.
# Behaviour: RFC 8285 lets ids go up to 255 where two-byte headers are agreed on, by a=extmap-allow-mixed. Firefox writes that
#   line itself. setRemoteDescription with the line and id 14 succeeds, with id 16 or 255 it is rejected. Chromium
#   accepts all three.
# Seen:
#   Chromium: extmap-allow-mixed in its own offer: yes
#   Chromium: id 14: accepted
#   Chromium: id 16: accepted
#   Chromium: id 255: accepted
#   Firefox: extmap-allow-mixed in its own offer: yes
#   Firefox: id 14: accepted
#   Firefox: id 16: refused: OperationError (an invalid extension id, unsupported)
#   Firefox: id 255: refused: OperationError (the same)
# Why a good guess is wrong: an answerer may leave out an extension that it does not take, so an unusable id should cost that
#   extension, and the line in Firefox's own offer says that the ids are usable. Instead no section is negotiated.
#   A sender with more than 14 extensions, or one that numbers them across sections, works with Chromium alone.
# Needs Debian's firefox-esr and chromium, Node 18 or newer with npm, and the npm registry.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 180 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

dpkg-query -W firefox-esr chromium || exit 2
for program in firefox-esr chromium node npm; do
  command -v "$program" >/dev/null || { echo "the program $program is missing"; exit 2; }
done
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts --cache "$folder/cache" puppeteer-core@24.43.1 || exit 2
export TMPDIR=$folder HOME=$folder

cat >ids.mjs <<'SCRIPT'
import puppeteer from "puppeteer-core";

const IDS = [14, 16, 255];
const BROWSERS = {
  Chromium: {
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  },
  Firefox: {
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    // Whatever the browser would look up by itself goes to a port of this machine where nothing listens.
    extraPrefsFirefox: {
      "network.proxy.type": 1,
      "network.proxy.http": "127.0.0.1",
      "network.proxy.http_port": 9,
      "network.proxy.ssl": "127.0.0.1",
      "network.proxy.ssl_port": 9,
      "network.proxy.no_proxies_on": "127.0.0.1, localhost",
    },
  },
};

const offer = (id) =>
  [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=extmap-allow-mixed",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "c=IN IP4 127.0.0.1",
    "a=rtcp-mux",
    "a=ice-ufrag:frag",
    `a=ice-pwd:${"p".repeat(24)}`,
    `a=fingerprint:sha-256 ${Array(32).fill("0A").join(":")}`,
    "a=setup:actpass",
    "a=mid:0",
    "a=sendonly",
    `a=extmap:${id} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`,
    "a=rtpmap:96 VP8/90000",
  ]
    .map((line) => `${line}\r\n`)
    .join("");

const mixedInOwnOffer = async () => {
  const connection = new RTCPeerConnection();
  connection.addTransceiver("video");
  const { sdp } = await connection.createOffer();
  connection.close();
  return sdp.includes("a=extmap-allow-mixed");
};

const take = async (sdp) => {
  const connection = new RTCPeerConnection();
  try {
    await connection.setRemoteDescription({ type: "offer", sdp });
    return "accepted";
  } catch (error) {
    return `refused: ${error.name}: ${error.message.trim()}`;
  } finally {
    connection.close();
  }
};

let changed = false;
for (const [name, settings] of Object.entries(BROWSERS)) {
  const browser = await puppeteer.launch({ headless: true, timeout: 60_000, protocolTimeout: 30_000, ...settings });
  try {
    const page = await browser.newPage();
    const mixed = await page.evaluate(mixedInOwnOffer);
    console.log(`${name}: extmap-allow-mixed in its own offer: ${mixed ? "yes" : "no"}`);
    changed ||= !mixed;
    for (const id of IDS) {
      const outcome = await page.evaluate(take, offer(id));
      console.log(`${name}: id ${id}: ${outcome}`);
      changed ||= outcome.startsWith("refused") !== (name === "Firefox" && id > 14);
    }
  } finally {
    await browser.close();
  }
}
if (changed) console.log("STALE: other ids are accepted now");
process.exit(changed ? 1 : 0);
SCRIPT
node ids.mjs
