import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile as read, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import * as browser from "../../ts/runtime/platform/browser";
import * as node from "../../ts/runtime/platform/node";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-platform-"));
});
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.unstubAllGlobals();
});

const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);

test("node: what writeFileAtomic wrote, readFile reads, and no temporary file stays", async () => {
  const path = join(root, "a.bin");
  await node.writeFileAtomic(path, Uint8Array.of(1, 2));
  await node.writeFileAtomic(path, bytes);
  const back = await node.readFile(path);
  expect(Object.getPrototypeOf(back)).toBe(Uint8Array.prototype);
  expect(Buffer.compare(back, bytes)).toBe(0);
  expect(await node.listFolder(root)).toEqual(["a.bin"]);
});

test("node: a failed write leaves the old content and no temporary file", async () => {
  const folder = join(root, "folder");
  await mkdir(join(folder, "taken"), { recursive: true });
  await writeFile(join(folder, "taken", "file"), "old");
  await expect(node.writeFileAtomic(join(folder, "taken"), bytes)).rejects.toMatchObject({
    name: "DownhillError",
    code: "data",
    message: expect.stringMatching(/cannot write ".*taken": E/),
  });
  expect(await readdir(folder)).toEqual(["taken"]);
  expect(await read(join(folder, "taken", "file"), "utf8")).toBe("old");
  await expect(node.writeFileAtomic(join(root, "none", "a"), bytes)).rejects.toMatchObject({
    code: "data",
    message: `cannot write ${JSON.stringify(join(root, "none", "a"))}: there is no folder ${JSON.stringify(join(root, "none"))}`,
  });
  const long = "a".repeat(250); // a name that fits no more with what is behind it
  const { message } = await node.writeFileAtomic(join(root, long), bytes).catch((error) => error);
  expect(message).toBe(`cannot write ${JSON.stringify(join(root, long))}: ENAMETOOLONG: name too long`);
});

test("node: writes to one path at a time end with one of them whole", async () => {
  const path = join(root, "b.bin");
  await Promise.all([1, 2, 3, 4].map((v) => node.writeFileAtomic(path, new Uint8Array(1 << 20).fill(v))));
  const back = await node.readFile(path);
  expect(back.length).toBe(1 << 20);
  expect(new Set(back).size).toBe(1);
  expect((await readdir(root)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("node: a later write sweeps what a killed one left beside the same path, and nothing else", async () => {
  const folder = join(root, "sweep");
  await mkdir(folder);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const hour = new Date(Date.now() - 3_600_000);
  const put = async (name: string, time?: Date) => {
    await writeFile(join(folder, name), "part");
    if (time) await utimes(join(folder, name), time, time);
  };
  const stale = [`m.${dead}-0.tmp`, `m.${dead}-17.tmp`];
  for (const name of stale) await put(name, hour);
  const stays = [
    `m.${dead}-1.tmp`, // written a moment ago, perhaps on another machine
    `m.${process.pid}-2.tmp`, // of a process that runs
    `m.${process.ppid}-3.tmp`,
    `n.${dead}-0.tmp`, // another path's
    `m.x.${dead}-0.tmp`,
    `m.${dead}.tmp`,
    `m.${dead}-0.tmp.bak`,
    "m.tmp",
  ];
  for (const name of stays) await put(name, name === stays[0] ? undefined : hour);
  await mkdir(join(folder, `m.${dead}-00.tmp`)); // no file
  await utimes(join(folder, `m.${dead}-00.tmp`), hour, hour);
  await node.writeFileAtomic(join(folder, "m"), bytes);
  expect((await readdir(folder)).sort()).toEqual([...stays, "m", `m.${dead}-00.tmp`].sort());
});

test("node: a path that cannot be read is a data error that names it", async () => {
  await expect(node.readFile(join(root, "none"))).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(/cannot read ".*none": ENOENT/),
  });
  await expect(node.listFolder(join(root, "none"))).rejects.toMatchObject({ code: "data" });
});

test("node: createFile makes a file that is not there, and its folders; appendFile adds to it", async () => {
  const path = join(root, "made", "for", "a.bin");
  expect(node.createFile(path, Uint8Array.of(1, 2))).toBe(true);
  expect(node.createFile(path, Uint8Array.of(3))).toBe(false);
  expect(node.createFile(join(root, "made"), Uint8Array.of(3))).toBe(false);
  node.appendFile(path, Uint8Array.of(4));
  expect([...(await node.readFile(path))]).toEqual([1, 2, 4]);
  for (const below of [join(path, "b"), join(path, "b", "c")])
    expect(() => node.createFile(below, bytes)).toThrow(expect.objectContaining({ code: "data" }));
  expect(() => node.appendFile(join(root, "none", "a"), bytes)).toThrow(
    expect.objectContaining({
      code: "data",
      message: expect.stringMatching(/cannot write ".*none.*a": there is no folder ".*none"/),
    }),
  );
  await expect(node.writeFileAtomic("", bytes)).rejects.toThrow('cannot write "": ENOENT: no such file or directory');
});

test("node: createAtomic writes in pieces and in places; the path holds the old content until it is whole", async () => {
  const folder = join(root, "atomic");
  await mkdir(folder);
  const path = join(folder, "a.bin");
  const begun = await node.createAtomic(path);
  await begun.write(Uint8Array.of(0, 2));
  await begun.write(Uint8Array.of(3));
  await begun.write(Uint8Array.of(1), 0);
  await begun.write(Uint8Array.of(4));
  expect([...(await begun.read(1, 9))]).toEqual([2, 3, 4]);
  await expect(node.readFile(path)).rejects.toMatchObject({ code: "data" });
  await begun.commit();
  expect([...(await node.readFile(path))]).toEqual([1, 2, 3, 4]);
  const other = await node.createAtomic(path);
  await other.write(bytes);
  await other.discard();
  await other.discard();
  await expect(other.write(bytes)).rejects.toMatchObject({ code: "data" });
  expect([...(await node.readFile(path))]).toEqual([1, 2, 3, 4]);
  expect(await readdir(folder)).toEqual(["a.bin"]);
});

test("node: openFile reads parts, of a file's URL too; listTree lists what is below", async () => {
  const path = join(root, "tree", "b", "c.bin");
  node.createFile(path, bytes);
  node.createFile(join(root, "tree", "a.bin"), bytes);
  for (const source of [path, pathToFileURL(path)]) {
    const file = await node.openFile(source);
    expect(file.size).toBe(100_000);
    expect(await file.read(99_990, 100)).toEqual(bytes.slice(99_990));
    expect((await file.read(200_000, 1)).length).toBe(0);
    await file.close();
  }
  expect(node.listTree(join(root, "tree")).sort()).toEqual(["a.bin", "b", "b/c.bin"]);
  await expect(node.openFile(join(root, "none"))).rejects.toMatchObject({ code: "data" });
  expect(() => node.listTree(join(root, "none"))).toThrow(expect.objectContaining({ code: "data" }));
  const folder = await node.openFile(join(root, "tree"));
  await expect(folder.read(0, 1)).rejects.toMatchObject({ code: "data" });
  await folder.close();
});

test("browser: readFile fetches; folders and writing are data errors", async () => {
  vi.stubGlobal("fetch", async (url: string) => {
    if (url === "down") throw new TypeError("no network");
    return url === "good" ? new Response(bytes) : new Response("no", { status: 404 });
  });
  expect(Buffer.compare(await browser.readFile("good"), bytes)).toBe(0);
  for (const [url, why] of [
    ["missing", /cannot read the URL "missing": HTTP status 404/],
    ["down", /cannot read the URL "down": no network/],
  ] as const)
    await expect(browser.readFile(url)).rejects.toMatchObject({ code: "data", message: expect.stringMatching(why) });
  await expect(browser.listFolder("f")).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(/needs Node/),
  });
  const opened = await browser.openFile("good");
  expect([opened.size, await opened.read(5, 2)]).toEqual([100_000, bytes.slice(5, 7)]);
  await expect(browser.openFile("missing")).rejects.toMatchObject({ code: "data" });
  expect(() => browser.listTree("f")).toThrow(expect.objectContaining({ code: "data" }));
  await expect(browser.createAtomic("f")).rejects.toMatchObject({ code: "data" });
  await expect(browser.writeFileAtomic("f", bytes)).rejects.toMatchObject({ code: "data" });
  for (const write of [browser.createFile, browser.appendFile])
    expect(() => write("f", bytes)).toThrow(
      expect.objectContaining({ code: "data", message: expect.stringMatching(/needs Node/) }),
    );
  expect(browser.hostname()).toBe("");
});
