// All of the core in one module, as the host sees it.

export * from "./core";
export { extensionCount } from "./extension";
