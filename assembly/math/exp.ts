import { expNegative4 } from "./exp.micro";

/** expNegative4 as a call: for functions beside whose constants exp's own would not fit the registers. */
function expNegativeCall4(x: v128): v128 {
  return expNegative4(x);
}

export { expNegativeCall4 };
