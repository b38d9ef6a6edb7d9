// The Chapter tab: its links are settings that the tabs take as they stand, its formulas are well-formed, and the pages under docs/
// lead to its runs.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mathml } from "../../../examples/playground/chapter/formula";
import { METHODS, type Method, type MethodName, SECTIONS } from "../../../examples/playground/chapter/methods";
import * as descend from "../../../examples/playground/descend/settings";
import { chapterText } from "../../../examples/playground/text/chapter";
import * as train from "../../../examples/playground/train/settings";

const methods = Object.entries(METHODS) as [MethodName, Method][];
const DOCS = new URL("../../../docs/", import.meta.url);
const pages = readdirSync(DOCS).filter((name) => name.endsWith(".md"));
const textOf = (page: string) => readFileSync(new URL(page, DOCS), "utf8");

/** The settings of a hash, written again; and the hash's own, in the same order. */
function readAgain(hash: string) {
  const [tab, query] = hash.split("?") as [string, string];
  const parameters = new URLSearchParams(query);
  const sorted = (of: URLSearchParams) => [...of].map((pair) => pair.join("=")).sort();
  const read =
    tab === "train"
      ? train.toParameters(train.fromParameters(parameters))
      : descend.toParameters(descend.fromParameters(parameters));
  return { expected: sorted(parameters), read: sorted(read) };
}

/** Where the runs of a method are, as a page under docs/ names them. */
const hashOf = (name: MethodName, { run }: Method) => `#${run ?? `chapter?m=${name}&run=1`}`;

describe.each(methods)("%s", (name, method) => {
  test("its links hold what the tabs take, and nothing that is by default", () => {
    const links = [method.run, method.other, method.race].filter((link) => link !== undefined);
    expect(links.length > 0 || method.demo === name).toBe(true);
    for (const link of links) {
      const { expected, read } = readAgain(link);
      expect(read, link).toEqual(expected);
    }
  });

  test("its page is there, and leads to its run", () => {
    expect(pages).toContain(`${method.page}.md`);
    expect(textOf(`${method.page}.md`)).toContain(`\`${hashOf(name, method)}\``);
  });

  test("its formulas are well-formed", () => {
    for (const formula of method.formula) {
      const open: string[] = [];
      for (const [, end, tag] of mathml(formula).matchAll(/<(\/?)(\w+)[^>]*>/g))
        if (end) expect(open.pop()).toBe(tag);
        else open.push(tag!);
      expect(open).toEqual([]);
      expect(mathml(formula)).not.toContain("\\");
      expect(mathml(formula)).not.toMatch(/[{}]|undefined/);
    }
  });

  test("both languages say what it is", () => {
    for (const { methods } of [chapterText.en, chapterText.ko])
      for (const text of methods[name]) expect(text).not.toBe("");
    expect(chapterText.ko.methods[name].length).toBe(chapterText.en.methods[name].length);
  });
});

test("every method has its place, once", () => {
  expect(Object.values(SECTIONS).flat().sort()).toEqual(Object.keys(METHODS).sort());
});

test("what pages name of the playground can be run", () => {
  for (const page of pages)
    for (const [, hash] of textOf(page).matchAll(/`#((?:train|descend)\?[^`]*)`/g)) {
      const { expected, read } = readAgain(hash!);
      expect(read, page).toEqual(expected);
    }
});

describe("formula", () => {
  const inner = (tex: string) => mathml(tex).replace(/^<math[^>]*>|<\/math>$/g, "");

  test.each([
    ["x", "<mi>x</mi>"],
    ["12.5", "<mn>12.5</mn>"],
    ["x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"],
    ["x_{ij}", "<msub><mi>x</mi><mrow><mi>i</mi><mi>j</mi></mrow></msub>"],
    ["\\frac{1}{\\sqrt{n}}", "<mfrac><mn>1</mn><msqrt><mi>n</mi></msqrt></mfrac>"],
    ["\\hat{x}", '<mover accent="true"><mi>x</mi><mo stretchy="false">^</mo></mover>'],
    ["\\text{a < b}", "<mtext>a &lt; b</mtext>"],
    ["\\log x", "<mrow><mi>log</mi><mi>x</mi></mrow>"],
    ["< y", '<mrow><mo stretchy="false">&lt;</mo><mi>y</mi></mrow>'],
  ])("%s", (tex, expected) => expect(inner(tex)).toBe(expected));
});
