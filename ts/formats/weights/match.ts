// Which tensors of a file belong to which layers.

import { DownhillError } from "../../errors";
import type { Shape } from "../../graph/graph";
import type { ModelLayer } from "../../training/structure";
import { fits, type Layout, type Link, type Part } from "./links";

/** A layer with parameters and what it needs of a file. */
export interface Wanted {
  layer: ModelLayer;
  links: Link[];
}

/** What a file has of one module: tensors by the part's name. */
export type Module<T> = Map<string, T>;

/** Names are cut at both. */
const isSeparator = (character: string | undefined): boolean => character === "." || character === "/";

/** Where `name` is `module` and something behind it, that. */
export const behind = (name: string, module: string): string | undefined =>
  name.startsWith(module) && isSeparator(name[module.length]) ? name.slice(module.length + 1) : undefined;

/** Where the last separator before `end` is, or −1. */
function lastSeparator(name: string, end: number): number {
  let at = end - 1;
  while (at >= 0 && !isSeparator(name[at])) at--;
  return Math.max(at, -1);
}

const CELL = /^(lstm|gru|simple_rnn)_cell(_\d+)?$/;

/** A Keras variable's name without `:0` and the cell's own, with directions as `forward` and `backward`. */
export function plainKerasName(name: string): string {
  const tokens = name.replace(/:0$/, "").split("/");
  return tokens
    .filter((token, i) => i === tokens.length - 1 || !CELL.test(token))
    .map((token, i, { length }) => (i === length - 2 ? token.replace(/^(forward|backward)_.*/, "$1") : token))
    .join("/");
}

/** A name cut into the module's and the part's, of which some are known to have a separator in them. */
export function cut(name: string, parts: ReadonlySet<string>): { module: string; part: string } {
  const last = lastSeparator(name, name.length);
  const one = lastSeparator(name, last);
  const at = parts.has(name.slice(one + 1)) ? one : last;
  return { module: name.slice(0, Math.max(at, 0)), part: name.slice(at + 1) };
}

/** The layers of a stack are one module to PyTorch, `lstm`: here those behind the first are `lstm:1` … */
function unstacked({ module, part }: { module: string; part: string }) {
  const [, stem, level, turned = ""] = /^(.*_l)([1-9]\d*)(_reverse)?$/.exec(part) ?? [];
  return level ? { module: `${module}:${level}`, part: `${stem}0${turned}` } : { module, part };
}

/** Names of all parts, the other ones too. */
export const partNames = (wanted: Wanted[]): ReadonlySet<string> =>
  new Set(wanted.flatMap(({ links }) => partsOf(links).flatMap((part) => part.names)));

/**
 * A file's tensors by layer and part. By name where the modules of the file are layers, or `named` says that they are. Otherwise
 * by what they hold, where that leaves no doubt: a layer and a module fit each other alone, or as many modules fit as
 * there are layers, and are named alike but for their numbers.
 *
 * @throws DownhillError `format` where there is doubt; both lists are printed
 */
export function match<T extends { shape: Shape }>(
  who: string,
  wanted: Wanted[],
  tensors: ReadonlyMap<string, T>,
  layout: Layout | undefined,
  named: boolean,
): Map<ModelLayer, Module<T>> {
  const layers = new Map(wanted.map((want) => [want.layer.name, want]));
  const parts = partNames(wanted);
  const modules = new Map<string, Module<T>>();
  const byName = new Map<ModelLayer, Module<T>>();
  const put = <K>(all: Map<K, Module<T>>, key: K, part: string, tensor: T) => {
    if (!all.has(key)) all.set(key, new Map());
    all.get(key)!.set(part, tensor);
  };
  for (const [name, tensor] of tensors) {
    const plain = layout === "keras" ? plainKerasName(name) : name;
    const { module, part } = unstacked(cut(plain, parts));
    put(modules, module, part, tensor);
    const owner = ownerOf(plain, layers);
    if (owner) put(byName, owner, plain.slice(owner.name.length + 1), tensor);
  }
  const agree =
    [...modules.keys()].every((name) => layers.has(name)) || [...layers.keys()].every((name) => modules.has(name));
  return !layout || named || agree ? byName : byContent(who, wanted, modules);
}

/** The layer whose name `name` begins with, the longest one. */
function ownerOf(name: string, layers: ReadonlyMap<string, Wanted>): ModelLayer | undefined {
  for (let end = lastSeparator(name, name.length); end > 0; end = lastSeparator(name, end)) {
    const owner = layers.get(name.slice(0, end));
    if (owner) return owner.layer;
  }
  return undefined;
}

const partsOf = (links: Link[]): Part[] => links.flatMap(({ theirs }) => theirs);

function byContent<T extends { shape: Shape }>(
  who: string,
  wanted: Wanted[],
  modules: ReadonlyMap<string, Module<T>>,
): Map<ModelLayer, Module<T>> {
  const doubt = () => {
    const file = [...modules].map(([name, module]) =>
      describe(
        name,
        [...module].map(([part, { shape }]) => ({ names: [part], shape })),
      ),
    );
    const model = wanted.map(({ layer, links }) => describe(layer.name, partsOf(links)));
    return new DownhillError(
      "format",
      `${who}: cannot tell which module of the file is which layer; say it with rename, from the file's name to the model's. The file has ${listed(file)}; the model has ${listed(model)}`,
    );
  };
  if (modules.size !== wanted.length) throw doubt();
  const modulesOf = (parts: Part[], loosely = false) =>
    [...modules].filter(([, module]) => holds(module, parts, loosely)).map(([name]) => withNumbers(name));
  const alike = new Map<string, Wanted[]>();
  for (const want of wanted) {
    const key = describe("", partsOf(want.links));
    alike.set(key, [...(alike.get(key) ?? []), want]);
  }
  const found = new Map<ModelLayer, Module<T>>();
  const taken = new Set<string>();
  for (const layers of alike.values()) {
    const parts = partsOf(layers[0]!.links);
    const exact = modulesOf(parts);
    const names = exact.length === layers.length ? exact : modulesOf(parts, true);
    names.sort((a, b) => compare(a.numbers, b.numbers));
    if (names.length !== layers.length || names.some(({ pattern }) => pattern !== names[0]!.pattern)) throw doubt();
    layers.forEach(({ layer }, i) => {
      const { name } = names[i]!;
      if (taken.has(name)) throw doubt();
      taken.add(name);
      found.set(layer, modules.get(name)!);
    });
  }
  return found;
}

/** Whether a module's tensors are those parts and no others. */
function holds<T extends { shape: Shape }>(module: Module<T>, parts: Part[], loosely: boolean): boolean {
  if (module.size !== parts.length) return false;
  const holdsIt = (part: Part, given: T | undefined) => given && fits(part, given.shape, loosely);
  return parts.every((part) => part.names.some((name) => holdsIt(part, module.get(name))));
}

/** A name without its numbers, and these. Keras's `dense` comes before `dense_1`, a stack's `lstm` before `lstm:1`. */
function withNumbers(name: string): { name: string; pattern: string; numbers: number[] } {
  const first = !/\d$/.test(name);
  const whole = first ? `${name}_0` : name.replace(/:(?=\d+$)/, "_");
  const numbers = [...whole.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  if (first) numbers[numbers.length - 1] = -1;
  return { name, pattern: whole.replace(/\d+/g, "#"), numbers };
}

function compare(a: number[], b: number[]): number {
  const at = a.findIndex((v, i) => v !== b[i]);
  return at < 0 ? 0 : a[at]! - (b[at] ?? 0);
}

const describe = (name: string, parts: readonly { names: readonly string[]; shape: Shape }[]): string =>
  `${name} (${parts.map(({ names, shape }) => `${names[0]} [${shape.join(", ")}]`).join(", ")})`;

const MOST = 20;

/** At most twenty of them. */
export const listed = (items: readonly string[]): string =>
  items.length > MOST ? `${items.slice(0, MOST).join(", ")} and ${items.length - MOST} more` : items.join(", ");
