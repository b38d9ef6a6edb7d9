// Parameter tying: a penalty on the difference of two layers' parameters (Goodfellow et al. 2016, 7.9).

import { Base } from "../../assembly/isa";
import { argumentError, DownhillError, wrong } from "../errors";
import { type Graph, sameShape } from "../graph/graph";
import { isLayer, type Layer } from "../layers/layer";
import { subtract } from "../ops/elementwise";
import { tieBackward, tieStep } from "../ops/tied";
import { type Field, nonNegative } from "../options";
import { type Built, factory } from "../registry";
import type { PenaltyDefinition } from "./compile";
import type { Penalty } from "./program";
import { ModelState } from "./state";
import { type Entry, ModelLayer } from "./structure";

/** A layer of the model that is compiled by its name, a layer of a model, or what a layer's factory returned. */
export type TiedLayer = string | ModelLayer | Layer;

/** A layer and the model that has it. */
interface Side {
  layer: ModelLayer;
  state: ModelState;
}

interface Tie extends Penalty {
  /** Those of the two layers that belong to the model. */
  layers: ModelLayer[];
}

const layerField: Field<TiedLayer> = {
  expected: 'a layer: model.getLayer("dense_1"), its name, or what dense(10) returned',
  accepts: (v) => (typeof v === "string" && v !== "") || v instanceof ModelLayer || isLayer(v),
};

/** The layers that a config's names stand for, where they were given. */
const given = /* @__PURE__ */ new WeakMap<Built, readonly [TiedLayer, TiedLayer]>();

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
 * optimizer's: the difference is divided by 1 + 2·ε·c (1 + ε·c where one of the two stands still). So the two agree, however large c
 * is, with any optimizer. `gradients` has the tie in any case.
 *
 * @param c ≥ 0
 * @example model.compile({ optimizer: adam(), loss: meanSquaredError(), penalties: [tied("dense_1", "dense_2", 0.1)] })
 * @throws DownhillError `argument`; in `compile` also `shape` where the parameters differ in shape
 */
export const tied: (a: TiedLayer, b: TiedLayer, c: number) => Built = /* @__PURE__ */ factory<
  [a: TiedLayer, b: TiedLayer, c: number],
  PenaltyDefinition
>(
  "penalty",
  {
    type: "tied",
    positional: ["a", "b", "c"],
    options: () => ({ a: layerField, b: layerField, c: nonNegative() }),
    bind,
  },
  (read) => {
    const [a, b] = [read["a"], read["b"]] as [TiedLayer, TiedLayer];
    const config = { ...read, a: nameOf(a), b: nameOf(b) };
    given.set(config, [a, b]);
    return config;
  },
);

function bind(config: Built, state: ModelState): Tie {
  const [a, b] = (given.get(config) ?? [config["a"] as string, config["b"] as string]).map((layer) =>
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
  const others = [a, b].filter((side) => side.state !== state);
  for (const { state } of others) state.claims++;
  const layers = [a, b].flatMap((side) => (side.state === state ? side.layer : []));
  const movers = () =>
    state
      .compiled!.penalties.flatMap((penalty) => (penalty as Tie).layers ?? [])
      .filter((layer) => layers.includes(layer)).length;
  return {
    config: kept({ ...config, a: a.layer.name, b: b.layer.name }, others.length > 0 && `${nameA} is tied to ${nameB}`),
    layers,
    count: pairs.length,
    get reads() {
      return others.flatMap((side) => parametersOf(side).map(([, entry]) => placeOf(side.state, entry)));
    },
    free() {
      for (const { state } of others) state.release();
    },
    step(graph, parameter, segment) {
      graph.layer = layers[0]!.name;
      for (const [first, second] of pairs) {
        const attributes = { coefficient: c, movers: movers() };
        if (others.length) {
          const [own, other] = a.state === state ? [first, second] : [second, first];
          tieStep([parameter(own), constant(graph, others[0]!, other), segment(own), null], attributes);
        } else tieStep([parameter(first), parameter(second), segment(first), segment(second)], attributes);
      }
    },
    terms(graph, parameter, { kind, rows, all }) {
      const leaf = (side: Side, entry: Entry) =>
        side.state === state ? parameter(entry) : constant(graph, side, entry);
      return pairs.map(([first, second]) => {
        graph.layer = layers[0]!.name;
        const h = subtract([leaf(a, first), leaf(b, second)]);
        // of a group of batches each has its rows' part
        const slope = { coefficient: c, share: rows / all, movers: kind === "train" ? movers() : 0 };
        return { h, attributes: { l1: 0, l2: c * rows, rows: all }, slope: () => tieBackward([h], slope) };
      });
    },
  };
}

/** The layer of the model, of one that it was joined from, or of another of its runtime. */
function find(layer: TiedLayer, state: ModelState): Side {
  const isIt = (l: ModelLayer) => l === layer || l.layer === layer || l.name === layer;
  const own = state.structure.layers.find(isIt);
  if (own) return { layer: own, state };
  if (typeof layer !== "string") {
    for (const member of state.members) {
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

const constant = (graph: Graph, { state }: Side, entry: Entry) =>
  graph.leaf(entry.shape, entry.key, { base: Base.absolute, offset: placeOf(state, entry)[0] });

/** The config; where a file cannot hold it, one that says so when it is written. */
function kept(config: Built, why: string | false): Built {
  if (!why) return config;
  return Object.defineProperty(config, "toJSON", {
    value() {
      throw new DownhillError("state", `saveModel: ${why}, which a file cannot hold; compile without the tie first`);
    },
  });
}
