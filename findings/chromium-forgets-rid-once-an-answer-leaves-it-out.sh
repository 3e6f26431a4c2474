#!/usr/bin/env bash
# Chromium cannot add a simulcast transceiver to a session in which an answer left the rid header extension out of another section.
#
# Versions: Chromium 156.0.8078.114 (Debian 12), driven by puppeteer-core 24.43.1.
# Behaviour: one connection offers a plain section of video to another in the same page. If the answer has the rid header extension, as
#   Chromium's own has, a second transceiver with three encodings is offered by a further offer. If the answer is without it, which is
#   how those answer who receive no simulcast, setLocalDescription refuses that further offer: it has simulcast in the new section
#   and not the extension, since the offer leaves out of every section what was refused in one.
# Seen:
#   with rid in the first answer: the further offer is made, and names the extension
#   without rid in the first answer: InvalidAccessError
# Why a good guess is wrong: header extensions are agreed on for each section (RFC 8285, section 5; RFC 9143, section 9.2), so what the
#   answer to one section refuses should not reach another, and a browser should accept its own offer. A receiver that learns of simulcast
#   later has to have accepted the extension of all sections before.
# Needs Debian's chromium, Node 18 or newer with npm, and the npm registry.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 120 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

dpkg-query -W chromium || exit 2
for program in chromium node npm; do
  command -v "$program" >/dev/null || { echo "the program $program is missing"; exit 2; }
done
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts --cache "$folder/cache" puppeteer-core@24.43.1 || exit 2
export TMPDIR=$folder HOME=$folder

cat >rid.mjs <<'SCRIPT'
import puppeteer from "puppeteer-core";

const EXPECTED = {
  "with rid in the first answer": "the further offer is made, and names the extension",
  "without rid in the first answer": "InvalidAccessError",
};

/** Runs in the page: a plain section, then one with simulcast. */
async function call(keepsRid) {
  const sender = new RTCPeerConnection();
  const receiver = new RTCPeerConnection();
  const track = () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d");
    return canvas.captureStream(5).getVideoTracks()[0];
  };
  sender.addTransceiver(track(), { direction: "sendonly" });
  await sender.setLocalDescription();
  await receiver.setRemoteDescription(sender.localDescription);
  const { sdp } = await receiver.createAnswer();
  const lines = sdp.split("\r\n").filter((line) => keepsRid || !line.includes("rtp-stream-id"));
  const answer = { type: "answer", sdp: lines.join("\r\n") };
  await receiver.setLocalDescription(answer);
  await sender.setRemoteDescription(answer);
  const sendEncodings = ["l", "m", "h"].map((rid) => ({ rid }));
  sender.addTransceiver(track(), { direction: "sendonly", sendEncodings });
  try {
    await sender.setLocalDescription();
  } catch (error) {
    return error.name;
  }
  const further = sender.localDescription.sdp.split("m=video").at(-1);
  const has = further.includes("sdes:rtp-stream-id") && further.includes("a=simulcast:send");
  return `the further offer is made, and ${has ? "names" : "does not name"} the extension`;
}

const browser = await puppeteer.launch({
  headless: true,
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
let changed = false;
for (const keepsRid of [true, false]) {
  const page = await browser.newPage();
  const seen = await page.evaluate(call, keepsRid);
  const what = `${keepsRid ? "with" : "without"} rid in the first answer`;
  console.log(`${what}: ${seen}`);
  changed ||= seen !== EXPECTED[what];
}
await browser.close();
process.exit(changed ? 1 : 0);
SCRIPT
node rid.mjs
