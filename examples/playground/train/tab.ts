import { element } from "../dom";
import type { Shell, Tab } from "../shell";

export function trainTab(_shell: Shell): Tab {
  return { root: element("div", { class: "train" }), show() {}, hide() {} };
}
