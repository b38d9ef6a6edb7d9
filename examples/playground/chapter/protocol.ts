// What the Chapter tab and its worker say to each other: of the methods that are no setting of the Train tab.

export type DemoName = "multitask" | "parameterTying" | "bagging";

/** What is compared, in the order in which it is trained. */
export const ARMS = {
  multitask: ["alone", "together"],
  parameterTying: ["apart", "tied"],
  bagging: ["single", "dropout", "bagging"],
} as const;

export type DemoRequest = { tab: "chapter"; id: number; demo: DemoName };

/** One reply for each arm when it has been trained, or an error. */
export type DemoReply = { tab: "chapter"; id: number } & (
  | { type: "arm"; arm: string; accuracy: number; milliseconds: number }
  | { type: "error"; message: string }
);
