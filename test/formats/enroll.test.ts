// Every factory that is exported can be met in a file.

import { expect, test } from "vitest";
import { enrollAll } from "../../ts/formats/model";
import * as downhill from "../../ts/index";
import type { Family } from "../../ts/options";
import { type Definition, definitionOf, isFactory } from "../../ts/registry";

test("enrollAll makes the type of each factory in index.ts known", () => {
  enrollAll();
  const factories = Object.values<unknown>(downhill).filter(isFactory) as {
    family: Family;
    definition: Definition;
  }[];
  expect(factories.length).toBeGreaterThan(40);
  for (const { family, definition } of factories)
    if (definition.type !== "progressBar")
      // it has no state, so no file names it
      expect(definitionOf(family, definition as never)).toBe(definition);
});
