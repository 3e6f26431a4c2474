import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

/** What may be loaded, compressed, in bytes. */
const LIMITS = { api: 25_000, page: 200_000 };

/**
 * Says how large the builds are and throws if one is larger than it may be.
 *
 * @param {{ api: string, page: string }} folders
 */
export async function checkSizes(folders) {
  for (const name of /** @type {const} */ (["api", "page"])) {
    const files = (await readdir(folders[name])).filter((file) => !file.endsWith(".d.ts"));
    const contents = await Promise.all(files.map((file) => readFile(path.join(folders[name], file))));
    const size = contents.reduce((sum, content) => sum + gzipSync(content).length, 0);
    console.log(`${name}: ${size} bytes compressed, of ${LIMITS[name]} allowed`);
    if (size > LIMITS[name]) {
      throw new Error(`${name} is too large`);
    }
  }
}
