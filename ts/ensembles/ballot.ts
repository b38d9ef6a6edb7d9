// What models vote on, by output; and the judge of a vote, by the models' own losses and metrics.

import { hardVotes, logitsOf, type VoteKind, Votes } from "../data/votes";
import { wrong } from "../errors";
import { sizeOf } from "../graph/graph";
import { activation, sigmoid, softmax } from "../layers/activation";
import { input } from "../layers/layer";
import type { NDArray } from "../ndarray";
import { sgd } from "../optimizers/optimizers";
import type { Built } from "../registry";
import { withStreams } from "../runtime/runtime";
import { scalars } from "../runtime/scalars";
import { compile } from "../training/compile";
import { functional } from "../training/functional";
import { join, type Model, sequential } from "../training/model";
import type { CompileConfig } from "../training/state";
import { splitPorts } from "../training/structure";

/** An output of the models: what is voted on. */
export interface Ballot {
  name: string;
  kind: VoteKind;
  /** Numbers of an example. */
  size: number;
  /** Of a class a choice is made among so many. */
  width: number;
  loss: Built;
  /** From what a model gives to probabilities, where it does not give these. */
  link: Model<NDArray> | undefined;
}

/** What `make` makes for our own use: no model of the user's gets other random numbers for it. */
const aside = <T>(make: () => T): T => withStreams({ seed: 0, stream: 0 }, make);

/** The ballots of models such as `model`; an output of numbers, which cannot be chosen among, refuses `hard`. */
export function ballotsOf({ state: { structure, compiled, runtime } }: Model, hard: boolean): Ballot[] {
  const { losses, metrics } = compiled!;
  return structure.outputs.map(({ name, value }, output) => {
    const { config: loss, definition } = losses[output]!;
    const prediction = definition.prediction(loss);
    const judged = metrics.some((m) => m.output === output && m.config.type === "accuracy");
    const size = sizeOf(value.shape);
    const classes = definition.targets === "class" || (prediction === "values" && judged && size > 1);
    const kind = classes ? "class" : prediction !== "values" || judged ? "element" : "value";
    if (kind === "value" && hard)
      throw wrong("argument", `bagging: ${name}`, `vote: "soft" where numbers are predicted`, '"hard"');
    const width = classes ? value.shape.at(-1)! : size;
    const layer = classes ? softmax : sigmoid;
    const link =
      prediction === "logits" ? aside(() => sequential([layer({ inputShape: [width] })], { runtime })) : undefined;
    return { name, kind, size, width, loss, link };
  });
}

/** An array for each output of what the model predicted. */
export const partsOf = ({ state: { structure } }: Model, prediction: unknown): NDArray[] =>
  splitPorts(
    "bagging",
    structure.outputs,
    prediction,
    structure.outputForm === "one",
    structure.outputForm,
  ) as NDArray[];

/** Takes in a model's answers; `at`: the rows that they are for. */
export function cast(
  votes: Votes,
  { kind, width, link }: Ballot,
  hard: boolean,
  { data }: NDArray,
  at?: Uint32Array,
): void {
  const answers = link ? link.predict(data, { batchSize: 1024 }).data : data;
  votes.add(hard ? hardVotes(answers, width, kind) : answers, at);
}

/** The vote of models on x, an array an output. */
export function vote(
  models: readonly Model[],
  ballots: readonly Ballot[],
  hard: boolean,
  x: unknown,
  options?: object,
) {
  let votes: Votes[] = [];
  let shapes: (readonly number[])[] = [];
  for (const model of models) {
    const parts = partsOf(model, model.predict(x as NDArray, options));
    if (!votes.length) {
      shapes = parts.map(({ shape }) => shape);
      votes = parts.map(({ data }, output) => new Votes(data.length / ballots[output]!.size, ballots[output]!.size));
    }
    parts.forEach((part, output) => {
      cast(votes[output]!, ballots[output]!, hard, part);
    });
  }
  return votes.map((sum, output): NDArray => ({ data: sum.means(), shape: shapes[output]! }));
}

/** A vote in the form in which the loss takes it. */
export const forLoss = ({ kind, link }: Ballot, { data, shape }: NDArray): NDArray => ({
  data: link ? logitsOf(data, kind, scalars().log64) : data,
  shape,
});

/** A model that hands on what it is given, to be judged by losses and metrics: of all outputs of `model`, or of one. */
export function judgeOf(
  { state: { structure, runtime } }: Model,
  { loss, lossWeights, metrics }: Pick<CompileConfig, "loss" | "lossWeights" | "metrics">,
  output?: number,
): Model {
  const ports = output === undefined ? structure.outputs : [structure.outputs[output]!];
  const form = output === undefined ? structure.outputForm : "one";
  return aside(() => {
    const inputs = ports.map(({ value }) => input([...value.shape]));
    const outputs = inputs.map((x, i) =>
      activation("linear", form === "list" ? { name: ports[i]!.name } : undefined)(x),
    );
    const judge = functional({ inputs: join(inputs, ports, form), outputs: join(outputs, ports, form) }, { runtime });
    compile(judge.state, { optimizer: sgd(), loss, lossWeights, metrics });
    return judge as unknown as Model;
  });
}
