#!/usr/bin/env bash
# Chromium calls requestVideoFrameCallback for every frame of a MediaStream although its element is paused and its
# picture stands still.
#
# Versions: Chromium 156.0.8078.108, Firefox ESR 153.8.0 (Debian 12), driven by puppeteer-core 24.43.1.
# Behaviour: a muted video element that never played, or was paused, has a stream of a moving canvas. In two seconds its callback
#   is called for dozens of frames in Chromium and hardly ever in Firefox, while a picture that is grabbed from it stays
#   the same. Once it plays, both are called for every frame and the picture moves.
# Seen:
#   Chromium: paused: called often, the picture stands still
#   Chromium: playing: called often, the picture moves
#   Firefox: paused: called hardly ever, the picture stands still
#   Firefox: playing: called often, the picture moves
# Why a good guess is wrong: the callback is described as one for frames that are presented, and a paused element presents
#   none. What counts frames by it takes a page that was refused autoplay for one that plays.
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

cat >frames.mjs <<'SCRIPT'
import puppeteer from "puppeteer-core";

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
    extraPrefsFirefox: {
      "network.proxy.type": 1,
      "network.proxy.http": "127.0.0.1",
      "network.proxy.http_port": 9,
      "network.proxy.ssl": "127.0.0.1",
      "network.proxy.ssl_port": 9,
      "network.proxy.no_proxies_on": "127.0.0.1",
    },
  },
};
const EXPECTED = {
  "Chromium: paused": "called often, the picture stands still",
  "Chromium: playing": "called often, the picture moves",
  "Firefox: paused": "called hardly ever, the picture stands still",
  "Firefox: playing": "called often, the picture moves",
};

/** Runs in the page: what an element with a moving picture does for two seconds. */
async function watch(plays) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const context = canvas.getContext("2d");
  let step = 0;
  const painting = setInterval(() => {
    step += 1;
    context.fillStyle = `rgb(${(step * 37) % 256}, ${(step * 91) % 256}, 128)`;
    context.fillRect(0, 0, 64, 64);
  }, 40);
  const video = document.createElement("video");
  video.muted = true;
  video.width = 64;
  document.body.append(video);
  video.srcObject = canvas.captureStream(25);
  if (plays) {
    await video.play();
  } else {
    video.pause();
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  let calls = 0;
  const count = () => {
    calls += 1;
    video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback(count);
  const grabbed = new Set();
  const copy = document.createElement("canvas");
  copy.width = copy.height = 8;
  const copied = copy.getContext("2d", { willReadFrequently: true });
  for (let place = 0; place < 10; place += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    copied.drawImage(video, 0, 0, 8, 8);
    grabbed.add(copied.getImageData(4, 4, 1, 1).data.join());
  }
  clearInterval(painting);
  video.remove();
  return { calls, pictures: grabbed.size };
}

let changed = false;
for (const [name, options] of Object.entries(BROWSERS)) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  const page = await browser.newPage();
  for (const plays of [false, true]) {
    const { calls, pictures } = await page.evaluate(watch, plays);
    const what = `${name}: ${plays ? "playing" : "paused"}`;
    const seen = `called ${calls > 20 ? "often" : "hardly ever"}, the picture ${pictures > 2 ? "moves" : "stands still"}`;
    console.log(`${what}: ${seen} (${calls} calls, ${pictures} pictures)`);
    changed ||= seen !== EXPECTED[what];
  }
  await browser.close();
}
process.exit(changed ? 1 : 0);
SCRIPT
node frames.mjs
