import { element } from "../dom";
import type { Shell, Tab } from "../shell";

export function descendTab(_shell: Shell): Tab {
  return { root: element("div", { class: "descend" }), show() {}, hide() {} };
}
