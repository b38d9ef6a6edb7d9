// A small transformer that continues a text, character by character. It is trained on the pages under docs/.
//
//   node examples/transformer/train.js            1,000 steps, less than a minute on one core, and 400 characters of its own
//   node examples/transformer/train.js 200 50     as many steps, as many characters

import { readdirSync, readFileSync } from "node:fs";
import {
  adamw,
  add,
  cosineDecay,
  dense,
  dropout,
  embedding,
  functional,
  input,
  layerNorm,
  multiHeadAttention,
  positionEmbedding,
  softmaxCrossEntropy,
  warmup,
} from "downhill";
import { philox4x32 } from "downhill/random";

const [STEPS = 1000, SAMPLE = 400] = process.argv.slice(2).map(Number);
const LENGTH = 64; // characters that it sees at a time
const WIDTH = 64;
const HEADS = 4;
const BLOCKS = 2;
const BATCH = 32;

let drawn = 0;
const random = () => philox4x32([drawn++, 0, 0, 0], [1, 0])[0] / 2 ** 32; // the same in each run

// the text as numbers of its characters; what comes less than 20 times is left out

const folder = new URL("../../docs/", import.meta.url);
const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
const all = [...pages.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n")];
const counts = new Map();
for (const c of all) counts.set(c, (counts.get(c) ?? 0) + 1);
const alphabet = [...counts.keys()].filter((c) => counts.get(c) >= 20).sort();
const text = Uint8Array.from(all.map((c) => alphabet.indexOf(c)).filter((id) => id >= 0));
const cut = Math.floor(text.length * 0.95); // the last twentieth is not trained on

/** `rows` pieces of the text from `from` to `to`, and the characters that follow each of theirs. */
function batch(from, to, rows) {
  const x = { data: new Uint8Array(rows * LENGTH), shape: [rows, LENGTH] };
  const y = { data: new Int32Array(rows * LENGTH), shape: [rows, LENGTH] };
  for (let r = 0; r < rows; r++) {
    const at = from + Math.floor(random() * (to - from - LENGTH));
    x.data.set(text.subarray(at, at + LENGTH), r * LENGTH);
    y.data.set(text.subarray(at + 1, at + LENGTH + 1), r * LENGTH);
  }
  return { x, y };
}

// each block: every position looks back at those before it, then is changed by itself; both are added to what was there

const ids = input([LENGTH]);
let h = positionEmbedding()(embedding(alphabet.length, WIDTH)(ids));
for (let i = 0; i < BLOCKS; i++) {
  const seen = multiHeadAttention(HEADS, WIDTH / HEADS, { causal: true })(layerNorm()(h));
  h = add()([h, dropout(0.1)(seen)]);
  const changed = dense(WIDTH)(dense(4 * WIDTH, { activation: "gelu" })(layerNorm()(h)));
  h = add()([h, dropout(0.1)(changed)]);
}
const model = functional({ inputs: ids, outputs: dense(alphabet.length)(layerNorm()(h)) });
const learningRate = warmup({ steps: Math.ceil(STEPS / 20), then: cosineDecay({ initial: 3e-3, steps: STEPS }) });
model.compile({ optimizer: adamw({ learningRate }), loss: softmaxCrossEntropy(), clipNorm: 1 });
console.log(`${text.length} characters of ${alphabet.length} kinds, ${model.countParams()} parameters`);

// an epoch is 100 steps on pieces drawn anew

function* batches() {
  for (;;) yield batch(0, cut, BATCH);
}
const bits = (loss) => (loss / Math.LN2).toFixed(2); // a character
await model.fit(batches(), {
  epochs: Math.ceil(STEPS / 100),
  stepsPerEpoch: Math.min(STEPS, 100),
  validationData: batch(cut, text.length, 200),
  callbacks: [
    {
      onEpochEnd: (epoch, { loss, valLoss }) =>
        console.log(`epoch ${epoch + 1}: ${bits(loss)} bits a character, ${bits(valLoss)} of text it has not seen`),
    },
  ],
});

// what it writes: the next character is drawn from what it predicts, likely ones a little more often than it says

const TEMPERATURE = 0.7;
const written = [...text.subarray(cut, cut + 16)];
for (let i = 0; i < SAMPLE; i++) {
  const context = written.slice(-LENGTH);
  const x = new Uint8Array(LENGTH);
  x.set(context); // what stands behind it is not seen
  const logits = model.predict({ data: x, shape: [1, LENGTH] }).data.subarray((context.length - 1) * alphabet.length);
  const weights = alphabet.map((_, c) => Math.exp(logits[c] / TEMPERATURE));
  const sum = weights.reduce((a, b) => a + b);
  let next = 0;
  for (let left = random() * sum; left >= weights[next] && next < weights.length - 1; next++) left -= weights[next];
  written.push(next);
}
console.log(`\n${written.map((id) => alphabet[id]).join("")}`);
