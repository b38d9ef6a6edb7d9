// All of the core in one module, as the host sees it.

export * from "./core";
export { extensionCount } from "./extension";
export { follow, lead, resume, runShare } from "./interpreter";
