// Behaviour by type. A factory's result is plain data, `{ type, ...options }`; what the type does is found here. A
// factory registers its definition when it is called, so a bundle carries only the types that it names; `loadModel`
// alone knows them all.

import { argumentError, DownhillError, show } from "./errors";
import { check, type Family, type Field, isRecord, readOptions, type Schema } from "./options";

/** What a factory returns: plain data, the options with their defaults. What it does is found by its type. */
export interface Built {
  /** The factory's name. */
  readonly type: string;
  readonly [option: string]: unknown;
}

/** The least that a definition has: a type, what its options are, and which of them come first, by position. */
export interface Definition {
  readonly type: string;
  readonly options?: () => Schema;
  readonly positional?: readonly string[];
  /** Rules between options; throws. */
  check?(config: never): void;
}

const definitions = /* @__PURE__ */ new Map<string, Definition>();

/** Whether `value` was built by a factory of `family`. */
export function isBuilt(family: Family, value: unknown): value is Built {
  return isRecord(value) && typeof value["type"] === "string" && definitions.has(`${family}/${value["type"]}`);
}

/** An option that takes what a factory of `family` made. */
export const built = (family: Family, example: string): Field<Built> => ({
  expected: `${/^[aeiou]/.test(family) ? "an" : "a"} ${family} such as ${example}`,
  accepts: (value) => isBuilt(family, value),
  family,
});

/** The definition behind a built value of `family`. */
export function definitionOf<D extends Definition>(family: Family, value: Built): D {
  const definition = definitions.get(`${family}/${value?.type}`);
  if (!definition) {
    throw new DownhillError("argument", `unknown ${family} ${show(value?.type)} (its factory was not called here)`);
  }
  return definition as D;
}

/** Reads a factory's arguments into its config. */
export function configure(definition: Definition, args: readonly unknown[]): Built {
  const { type, positional = [] } = definition;
  const schema = definition.options?.() ?? {};
  if (args.length > positional.length + 1)
    throw argumentError(type, `at most ${positional.length + 1} arguments`, args.length);
  const config: Record<string, unknown> = { type };
  positional.forEach((key, i) => {
    config[key] = check(type, key, schema[key]!, args[i]);
    delete schema[key];
  });
  Object.assign(config, readOptions(type, args[positional.length], schema));
  definition.check?.(config as never);
  return config as unknown as Built;
}

/** What a factory's results are, beside the function that users call. */
interface Origin {
  readonly family: Family;
  readonly definition: Definition;
}

/** A function that makes results of `definition`: plain configs, or what `make` makes of them. Calling it makes their behaviour known. */
export function factory<Args extends unknown[], D extends Definition = Definition, T = Built>(
  family: Family,
  definition: D,
  make = (config: Built) => config as T,
): (...args: Args) => T {
  const origin: Origin = { family, definition };
  return Object.assign((...args: Args) => {
    enroll(origin);
    return make(configure(definition, args));
  }, origin);
}

/** Whether `value` is a factory of this library or what `defineLayer` and the like returned. */
export function isFactory(value: unknown): boolean {
  return typeof value === "function" && "family" in value && "definition" in value;
}

/** Makes known what a factory's results do, without calling it: for configs that come as data. */
export function enroll(factory: unknown): void {
  const { family, definition } = factory as Origin;
  definitions.set(`${family}/${definition.type}`, definition);
}

/** Checks a config that came as data (from a file, a worker) as its factory would have, and the configs in it. */
export function reconfigure(family: Family, config: Built): Built {
  const definition = definitionOf(family, config);
  const { options, positional = [] } = definition;
  const schema = options?.() ?? {};
  const entries = Object.entries(config)
    .filter(([key]) => key !== "type")
    .map(([key, value]): [string, unknown] => {
      const inner = Object.hasOwn(schema, key) ? schema[key]!.family : undefined;
      return [key, inner && isBuilt(inner, value) ? reconfigure(inner, value) : value];
    });
  const args = positional.map((name) => entries.find(([key]) => key === name)?.[1]);
  const rest = Object.fromEntries(entries.filter(([key]) => !positional.includes(key)));
  return configure(definition, [...args, rest]);
}
