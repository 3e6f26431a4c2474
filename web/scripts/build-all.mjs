import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";

const WEB = fileURLToPath(new URL("..", import.meta.url));

/** Where the built files are checked in. */
export const CHECKED_IN = {
  api: path.join(WEB, "api/dist"),
  page: path.join(WEB, "../crates/server/src/page"),
};

/**
 * Builds the API and the page. The same sources give the same bytes.
 *
 * @param {{ api: string, page: string }} folders are emptied first
 */
export async function buildAll({ api, page }) {
  const shared = { configFile: /** @type {const} */ (false), logLevel: /** @type {const} */ ("warn") };
  await build({
    ...shared,
    root: path.join(WEB, "api"),
    build: {
      outDir: api,
      emptyOutDir: true,
      target: "es2022",
      lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "wigwag.js" },
    },
  });
  await declarations(api);
  await build({
    ...shared,
    root: path.join(WEB, "app"),
    // Relative, as the page may be served below a path.
    base: "./",
    resolve: { alias: { wigwag: path.join(WEB, "api/src/index.ts") } },
    build: {
      outDir: page,
      emptyOutDir: true,
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rolldownOptions: {
        output: { entryFileNames: "page.js", assetFileNames: "page[extname]", codeSplitting: false },
      },
    },
  });
}

/** @param {string} folder gets the types of the API's public part */
async function declarations(folder) {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const project = path.join(WEB, "api/tsconfig.declarations.json");
  await promisify(execFile)(process.execPath, [tsc, "--project", project, "--outDir", folder]);
}
