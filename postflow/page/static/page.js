"use strict";
// Keeps the page current, and sends its buttons without leaving it. All of it works without, too.

const live = document.getElementById("live");
const said = document.getElementById("said");
let quietAgain;

function say(text) {
  said.textContent = text;
  clearTimeout(quietAgain);
  quietAgain = setTimeout(() => { said.textContent = ""; }, 12000);
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined);
const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

// Makes an element equal to another one, and touches only what differs: focus and pictures stay.
// What says `data-keep`, as a form in which somebody writes, is left alone.
function become(old, fresh) {
  if (old.isEqualNode(fresh) || old.dataset?.keep !== undefined) return;
  if (old.nodeType !== Node.ELEMENT_NODE || !alike(old, fresh)) { old.replaceWith(fresh); return; }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, fresh);
}

function children(old, fresh) {
  const keyed = new Map([...old.children].filter(keyOf).map((each) => [keyOf(each), each]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const same = key === undefined ? (at && keyOf(at) === undefined && alike(at, child) ? at : null) : keyed.get(key);
    if (!same) { old.insertBefore(child, at); continue; }
    if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
    become(same, child);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

// The line that has the focus may have moved to another shelf.
function keepFocus(change) {
  const focused = document.activeElement;
  const key = focused.closest("[data-key^='clip-'], [data-key^='file-']")?.dataset.key;
  change();
  if (focused.isConnected) { if (document.activeElement !== focused) focused.focus(); return; }
  const line = key && live.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (line?.querySelector("a, button") ?? document.getElementById("main")).focus({ preventScroll: true });
}

if (live) {
  const events = new EventSource(live.dataset.live);
  events.onmessage = (event) => keepFocus(() => children(live, parsed(JSON.parse(event.data))));
  addEventListener("pagehide", () => events.close());
}

document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("[data-acts]") || button.ariaBusy === "true") return;
  event.preventDefault();
  button.ariaBusy = "true";
  const body = new URLSearchParams(new FormData(form, button));
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.redirected) location.reload();
    else if (answer.headers.get("Content-Type").startsWith("application/json")) {
      const { name, text } = await answer.json();
      say(`${name} ${text}`);
    } else say((await answer.text()).trim() || answer.statusText);
  } catch (error) {
    say(String(error));
  } finally {
    button.ariaBusy = "false";
  }
});

const meaning = document.querySelector("[data-meant]");
if (meaning) {
  let latest = 0, soon;
  meaning.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(async () => {
      const mine = ++latest, asked = new URLSearchParams(new FormData(meaning));
      asked.delete("token");
      const answer = await fetch(`${meaning.dataset.meant}?${asked}`);
      const html = await answer.text();
      if (answer.ok && mine === latest) document.getElementById("meant").replaceChildren(parsed(html));
    }, 250);
  });
}
