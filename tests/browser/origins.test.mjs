// Pages that another server gives out, as gstwebrtc-api's are: by default they connect to a server of the same host.
import assert from "node:assert/strict";
import { onStage, playAndSee } from "./stage.mjs";

onStage("a page at another port of the server's host plays, and pages of other hosts are refused", async (stage) => {
  const { id } = await stage.sink({ audio: null });
  const own = await stage.consumerAt({ page: "192.0.2.1", server: "192.0.2.1" });
  await own.until("connected");
  await own.until("producerAdded", (peer) => peer.id === id);
  await playAndSee(own, id, { tracks: ["video"] });
  own.assertNoProblems();
  for (const [page, server] of /** @type {const} */ ([
    ["elsewhere.test", "192.0.2.1"],
    // A page whose name leads to the server for a moment.
    ["elsewhere.test", "elsewhere.test"],
  ])) {
    const other = await stage.consumerAt({ page, server });
    await other.until("problem", (text) => /WebSocket.*403/.test(text));
    assert.deepEqual(other.all("connected"), []);
  }
});
