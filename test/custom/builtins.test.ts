// No type of the library's may be one of a user's own.

import { expect, test } from "vitest";
import { isBuiltin } from "../../ts/custom/builtins";
import * as downhill from "../../ts/index";
import { isFactory } from "../../ts/registry";

test("the built-in layers', losses' and metrics' names are known", () => {
  const factories = Object.values<unknown>(downhill).filter(isFactory) as {
    family: string;
    definition: { type: string };
  }[];
  for (const { family, definition } of factories)
    if (family === "layer" || family === "loss" || family === "metric")
      expect(isBuiltin(family, definition.type), definition.type).toBe(true);
});
