import { argumentError } from "../errors";
import { type Field, isRecord } from "../options";
import { type Built, built, factory, isBuilt } from "../registry";
import { rateAt } from "../schedules/schedules";
import type { Callback, CallbackDefinition } from "../training/callbacks";
import type { Model } from "../training/model";

/** The rate of an epoch, from its number and the rate in force. */
export type RateOfEpoch = (epoch: number, rate: number) => number | Promise<number>;

const scheduleField = (): Field<Built> => built("schedule", "stepDecay({ initial: 0.1, factor: 0.5, every: 10 })");

const scheduler = /* @__PURE__ */ factory<[options: { schedule: Built }], CallbackDefinition<{ schedule: Built }>>(
  "callback",
  {
    type: "learningRateScheduler",
    options: () => ({ schedule: { ...scheduleField(), family: "schedule" } as Field<Built> }),
    create: ({ schedule }, _plan, model) => ({
      onEpochBegin(epoch: number) {
        model.learningRate = rateAt(schedule, epoch);
      },
    }),
  },
);

/**
 * Sets the learning rate at the beginning of each epoch: that of a schedule, in which k counts epochs (the optimizer's own
 * schedules count updates), or what a function gives for the epoch's number and the rate in force. Where the optimizer has
 * a schedule, this one takes its place.
 *
 * With a schedule the result is plain data; with a function it is a callback like one of your own, which no worker can be sent.
 *
 * @example learningRateScheduler({ schedule: stepDecay({ initial: 0.1, factor: 0.5, every: 10 }) })
 * @example learningRateScheduler((epoch, rate) => (epoch < 10 ? rate : rate * 0.9))
 * @throws DownhillError `argument`; in `fit`, where the function gives what is no number ≥ 0
 */
export const learningRateScheduler: {
  (options: { schedule: Built } | Built): Built;
  (options: { schedule: RateOfEpoch } | RateOfEpoch): Callback;
} = /* @__PURE__ */ Object.assign((given: unknown): never => {
  const options = typeof given === "function" || isBuilt("schedule", given) ? { schedule: given } : given;
  const schedule = isRecord(options) ? options["schedule"] : undefined;
  if (typeof schedule !== "function" || "definition" in schedule) return scheduler(options as never) as never;
  const other = Object.keys(options as object).find((key) => key !== "schedule");
  if (other) throw argumentError("learningRateScheduler", "no option beside schedule", other);
  return ownScheduler(schedule as RateOfEpoch) as never;
}, scheduler);

const ownScheduler = (rateOf: RateOfEpoch): Callback => ({
  async onEpochBegin(epoch: number, _logs: unknown, model: Model) {
    model.learningRate = await rateOf(epoch, model.learningRate);
  },
});
