// examples/serve.js: what it serves, and what it does not.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { get, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
// @ts-expect-error: a script
import { serve } from "../../examples/serve.js";
import type { Site } from "../browser/server";

let above: string;
let site: Site;
beforeAll(async () => {
  above = await mkdtemp(join(tmpdir(), "downhill-serve-"));
  const folder = join(above, "site/page");
  await mkdir(folder, { recursive: true });
  await writeFile(join(above, "secret.txt"), "secret");
  await writeFile(join(folder, "index.html"), "page");
  site = await serve(join(above, "site"));
});
afterAll(async () => {
  await site?.close();
  await rm(above, { recursive: true, force: true });
});

/** Without a client's tidying up of the path. */
const ask = (path: string, referer?: string) =>
  new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const { hostname, port } = new URL(site.url);
    get({ hostname, port, path, headers: { ...(referer && { referer }) } }, async (response) => {
      resolve({ status: response.statusCode!, headers: response.headers, body: await text(response) });
    }).on("error", reject);
  });

test("pages, isolated unless they are asked for without; a folder's name leads to its page", async () => {
  const page = await ask("/page/");
  expect(page).toMatchObject({ status: 200, body: "page", headers: { "content-type": "text/html; charset=utf-8" } });
  expect(page.headers).toHaveProperty("cross-origin-opener-policy", "same-origin");
  const plain = await ask("/page/index.html?isolated=0");
  expect(plain.body).toBe("page");
  expect(plain.headers).not.toHaveProperty("cross-origin-opener-policy");
  expect(await ask("/page?isolated=0")).toMatchObject({ status: 301, headers: { location: "/page/?isolated=0" } });
});

test("what a page without isolation leads to is without it too", async () => {
  const from = `${site.url}?isolated=0`;
  expect(await ask("/page/", from)).toMatchObject({ status: 302, headers: { location: "/page/?isolated=0" } });
  expect(await ask("/page/index.html?a=1", from)).toMatchObject({
    status: 302,
    headers: { location: "/page/index.html?a=1&isolated=0" },
  });
  expect(await ask("/page/?isolated=1", from)).toMatchObject({ status: 200 });
  expect(await ask("/page/", site.url)).toMatchObject({ status: 200 });
});

test.each(["/..%2fsecret.txt", "/../secret.txt", "/page/..%2f..%2fsecret.txt", "/%", "//", "/none.html", "/%00"])(
  "%s: nothing, and the server goes on",
  async (path) => {
    expect(await ask(path)).toMatchObject({ status: 404, body: "" });
    expect((await ask("/page/")).status).toBe(200);
  },
);
