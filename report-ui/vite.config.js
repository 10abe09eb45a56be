// Builds the program that shows a HAR into one HTML file, with a Content-Security-Policy that admits its own script and
// style by their digests, and nothing else.
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { defineConfig } from "vite";

const digest = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

function policy(script, style) {
  return [
    "default-src 'none'",
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    "img-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** Put script and style into the page, and the policy before both. */
function oneFile() {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_options, bundle) {
      const files = Object.values(bundle);
      const script = files.find((file) => file.type === "chunk").code.trim();
      const style = files
        .find((file) => file.fileName.endsWith(".css"))
        .source.toString()
        .trim();
      if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) {
        throw new Error("script or style holds what would end its element");
      }
      const page = bundle["index.html"];
      const put = (placeholder, text) => {
        page.source = page.source.replace(placeholder, () => text);
      };
      page.source = page.source.replace(/\s*<(script type="module"|link rel="stylesheet")[^>]*>(<\/script>)?/g, "");
      put("POLICY", policy(script, style));
      put("<!--STYLE-->", `<style>${style}</style>`);
      put("<!--SCRIPT-->", `<script>${script}</script>`);
      page.fileName = "page.html";
      for (const file of files) {
        if (file !== page) delete bundle[file.fileName];
      }
    },
  };
}

export default defineConfig({
  plugins: [oneFile()],
  build: {
    outDir: process.env.OUT_DIR ?? resolve(import.meta.dirname, "../src/pcapng_utils/report"),
    emptyOutDir: false,
    target: ["chrome111", "firefox115", "safari16.4"],
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: { output: { format: "iife" } },
  },
});
