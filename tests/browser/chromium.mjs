import puppeteer from "puppeteer-core";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream=fps=30",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  // Candidates carry addresses, not names that would have to be asked for by multicast.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  // Lets ICE work on a machine that has the loopback interface only.
  "--allow-loopback-in-peer-connection",
  // Nothing that the browser itself would like to look up leaves the machine; one name leads to it, and one address, as that of
  // another machine of a network.
  "--host-resolver-rules=MAP elsewhere.test 127.0.0.1, MAP 192.0.2.1 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** @returns {Promise<import("puppeteer-core").Browser>} Debian's Chromium with a fake camera and a fresh profile */
export function launchChromium() {
  return puppeteer.launch({
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: ARGS,
    timeout: 30_000,
    protocolTimeout: 30_000,
  });
}
