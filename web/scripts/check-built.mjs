// Fails unless the checked-in builds are what the sources give now.
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { CHECKED_IN, buildAll } from "./build-all.mjs";
import { checkSizes } from "./sizes.mjs";

const scratch = await mkdtemp(path.join(os.tmpdir(), "wigwag-web-"));
try {
  const fresh = { api: path.join(scratch, "api"), page: path.join(scratch, "page") };
  await buildAll(fresh);
  await checkSizes(fresh);
  const differences = [
    ...(await compare("web/api/dist", CHECKED_IN.api, fresh.api)),
    ...(await compare("crates/server/src/page", CHECKED_IN.page, fresh.page)),
  ];
  if (differences.length > 0) {
    console.error(`not what the sources give: ${differences.join(", ")}\nrun \`npm run build\` in web/ and commit`);
    process.exitCode = 1;
  }
} finally {
  await rm(scratch, { recursive: true });
}

/**
 * @param {string} name of the folder, for messages
 * @param {string} checkedIn
 * @param {string} fresh
 * @returns {Promise<string[]>} the files that differ
 */
async function compare(name, checkedIn, fresh) {
  const names = new Set([...(await readdir(checkedIn)), ...(await readdir(fresh))]);
  const differs = await Promise.all(
    [...names].map(async (file) => {
      const read = (/** @type {string} */ folder) => readFile(path.join(folder, file)).catch(() => null);
      const [old, now] = await Promise.all([read(checkedIn), read(fresh)]);
      return old === null || now === null || !old.equals(now) ? [`${name}/${file}`] : [];
    }),
  );
  return differs.flat();
}
