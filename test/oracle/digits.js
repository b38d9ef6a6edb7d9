// Writes ts/data/digits.data.ts of what test/oracle/digits.py gives it on stdin: for each image its label and 64 pixels, a byte each.
// Bits are written under the contexts with which ts/data/digits.ts will read them.

import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { packBits } from "../../pack.js";

const root = new URL("../../", import.meta.url).pathname;
const { outputFiles } = await build({
  entryPoints: [`${root}ts/data/digits.ts`],
  bundle: true,
  write: false,
  format: "esm",
});
const { readDigits } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

const binary = (value, digits) => Array.from({ length: digits }, (_, i) => (value >> (digits - 1 - i)) & 1);
const bits = [...readFileSync(0)].flatMap((value, i) => {
  if (i % 65 === 0) return binary(value, 4);
  return value ? [1, ...binary(value - 1, 4)] : [0];
});
writeFileSync(
  `${root}ts/data/digits.data.ts`,
  `// Written by test/oracle/digits.py, packed as readDigits has it (digits.ts).
// E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998; CC BY 4.0.
export const DIGITS =
  "${packBits(bits, readDigits)}";
`,
);
