// A measured value against its goal.

export interface Figure {
  name: string;
  measured: string;
  goal: string;
  passes: boolean;
}

/** How much the load tests do. */
export interface Amounts {
  /** Of load, in `training` and `alone`. */
  seconds: number;
  /** Of `soak`. */
  minutes: number;
  /** Kills, in `kill9`. */
  kills: number;
  /** Of `malformed`. */
  requests: number;
  seed: number;
}

export const format = ({ name, measured, goal, passes }: Figure): string =>
  `${passes ? "pass" : "FAIL"}  ${name.padEnd(44)} ${measured.padEnd(30)} goal ${goal}`;

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
