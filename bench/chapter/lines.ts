// The table that a run prints.

import type { Row } from "./experiment";

const WIDTH = 62;

const line = (method: string, claim: string, measured: string, verdict: string, seconds: string) =>
  `${method.padEnd(22)} ${claim.padEnd(WIDTH)} ${measured.padStart(22)}  ${verdict.padEnd(9)} ${seconds.padStart(5)}`;

export const tableHeader = line("method", "what it should do", "measured ± std. error", "verdict", "s");

/** Words in lines of at most `width` characters. */
function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

/** A number with three digits that count. */
export const figure = (value: number): string => {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
};

export function rowLine({ method, claim, measured, standardError, verdict, of, seconds }: Row): string {
  const [first = "", ...more] = wrapped(`${claim} (${of})`, WIDTH);
  const head = line(method, first, `${figure(measured)} ± ${figure(standardError)}`, verdict, seconds.toFixed(0));
  return [head, ...more.map((rest) => `${" ".repeat(23)}${rest}`)].join("\n");
}
