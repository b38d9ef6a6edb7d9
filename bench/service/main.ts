import { DIGITS, digitsRow, digitsText } from "./data";
import { ask, type ModelView, makePlace, startHost, until } from "./host";
import { runLoad } from "./load";

const place = makePlace("build/service/service.js");
try {
  const host = await startHost(place);
  const model = await ask<ModelView>(`${host.url}/models`, "POST", { csv: digitsText(), ...DIGITS });
  console.log(await until(host.url, model.id).then(({ state, error }) => ({ state, error })));
  const url = `${host.url}/models/${model.id}/predict`;
  console.log(await ask(url, "POST", { row: digitsRow() }));
  for (const connections of [1, 10, 100])
    console.log(connections, await runLoad({ url, body: { row: digitsRow() }, seconds: 4, connections }));
  const long = await ask<ModelView>(`${host.url}/models`, "POST", { csv: digitsText(), ...DIGITS, epochs: 10000 });
  await until(host.url, long.id, ({ epoch }) => epoch > 1);
  console.log(await runLoad({ url, body: { row: digitsRow() }, seconds: 8, connections: 10, rate: 200 }));
  console.log((await until(host.url, long.id, () => true)).epoch);
  console.log(await host.end("SIGTERM"), host.errors());
} finally {
  place.remove();
}
