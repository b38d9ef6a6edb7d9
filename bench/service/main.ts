// npm run bench:service -- [names] [options]: the service's figures under load, each against its goal. It ends with an error where
// one is missed. The service is the bundle, in a process of its own over loopback.
//
//   names           of training alone sigterm kill9 soak malformed (default: all)
//   --seconds N     of load, in training and alone (default 30)
//   --minutes N     of soak (default 10)
//   --kills N       in kill9 (default 50)
//   --requests N    in malformed (default 10000)
//   --seed N        of random moments and requests (default 1)

import { parseArgs } from "node:util";
import { alone } from "./alone";
import { type Amounts, type Figure, format } from "./figure";
import { makePlace, type Place } from "./host";
import { kill9 } from "./kill9";
import { malformed } from "./malformed";
import { sigterm } from "./sigterm";
import { soak } from "./soak";
import { training } from "./training";

const TESTS: Record<string, (place: Place, amounts: Amounts) => Promise<Figure[]>> = {
  training,
  alone,
  sigterm,
  kill9,
  malformed,
  soak,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "30" },
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "50" },
    requests: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
  },
});
const amounts = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [name, Number(value)]),
) as unknown as Amounts;
const unknown = positionals.find((name) => !Object.hasOwn(TESTS, name));
if (unknown !== undefined || Object.values(amounts).some((value) => !(value >= 0))) {
  console.error(
    `bench:service: expected names of ${Object.keys(TESTS).join(", ")} and numbers, got ${process.argv.slice(2).join(" ")}`,
  );
  process.exit(2);
}

const figures: Figure[] = [];
for (const name of positionals.length ? positionals : Object.keys(TESTS)) {
  console.log(name);
  const place = makePlace("build/service/service.js");
  try {
    figures.push(...(await TESTS[name]!(place, amounts)));
  } catch (error) {
    console.log(`  ${(error as Error).stack}`);
    figures.push({ name, measured: "an error", goal: "none", passes: false });
  } finally {
    place.remove();
  }
}
console.log();
for (const figure of figures) console.log(format(figure));
process.exitCode = figures.every(({ passes }) => passes) ? 0 : 1;
