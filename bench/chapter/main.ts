// npm run chapter: every method of the chapter on real data. Prints a table, writes an HTML report.
//
//   npm run chapter                          all of them, two at a time
//   npm run chapter -- dropout l2            these
//   npm run chapter -- --json FILE           the rows as JSON too
//   npm run chapter -- --report FILE         where the report goes; default build/chapter.html
//   npm run chapter -- --docs                writes the measured rows into docs/*.md
//   npm run chapter -- --pilot dropout       on other seeds: to try settings
//   npm run chapter -- --list

import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { loadData } from "./data";
import { writeDocs } from "./docs";
import { PILOT, type Row, rowOf } from "./experiment";
import { EXPERIMENTS } from "./experiments";
import { draw } from "./figures";
import { rowLine, tableHeader } from "./lines";
import { reportOf, type Section } from "./report";

/** Runs one experiment here and sends what came of it to the parent. */
async function runOne(method: string, pilot: boolean): Promise<void> {
  const experiment = EXPERIMENTS.find((e) => e.method === method)!;
  const data = await loadData();
  const began = performance.now();
  const seeds = pilot ? PILOT : experiment.seeds;
  const outcome = await experiment.run(seeds, data);
  const row = rowOf(experiment, seeds, outcome, (performance.now() - began) / 1000);
  const figures = outcome.figures.map((figure) => ({ caption: figure.caption, html: draw(figure) }));
  const section: Section = {
    row,
    criterion: experiment.criterion,
    figures,
    notes: outcome.notes ?? [],
    table: outcome.table ?? [],
  };
  process.send!(section, () => process.exit());
}

/** The same in a process of its own: its memory and its seeds are nobody else's. */
function inProcess(method: string): Promise<Section> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ["--run", method, ...(options.pilot ? ["--pilot"] : [])]);
    let section: Section | undefined;
    child.on("message", (message) => {
      section = message as Section;
    });
    child.on("exit", (code) => {
      if (section) resolve(section);
      else reject(new Error(`chapter: ${method} ended with code ${code}`));
    });
  });
}

async function runAll(methods: readonly string[]): Promise<{ sections: Section[]; failed: string[] }> {
  const waiting = [...methods];
  const sections: Section[] = [];
  const failed: string[] = [];
  console.log(tableHeader);
  const lane = async () => {
    for (let method = waiting.shift(); method !== undefined; method = waiting.shift()) {
      try {
        const section = await inProcess(method);
        sections.push(section);
        console.log(rowLine(section.row));
      } catch (error) {
        failed.push(method);
        console.error(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane));
  sections.sort((a, b) => methods.indexOf(a.row.method) - methods.indexOf(b.row.method));
  return { sections, failed };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const program = new Command("chapter")
  .argument("[methods...]", "which experiments; default all")
  .option("--json <file>", "writes the rows as JSON")
  .option("--report <file>", "where the HTML report goes", "build/chapter.html")
  .option("--docs", "writes the measured rows into docs/*.md")
  .option("--pilot", "on the seeds that settings are tried on")
  .option("--list", "names the experiments")
  .option("--run <method>", "runs one in this process, for the parent")
  .parse();
const options = program.opts<{
  json?: string;
  report: string;
  docs?: boolean;
  pilot?: boolean;
  list?: boolean;
  run?: string;
}>();
const known = EXPERIMENTS.map(({ method }) => method);
const unknown = program.args.filter((name) => !known.includes(name));
if (unknown.length) {
  console.error(`chapter: no experiment ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exitCode = 1;
} else if (options.list) {
  for (const { method, claim } of EXPERIMENTS) console.log(`${method.padEnd(24)} ${claim}`);
} else if (options.run) await runOne(options.run, options.pilot === true);
else {
  const began = performance.now();
  const { name } = await loadData().catch((error) => {
    console.error(`chapter: ${error.message}`);
    process.exit(1);
  });
  const { sections, failed } = await runAll(program.args.length ? program.args : known);
  const rows = sections.map(({ row }) => row);
  write(options.report, reportOf(name, sections));
  if (options.json) write(options.json, `${JSON.stringify(rows.map(published), null, 2)}\n`);
  if (options.docs) writeDocs(sections, name);
  const seen = rows.filter(({ verdict }) => verdict === "seen").length;
  const minutes = (performance.now() - began) / 60_000;
  console.log(`${seen} of ${rows.length} seen on ${name}, ${minutes.toFixed(1)} min; report: ${options.report}`);
  if (failed.length) {
    console.error(`chapter: failed: ${failed.join(", ")}`);
    process.exitCode = 1;
  }
}

function published({ method, claim, measured, standardError, verdict, of, seeds }: Row) {
  return { method, claim, measured, standardError, verdict, of, seeds };
}
