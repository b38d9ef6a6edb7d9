// npm run playground: builds the site and serves it.
//
//   node examples/serve.js [port] [--quick]     8080, or the next that is free; quick: built in a second, larger, and without the reference
//
// Pages are cross-origin isolated, as threads need it; with ?isolated=0 they are not, nor those that their links lead to.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { posix } from "node:path";
import { buildSite } from "./build.js";

const { normalize } = posix; // of an absolute path it leaves no ".." that leads out

const TYPES = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
  svg: "image/svg+xml",
};
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves a folder on 127.0.0.1. Port 0 is any. */
export async function serve(folder, port = 0) {
  const server = createServer(async ({ url, headers: { referer = "" } }, response) => {
    const [path, query] = url.split(/\?(.*)/s);
    const asked = new URLSearchParams(query);
    const isolated = asked.get("isolated") !== "0";
    try {
      if (/(\/|\.html)$/.test(path) && !asked.has("isolated") && /[?&]isolated=0(&|$)/.test(referer)) {
        response.writeHead(302, { location: `${normalize(path)}?${query ? `${query}&` : ""}isolated=0` }).end();
        return;
      }
      const file = normalize(decodeURIComponent(path.endsWith("/") ? `${path}index.html` : path));
      if (!file.startsWith("/")) throw new Error("not of this folder");
      const body = await readFile(folder + file);
      const type = TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream";
      const headers = { "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" };
      response.writeHead(200, { ...headers, ...(isolated && ISOLATED) }).end(body);
    } catch (error) {
      if (error.code === "EISDIR")
        response.writeHead(301, { location: `${normalize(path)}/${query ? `?${query}` : ""}` }).end();
      else response.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") server.listen(++port, "127.0.0.1");
      else reject(error);
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const quick = process.argv.includes("--quick");
  console.error(quick ? "building the site" : "building the site, and its reference, which takes half a minute");
  await buildSite(undefined, { quick });
  const { url } = await serve(
    new URL("../build/site", import.meta.url).pathname,
    Number.parseInt(process.argv[2], 10) || 8080,
  );
  console.log(`${url}\n${url}?isolated=0  without the headers that threads need`);
}
