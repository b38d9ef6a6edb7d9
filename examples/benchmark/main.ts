// The benchmark's page: it starts the worker that measures, and shows what that tells.
//
// URL parameters, for scripts: run=short or run=full starts at once; filter=TEXT (several times), rounds=N, threads=1,2 and passes=N
// change that run as the options of `npm run bench` do.

import { type Progress, SHORT } from "../../bench/options";
import type { Results, Row } from "../../bench/results";
import { keepOffline } from "../offline";
import { button, card, element, icon, segments } from "../playground/dom";
import { language, preferences } from "../playground/preferences";
import type { Facts, Reply, Request } from "./protocol";
import { duration, leftOut, type Measure, rowsCard, setScale, titleOf } from "./rows";
import { text } from "./text";

const words = () => text[language()];
const asked = new URLSearchParams(location.search);

let worker: Worker;
let facts: Facts | undefined;
let running = false;
let begun = 0;
let status = () => words().loading;
let progress: Progress | undefined;
/** By kernel and shape. */
const rows = new Map<string, Row[]>();
const cards = new Map<string, HTMLElement>();
let results: Results | undefined;
let measure: Measure = "vsJs";

/** Starts a worker; a run that is under way in another ends. */
function startWorker(): void {
  worker?.terminate();
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<Reply>) => hear(data);
  worker.onerror = ({ message }) => hear({ type: "failed", why: message || "the worker did not start" });
}

function hear(reply: Reply): void {
  switch (reply.type) {
    case "ready": {
      const first = !facts;
      facts = reply.facts;
      if (first) status = () => words().ready;
      if (first && asked.has("run")) start(asked.get("run") === "full" ? {} : SHORT);
      break;
    }
    case "progress": {
      progress = reply.progress;
      const { done, of, next } = reply.progress;
      if (next) status = () => words().measuring(done + 1, of, titleOf(next));
      showRows(reply.progress.rows);
      break;
    }
    case "done": {
      // of the goals those that this run can tell of
      results = { ...reply.results, goals: reply.results.goals.filter(({ value }) => value !== undefined) };
      running = false;
      const seconds = Math.round((performance.now() - begun) / 1000);
      status = () => words().done(reply.results.rows.length, seconds);
      showRows(results.rows);
      break;
    }
    case "failed":
      running = false;
      status = () => words().failed(reply.why);
  }
  show();
}

function start(run: Request): void {
  const numbers = (name: string) => asked.get(name)?.split(",").map(Number);
  // what stands round a step's kernels is found by calls that a page's core does not export
  const options: Request = { threads: facts!.features.threads ? [1, 2] : [1], cost: false, ...run };
  if (asked.has("filter")) options.filter = asked.getAll("filter");
  for (const name of ["rounds", "passes"] as const) if (asked.has(name)) options[name] = numbers(name)![0]!;
  // a shared memory that WebKit cannot send to a worker stays, and makes others slow
  if (asked.has("threads")) options.threads = numbers("threads")!.filter((n) => n === 1 || facts!.features.threads);
  running = true;
  begun = performance.now();
  [results, progress] = [undefined, undefined];
  rows.clear();
  cards.clear();
  rowList.replaceChildren();
  status = () => words().starting;
  worker.postMessage(options);
  show();
}

function cancel(): void {
  running = false;
  status = () => words().cancelled;
  startWorker();
  show();
  shortButton.focus();
}

const factList = element("dl", { class: "facts" });
const state = element("p", { role: "status" });
const bar = element("progress", { "aria-label": () => words().progress });
const shortButton = button(
  () => words().short,
  () => start(SHORT),
  { class: "primary", id: "short" },
);
const fullButton = button(
  () => words().full,
  () => start({}),
  { id: "full" },
);
const cancelButton = button(() => words().cancel, cancel, { id: "cancel" });
const oneThread = element("p", { class: "help" }, () => words().oneThread);
const rowList = element("div", { class: "grid" });
const skipped = element("div", {});
const json = element("textarea", {
  id: "json",
  rows: 12,
  readonly: true,
  spellcheck: "false",
  "aria-label": () => words().json,
});
const copied = element("span", { role: "status", class: "muted" });

async function copy(): Promise<void> {
  try {
    await navigator.clipboard.writeText(json.value);
  } catch {
    json.select(); // where the page is not secure
    if (!document.execCommand("copy")) return; // what is selected can be copied by hand
  }
  copied.textContent = words().copied;
}

/** Facts, buttons and progress. */
function show(): void {
  if (facts) {
    const { engine, cores, grain, features } = facts;
    const { yes, no } = words();
    const is = (value: boolean) => (value ? yes : no);
    const peak = (build: string) =>
      results && Math.max(...[8, 10, 12].map((count) => results!.machine.peaks[`${build}${count}`] ?? 0));
    const items: [string, string | undefined][] = [
      [words().engine, engine],
      [words().cores, `${cores}`],
      [words().simd, is(features.simd)],
      [words().relaxedSimd, is(features.relaxedSimd)],
      [words().threads, is(features.threads)],
      [words().isolated, is(features.crossOriginIsolated)],
      [words().grain, duration(grain)],
      [words().peak, gigaflops(peak("strict"))],
      [words().fusedPeak, gigaflops(peak("fastMath"))],
    ];
    factList.replaceChildren(
      ...items.flatMap(([name, value]) =>
        value ? [element("div", {}, element("dt", {}, name), element("dd", {}, value))] : [],
      ),
    );
  }
  oneThread.hidden = !facts || facts.features.threads;
  shortButton.disabled = fullButton.disabled = running || !facts;
  cancelButton.disabled = !running;
  bar.hidden = !running;
  bar.max = progress?.of ?? 1;
  bar.value = progress?.done ?? 0;
  if (state.textContent !== status()) state.textContent = status();
  json.value = results ? JSON.stringify({ ...results, machine: { ...results.machine, ...facts } }, rounded, 2) : "";
  for (const part of [resultPart, jsonPart]) part.hidden = part === jsonPart ? !results : !rows.size;
}

/** Numbers as they are told: their further digits are noise. */
const rounded = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(5)) : value);

const gigaflops = (rate: number | undefined) => (rate ? `${rate.toFixed(1)} GFLOP/s` : undefined);

/** Shows rows, those of a kernel in the place of what it had; by default all of them anew. */
function showRows(news = [...rows.values()].flat()): void {
  const found = new Map<string, Row[]>();
  for (const row of news) {
    const key = `${row.kernel} ${row.shape}`;
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  for (const [key, of] of found) {
    const card = rowsCard(of, measure);
    if (cards.has(key)) cards.get(key)!.replaceWith(card);
    else rowList.append(card);
    cards.set(key, card);
    rows.set(key, of);
  }
  setScale(rowList, [...rows.values()].flat(), measure);
  skipped.replaceChildren(...leftOut(results?.skipped ?? []));
}

const options = (["vsJs", "rate", "ofPeak"] as const).map((value) => [value, () => words()[value]] as const);
const choose = segments<Measure>({
  label: () => words().show,
  options,
  value: measure,
  onChange(value) {
    measure = value;
    showRows();
  },
});
const resultPart = element(
  "section",
  { class: "results", "aria-labelledby": "results" },
  element(
    "div",
    { class: "heading" },
    element("h2", { id: "results" }, () => words().results),
    choose.root,
  ),
  rowList,
  skipped,
);
const jsonPart = card(
  () => words().json,
  {},
  json,
  element(
    "div",
    { class: "buttons" },
    button(() => words().copy, copy, { id: "copy" }),
    copied,
  ),
);
const reading = element("div", { class: "reading" });

document.body.append(
  element("a", { class: "skip", href: "#content" }, () => words().skip),
  element(
    "header",
    { class: "bar" },
    element(
      "p",
      { class: "brand" },
      element("a", { href: "../index.html" }, icon("M3 6c6 0 7 13 11 13 3 0 4-4 7-4"), element("span", {}, "downhill")),
    ),
    element(
      "nav",
      { "aria-label": () => words().pages },
      element("a", { href: "../playground/index.html" }, () => words().playground),
      element("a", { href: "index.html", "aria-current": "page" }, () => words().benchmark),
    ),
    preferences(() => {
      document.title = words().title;
      reading.replaceChildren(...words().explanation.map((paragraph) => element("p", {}, paragraph)));
      copied.textContent = "";
      showRows();
      show();
    }),
  ),
  element(
    "main",
    { id: "content", tabindex: -1 },
    element("h1", {}, () => words().benchmark),
    element("p", { class: "lead" }, () => words().lead),
    element(
      "div",
      { class: "grid" },
      card(
        () => words().run,
        {},
        element("p", { class: "help" }, () => words().runHelp),
        element("div", { class: "buttons" }, shortButton, fullButton, cancelButton),
        bar,
        state,
        oneThread,
      ),
      card(() => words().facts, {}, factList),
    ),
    resultPart,
    jsonPart,
    card(() => words().reading, {}, reading),
  ),
);
startWorker();
keepOffline();
