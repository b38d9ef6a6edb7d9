import { expect, test } from "vitest";
import { dense, loadModel, saveModel, sequential } from "../../ts";

test("model.metadata is kept in the file, and saving again gives the same bytes", async () => {
  const model = sequential([dense(2, { inputShape: [3] })]);
  model.metadata["classes"] = '["a","ü"]';
  model.metadata["__proto__x"] = "";
  const bytes = await saveModel(model);
  const loaded = await loadModel(bytes);
  expect(loaded.metadata).toEqual(model.metadata);
  expect(await saveModel(loaded)).toEqual(bytes);
});

test("notes that are not strings are refused", async () => {
  const model = sequential([dense(2, { inputShape: [3] })]);
  Object.assign(model.metadata, { epochs: 3 });
  await expect(loadModel(await saveModel(model))).rejects.toThrow("an object of strings");
});
