// The service is built elsewhere, as README.md says: in a folder of `npm init -y`, from a copy of its sources.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const PACKAGES = ["fastify", "@fastify/multipart", "@fastify/swagger", "prom-client", "node-sqlite3-wasm", "esbuild"];

test.each(["commonjs", "module"])("in a folder whose package.json says %s", async (type) => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-deploy-"));
  try {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "x", version: "1.0.0", type }));
    cpSync("examples/service", join(folder, "service"), { recursive: true });
    for (const name of ["downhill", ...PACKAGES]) {
      const place = join(folder, "node_modules", name);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(name === "downhill" ? resolve(".") : resolve("node_modules", name), place);
    }
    execFileSync(process.execPath, ["service/build.mjs"], { cwd: folder, stdio: "pipe" });
    const env = { ...process.env, PORT: "0" };
    const service = spawn(process.execPath, ["build/service/service.js"], { cwd: folder, env });
    const ended = new Promise((done) => service.on("exit", done));
    let errors = "";
    service.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    const address = await new Promise<string>((done, fail) => {
      service.stdout.on("data", (chunk) => {
        const [found] = /http:\S+/.exec(`${chunk}`) ?? [];
        if (found) done(found);
      });
      service.on("exit", () => fail(new Error(errors)));
    });
    expect(await (await fetch(`${address}/health`)).json()).toEqual({ status: "ok" });
    service.kill("SIGTERM");
    expect(await ended).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
