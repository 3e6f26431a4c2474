import { byId } from "./element.js";

/** Copies a text when the button is pressed, and says so. */
export function copiesOnClick(button: HTMLButtonElement, what: string, text: () => string): void {
  button.addEventListener("click", () => {
    void copy(text()).then((done) => announce(done ? `${what} copied` : `${what} could not be copied: ${text()}`));
  });
}

let hiding: number | undefined;

/** Shows a short message for a moment; screen readers say it. */
export function announce(message: string): void {
  const notice = byId("notice", HTMLElement);
  notice.textContent = message;
  notice.classList.add("shown");
  window.clearTimeout(hiding);
  hiding = window.setTimeout(() => notice.classList.remove("shown"), 3_000);
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text);
  }
}

/** Pages that did not come by https have no clipboard but may still copy a selection. */
function copyTheOldWay(text: string): boolean {
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "offstage";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) {
    focused.focus();
  }
  return done;
}
