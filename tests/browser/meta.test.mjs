import assert from "node:assert/strict";
import { onStage } from "./stage.mjs";

const META = {
  name: '<script>document.title = "owned"</script><img src="x" onerror="document.title = \'owned\'">',
  entities: "&lt;b&gt; &amp;amp; %3Cb%3E \\u003c",
  "ключ с «кавычками» & \"quotes\"": "žluťoučký kůň 日本語 עברית 🐎👩🏽‍🚒",
  controls: "nul \u0000 tab \t line \n separator \u2028 bidi \u202e bom \ufeff",
  normalization: ["\u00e9", "e\u0301"],
  nested: { list: [1, -2.5, 9_007_199_254_740_991, true, null, "", [], {}], empty: { "": null } },
};

onStage("meta with markup and unicode arrives unchanged, as data", async (stage) => {
  const early = await stage.consumer();
  const producer = await stage.producing(META);
  const late = await stage.consumer();

  // One hears it as the producer's new status, the other in the list of producers.
  for (const { tab } of [early, late]) {
    assert.deepEqual(await tab.until("producerAdded"), { id: producer.id, meta: META });
    assert.equal(await tab.page.title(), "Consumer", "nothing of the meta ran in the page");
    tab.assertNoProblems();
  }
  producer.tab.assertNoProblems();
});
