import { element } from "../dom";
import type { Shell, Tab } from "../shell";

export function chapterTab(_shell: Shell): Tab {
  return { root: element("div", { class: "chapter" }), show() {}, hide() {} };
}
