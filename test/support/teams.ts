// Runtimes of 1, 2 and 3 threads for the tests of a block.

import { afterAll, beforeAll } from "vitest";
import { init, type Runtime } from "../../ts/index";

/** Filled before the block's tests, disposed of behind them. */
export function teamsOf(fastMath: boolean): Runtime[] {
  const teams: Runtime[] = [];
  beforeAll(async () => {
    for (const threads of [1, 2, 3]) teams.push(await init({ threads, fastMath }));
  });
  afterAll(() => {
    for (const runtime of teams) runtime.dispose();
  });
  return teams;
}
