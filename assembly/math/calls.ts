import { log4 } from "./log.micro";

/** log4 as a call, where speed matters less than 400 bytes of code a copy. */
function log(x: v128): v128 {
  return log4(x);
}

// In a list of its own: asc warns of an exported function that takes a v128, though only other files here call it.
export { log };
