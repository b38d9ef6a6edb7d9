// Settings, from environment variables. README.md has the same table; a test holds them together.

/** Name in the environment, default, what it says. Sizes are bytes. */
const SETTINGS = {
  host: ["HOST", "127.0.0.1", "address to listen on; `0.0.0.0` for all"],
  port: ["PORT", 3000, "port; 0 takes a free one"],
  data: ["DATA", "data", "folder of the database and of the CSV files that requests may refer to"],
  trainings: ["TRAININGS", 1, "trainings at once, each on a thread of its own"],
  maxQueue: ["MAX_QUEUE", 100, "trainings that may wait"],
  maxModels: ["MAX_MODELS", 10_000, "models that are kept, in whatever state"],
  maxJson: ["MAX_JSON", 8 * 2 ** 20, "size of a JSON body"],
  maxFile: ["MAX_FILE", 32 * 2 ** 20, "size of a CSV file, uploaded or referred to"],
  maxUploads: ["MAX_UPLOADS", 8, "requests to train that are read at once"],
  maxRows: ["MAX_ROWS", 1_000_000, "rows of a table"],
  maxColumns: ["MAX_COLUMNS", 1_000, "columns of a table, a category counting as one each"],
  maxTable: ["MAX_TABLE", 128 * 2 ** 20, "size of a table in memory, 4 bytes for each number of each row"],
  maxClasses: ["MAX_CLASSES", 1_000, "classes of a target"],
  maxParameters: ["MAX_PARAMETERS", 1_000_000, "size of a model, in parameters"],
  maxEpochs: ["MAX_EPOCHS", 10_000, "epochs of a training"],
  maxCrashes: [
    "MAX_CRASHES",
    10,
    "ends of the process, other than by a stop, that a training may meet between two checkpoints",
  ],
  maxSeconds: ["MAX_SECONDS", 3_600, "time of a training, in seconds"],
  maxPredictRows: ["MAX_PREDICT_ROWS", 1_000, "rows of a request to predict"],
  maxStreams: ["MAX_STREAMS", 100, "clients that follow trainings at once"],
  batchRows: ["BATCH_ROWS", 256, "rows of requests that are predicted together"],
  batchWait: ["BATCH_WAIT", 2, "time that a request waits for others, in milliseconds"],
  cache: ["CACHE", 256 * 2 ** 20, "memory of models loaded to predict"],
  checkpoint: ["CHECKPOINT", 1, "time between checkpoints of a training, at an epoch's end, in seconds"],
  timeout: ["TIMEOUT", 30, "time in which a request has to arrive, in seconds"],
  stop: ["STOP", 1_000, "time that a stop waits for epochs to end, in milliseconds"],
} as const satisfies Record<string, readonly [string, string | number, string]>;

type Settings = typeof SETTINGS;

/** How the service is run. */
export type Config = { [K in keyof Settings]: Settings[K][1] extends number ? number : string };

/** What may be zero. */
const ZERO = new Set(["PORT", "MAX_QUEUE", "BATCH_WAIT", "CHECKPOINT", "STOP"]);

/** Settings as rows of a table: name, default, meaning. */
export const settingsTable = (): (readonly [string, string | number, string])[] => Object.values(SETTINGS);

/** Reads the environment. Throws where a variable is not what it has to be. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const entries = Object.entries(SETTINGS).map(([key, [name, standard]]) => {
    const text = env[name];
    if (text === undefined || text === "") return [key, standard];
    if (typeof standard === "string") return [key, text];
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    const whole = name === "CHECKPOINT" || Number.isInteger(value);
    if (!(value >= 0) || !whole || (value === 0 && !ZERO.has(name)))
      throw new Error(`${name}: expected a number such as ${standard}, got ${JSON.stringify(text)}`);
    return [key, value];
  });
  return Object.fromEntries(entries) as Config;
}
