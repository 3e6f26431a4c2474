// Where the page is shown, and to whom: below a path, in a frame, on displays that nobody touches.
import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { Tab } from "../browser/tab.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { card, play, seeAndHear, untilState } from "./acts.mjs";
import { behindPath } from "./haproxy.mjs";
import { LaunchedPipeline } from "./launched-pipeline.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * @param {PageStage} stage
 * @param {string} streams what goes into the sink `s`
 * @param {string} [properties]
 */
function send(stage, streams, properties = "") {
  const sink = `webrtcsink name=s signaller::uri=${stage.server.url} stun-server="" meta=meta,name=Bench ${properties}`;
  const sender = new LaunchedPipeline(`${sink} ${streams}`);
  stage.tellsStory(sender);
  stage.atEnd(() => sender.stop());
  return sender;
}

const PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! queue !";

onPageStage("the page plays below a path that a proxy puts in front", async (stage) => {
  send(stage, `${PICTURE} s.`);
  const url = await behindPath(stage, "/cam/");
  const viewer = await Tab.open(stage.browser, { who: "viewer", url: `${url}#producer=Bench` });
  stage.tellsStory(viewer);
  await seeAndHear(viewer, "Bench", { sound: false });
  viewer.assertNoProblems();
});

onPageStage("the page plays in a frame of an origin that the operator lists, and in no other", async (stage) => {
  send(stage, `${PICTURE} s.`);
  const dashboard = http.createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><iframe width="900" height="600" src="${stage.url}#producer=Bench"></iframe>`);
  });
  dashboard.listen(0, "127.0.0.1");
  await once(dashboard, "listening");
  stage.atEnd(() => dashboard.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (dashboard.address());
  const url = `http://127.0.0.1:${port}/`;
  const refused = await Tab.open(stage.browser, { who: "refused dashboard", url });
  stage.tellsStory(refused);
  assert.match(refused.problems.join("\n"), /frame-ancestors/i);
  await refused.close();

  await stage.server.kill();
  await stage.server.start(["--frame-ancestor", `http://127.0.0.1:${port}`]);
  const viewer = await Tab.open(stage.browser, { who: "dashboard", url });
  stage.tellsStory(viewer);
  const frame = await (await viewer.page.waitForSelector("iframe"))?.contentFrame();
  assert(frame);
  await frame.waitForSelector('.card[data-state="playing"]');
});

onPageStage("all pictures of a producer are shown", async (stage) => {
  send(stage, `${PICTURE} s.video_0 ${PICTURE.replace("320", "480")} s.video_1`);
  const viewer = await stage.page();
  await play(viewer, "Bench");
  await seeAndHear(viewer, "Bench", { sound: false });
  await viewer.page.waitForFunction(
    (li) => {
      const sizes = [...li.querySelectorAll("video")].map((video) => video.currentTime > 0 && video.videoWidth);
      return sizes.length === 2 && sizes.includes(320) && sizes.includes(480);
    },
    {},
    await card(viewer, "Bench"),
  );
  viewer.assertNoProblems();
});

onPageStage("a link to a sender that is full is played as soon as there is room", async (stage) => {
  send(stage, `${PICTURE} s.`, "max-consumers=1");
  const first = await stage.page();
  await play(first, "Bench");
  await seeAndHear(first, "Bench", { sound: false });
  const display = await stage.page("#producer=Bench");
  await untilState(display, "Bench", "retrying");
  await first.close();
  await seeAndHear(display, "Bench", { sound: false });
});

/** As of a browser that plays nothing before somebody presses something, not even without sound. */
function playNothingByItself() {
  let pressed = false;
  window.addEventListener("pointerdown", ({ isTrusted }) => (pressed ||= isTrusted), true);
  const real = window.HTMLMediaElement.prototype.play;
  window.HTMLMediaElement.prototype.play = function () {
    return pressed ? real.call(this) : Promise.reject(new DOMException("not allowed", "NotAllowedError"));
  };
}

onPageStage("a button plays what the browser does not play by itself", async (stage) => {
  send(stage, `${PICTURE} s.`);
  const viewer = await Tab.open(stage.browser, { who: "viewer", url: "about:blank" });
  stage.tellsStory(viewer);
  await viewer.page.evaluateOnNewDocument(playNothingByItself);
  await viewer.page.goto(`${stage.url}#producer=Bench`);
  const li = await card(viewer, "Bench");
  await viewer.page.waitForFunction((li) => /Press play/.test(li.innerText), {}, li);
  const button = await li.waitForSelector(".play", { visible: true });
  await button?.click();
  await viewer.page.waitForFunction((li) => !li.querySelector("video")?.paused, {}, li);
  await seeAndHear(viewer, "Bench", { sound: false });
  assert(await li.$eval(".play", (button) => /** @type {HTMLElement} */ (button).hidden));
  assert.equal(await li.$eval("video", (video) => video.muted), false, "pressed by somebody, it has sound");
});

onLongPageStage(
  "Firefox plays all pictures of a producer",
  async (stage) => {
    send(stage, `${PICTURE} s.video_0 ${PICTURE.replace("320", "480")} s.video_1`);
    const viewer = await stage.page();
    await play(viewer, "Bench");
    await viewer.page.waitForFunction(
      (li) => [...li.querySelectorAll("video")].filter((video) => video.currentTime > 0).length === 2,
      {},
      await card(viewer, "Bench"),
    );
  },
  launchFirefox,
);
