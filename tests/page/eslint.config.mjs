import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-coercion": "error",
    },
  },
  {
    files: ["*.mjs"],
    // Functions that a test hands to `page.evaluate` run in the page and see its window.
    languageOptions: { globals: { ...globals.node, window: "readonly", document: "readonly" } },
  },
  {
    files: ["pages/*.js"],
    languageOptions: { globals: globals.browser },
  },
];
