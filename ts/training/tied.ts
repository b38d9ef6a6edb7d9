// Parameter tying: a penalty on the difference of two layers' parameters (Goodfellow et al. 2016, 7.9).

import { Base, Segment } from "../../assembly/isa";
import { argumentError, DownhillError, wrong } from "../errors";
import { type Graph, Span, sameShape } from "../graph/graph";
import { isLayer, type Layer } from "../layers/layer";
import { affine, subtract } from "../ops/elementwise";
import { tieBackward, tieStep } from "../ops/tied";
import { accumulate } from "../ops/update";
import { type Field, nonNegative } from "../options";
import { type Built, factory } from "../registry";
import type { TermDefinition } from "./compile";
import type { Term } from "./construction";
import { holdOf, members } from "./kin";
import { type Compiled, ModelState } from "./state";
import { type Entry, ModelLayer } from "./structure";

/** A layer of the model that is compiled by its name, a layer of a model, or what a layer's factory returned. */
export type TiedLayer = string | ModelLayer | Layer;

/** A layer and the model that has it. */
interface Side {
  layer: ModelLayer;
  state: ModelState;
}

interface Tie extends Term {
  /** Those of the two layers that belong to the model. */
  layers: ModelLayer[];
  /** Whether another tie ends in one of them. */
  isLinked(): boolean;
  /** Builds one of so many parts of the proximal step. */
  step(graph: Graph, parts: number): void;
}

/**
 * Parts of the proximal step where ties share layers: all ties take one, then all another. Each pulls its layers away from where the
 * ties before it have put them, in a chain of three by a quarter of what it was in the part before. A power of two, so that parts
 * agree to the bit with `tieBackward` on whether there is a proximal step.
 */
const PARTS = 16;

const layerField: Field<TiedLayer> = {
  expected: 'a layer: model.getLayer("dense_1"), its name, or what dense(10) returned',
  accepts: (v) => (typeof v === "string" && v !== "") || v instanceof ModelLayer || isLayer(v),
};

/** The layers that a config's names stand for, where they were given. */
const originals = /* @__PURE__ */ new WeakMap<Built, readonly [TiedLayer, TiedLayer]>();

const nameOf = (layer: TiedLayer): string =>
  typeof layer === "string"
    ? layer
    : layer instanceof ModelLayer
      ? layer.name
      : String(layer.config["name"] ?? layer.config.type);

/**
 * Adds c·½‖w⁽ᴬ⁾ − w⁽ᴮ⁾‖² to the objective, over all parameters that have the same name in both layers (kernel, bias, …):
 * gradient c·(w⁽ᴬ⁾ − w⁽ᴮ⁾) in the one, its negative in the other. For `compile({ penalties: [tied(a, b, c)] })`.
 *
 * The layers are of one model, or one of them is of another model of the same runtime: that one's weights, as they are at each
 * step, count as constants (and stay there for it when that model is disposed). Of models that were joined by `jointly`
 * both train. A name means a layer of the model that is compiled. `saveModel` throws `state` where a tie leads to another model.
 *
 * Where a step of gradient descent would overshoot, for m·ε·c > 1 (ε the learning rate; m the ends of ties that lie in the two
 * layers: 2 where each is in this one alone), training leaves the tie out of the gradient and takes a proximal step behind the
 * optimizer's: the difference is divided by 1 + 2·ε·c (1 + ε·c where one of the two stands still; where ties share layers, 16 such
 * steps with c/16 of all ties in turn). So the two agree, however large c is, with any optimizer. `gradients` has the tie in any case.
 *
 * @param c ≥ 0
 * @example model.compile({ optimizer: adam(), loss: meanSquaredError(), penalties: [tied("dense_1", "dense_2", 0.1)] })
 * @throws DownhillError `argument`; in `compile` also `shape` where the parameters differ in shape
 */
export const tied: (a: TiedLayer, b: TiedLayer, c: number) => Built = /* @__PURE__ */ factory<
  [a: TiedLayer, b: TiedLayer, c: number],
  TermDefinition
>(
  "term",
  {
    type: "tied",
    positional: ["a", "b", "c"],
    options: () => ({ a: layerField, b: layerField, c: nonNegative() }),
    bind,
  },
  (read) => {
    const [a, b] = [read["a"], read["b"]] as [TiedLayer, TiedLayer];
    const config = { ...read, a: nameOf(a), b: nameOf(b) };
    originals.set(config, [a, b]);
    return config;
  },
);

function bind(given: Record<string, unknown>, compiled: Compiled, state: ModelState): Tie {
  const config = given as unknown as Built;
  if ("attack" in given)
    throw argumentError("compile: adversarial.attack", "an attack such as fgsm({ epsilon: 0.1 })", config);
  const [a, b] = (originals.get(config) ?? [config["a"] as string, config["b"] as string]).map((layer) =>
    find(layer, state),
  ) as [Side, Side];
  const c = config["c"] as number;
  const [nameA, nameB] = [a, b].map((side) =>
    side.state === state ? side.layer.name : `${side.layer.name} of ${side.state.name}`,
  ) as [string, string];
  if (a.layer === b.layer) throw argumentError("tied", "two different layers", nameA);
  if (a.state !== state && b.state !== state)
    throw wrong("argument", "tied", `at least one layer of ${state.name}`, `${nameA} and ${nameB}`);
  const pairs = parametersOf(a).flatMap(([name, first]) =>
    parametersOf(b).flatMap(([other, second]) => (other === name ? [[first, second] as const] : [])),
  );
  if (!pairs.length) throw wrong("argument", "tied", `parameters of the same names in ${nameA} and ${nameB}`, "none");
  for (const [first, second] of pairs)
    if (!sameShape(first.shape, second.shape))
      throw wrong(
        "shape",
        `tied: ${nameA} and ${nameB}`,
        `${second.key} of shape [${first.shape.join(", ")}]`,
        `[${second.shape.join(", ")}]`,
      );
  const other = [a, b].find((side) => side.state !== state);
  const layers = [a, b].flatMap((side) => (side.state === state ? side.layer : []));
  const { penalties = [] } = compiled.config;
  const names = { ...config, a: a.layer.name, b: b.layer.name };
  penalties[penalties.indexOf(config)] = other ? notForFiles(names, `${nameA} is tied to ${nameB}`) : names;
  compiled.activities += pairs.length;
  // the other model's weights stay where they are
  if (other) holdOf(other.state).claims++;

  /** Of the ties that end in one of the two layers, the ends in them. */
  const movers = () =>
    compiled.terms.flatMap((term) => (term as Tie).layers ?? []).filter((layer) => layers.includes(layer)).length;

  const weight = (graph: Graph, side: Side, { shape, key, offset }: Entry) =>
    graph.leaf(
      shape,
      key,
      side === other
        ? { base: Base.absolute, offset: side.state.parameters + offset * 4 }
        : { base: Base.parameters, offset: offset * 4 },
    );

  const tie: Tie = {
    layers,
    isLinked: () => movers() > layers.length,
    free() {
      other?.state.release();
    },
    step(graph, parts) {
      graph.layer = layers[0]!.name;
      const segment = (entry: Entry) =>
        graph.leaf([Segment.words], "segment", {
          base: Base.absolute,
          offset: compiled.segments + state.structure.parameters.indexOf(entry) * Segment.words * 4,
        });
      const attributes = { coefficient: c / parts, movers: movers() * parts };
      for (const [first, second] of pairs) {
        const [u, v] = [weight(graph, a, first), weight(graph, b, second)] as const;
        if (a === other) tieStep([v, u, segment(second), null], attributes);
        else tieStep([u, v, segment(first), b === other ? null : segment(second)], attributes);
      }
    },
    extend({ graph, spec, activities }) {
      const { kind, rows } = spec;
      const all = spec.accumulate || rows;
      if (graph.span === Span.update) {
        const ties = compiled.terms.filter((term): term is Tie => "layers" in term);
        if (kind !== "train" || ties.at(-1) !== tie) return;
        const parts = ties.some((each) => each.isLinked()) ? PARTS : 1;
        for (let part = 0; part < parts; part++) for (const each of ties) each.step(graph, parts);
        return;
      }
      graph.layer = layers[0]!.name;
      for (const [first, second] of pairs) {
        const [u, v] = [weight(graph, a, first), weight(graph, b, second)] as const;
        if (graph.span === Span.forward) {
          if (other) compiled.reads.push(placeOf(other.state, other === a ? first : second));
          activities.push({ h: subtract([u, v]), attributes: { l1: 0, l2: c * rows, rows: all } });
        } else {
          const into = ({ shape, key, offset }: Entry) =>
            graph.leaf(shape, `d ${key}`, { base: Base.absolute, offset: compiled.gradients + offset * 4 });
          // of a group of batches each has its rows' part
          const slope = { coefficient: c, share: rows / all, movers: kind === "train" ? movers() : 0 };
          const dh = tieBackward([subtract([u, v])], slope);
          if (a !== other) accumulate([into(first), dh]);
          if (b !== other) accumulate([into(second), affine([dh], { scale: -1, offset: 0 })]);
        }
      }
    },
  };
  return tie;
}

/** The layer of the model, of one that it was joined from, or of another of its runtime. */
function find(layer: TiedLayer, state: ModelState): Side {
  const isIt = (l: ModelLayer) => l === layer || l.layer === layer || l.name === layer;
  const own = state.structure.layers.find(isIt);
  if (own) return { layer: own, state };
  if (typeof layer !== "string") {
    for (const member of members.get(state) ?? []) {
      const at = member.state.structure.layers.findIndex(isIt);
      if (at >= 0) return { layer: member.layers[at]!, state };
    }
    for (const other of state.runtime.residents) {
      const found = other instanceof ModelState && other.structure.layers.find(isIt);
      if (found) return { layer: found, state: other };
    }
  }
  const known = state.structure.layers.map(({ name }) => name).join(", ");
  throw argumentError(
    "tied",
    `a layer of ${state.name} (${known}) or of another model in use of its runtime`,
    nameOf(layer),
  );
}

/** The parameters of a layer by their names in it. */
const parametersOf = ({ layer: { name, entries } }: Side): [string, Entry][] =>
  entries.filter(({ spec }) => !spec.statistic).map((entry) => [entry.key.slice(name.length + 1), entry]);

const placeOf = ({ parameters }: ModelState, { offset, size }: Entry): readonly [number, number] => [
  parameters + offset * 4,
  parameters + (offset + size) * 4,
];

/** The config, which says what is the matter where it is written into a file. */
const notForFiles = (config: Built, why: string): Built =>
  Object.defineProperty(config, "toJSON", {
    value() {
      throw new DownhillError("state", `saveModel: ${why}, which a file cannot hold; compile without the tie first`);
    },
  });
