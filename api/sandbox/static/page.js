// Shows the last requests of a provider as they come. All that came is shown as text, never as HTML.
"use strict";

const SHOWN_MAX = 200;
const EVERY_MS = 1000;
const KEPT = "betcore-sandbox-token"; // in this tab, so that the page can be loaded again
const at = (id) => document.getElementById(id);
let token = sessionStorage.getItem(KEPT) ?? "";
let after = null;
let timer = null;
let turn = 0; // of the form: answers to an earlier one are left out

function row(one) {
  const item = at("request").content.cloneNode(true);
  const set = (kind, text) => (item.querySelector(kind).textContent = text ?? "");
  const code = one.code === null ? "" : `, code ${one.code}`;
  set("time", one.time.slice(11, 23));
  set(".call", one.call);
  set(".bet", one.betId);
  set(".answer", `${one.status}${code}`);
  set(".why", [one.reason ?? one.explain ?? one.error, one.fault && `fault ${one.fault}`]
    .filter(Boolean).join(", "));
  set(".took", `${one.milliseconds} ms`);
  set(".sentence", one.sentence);
  set(".asked", written(`${one.method} ${one.target}`, one.request));
  set(".said", written(`HTTP ${one.status}`, one.answer));
  const kind = one.code === 1 ? "good" : one.status < 500 && one.code !== 8 ? "refused" : "bad";
  item.querySelector(".answer").classList.add(kind);
  return item;
}

function written(line, { headers, body }) {
  return [line, ...headers.map(([name, value]) => `${name}: ${value}`), "", body].join("\n");
}

async function look() {
  const query = after === null ? "" : `?after=${encodeURIComponent(after)}`;
  const asked = turn;
  const answer = await fetch(`v1/requests${query}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const said = await answer.json();
  if (asked !== turn) {
    return null; // that turn looks by itself
  }
  if (answer.status === 401) {
    token = "";
    sessionStorage.removeItem(KEPT);
    at("told").textContent = "This token is not known here.";
    return null;
  }
  if (!answer.ok) {
    at("told").textContent = `${said.detail ?? said.title} It is tried again.`;
    return EVERY_MS * 5;
  }
  said.items.forEach((one) => at("requests").prepend(row(one)));
  while (at("requests").children.length > SHOWN_MAX) {
    at("requests").lastElementChild.remove();
  }
  after = said.next;
  const there = at("requests").children.length > 0;
  const told = there ? "New requests appear by themselves." : "No request has come in the last hour.";
  if (at("told").textContent !== told) {
    at("told").textContent = told; // told once, so that a screen reader does not repeat it
  }
  return EVERY_MS;
}

async function keep() {
  clearTimeout(timer);
  let pause = EVERY_MS;
  if (token && !document.hidden) {
    try {
      pause = await look();
    } catch {
      at("told").textContent = "The sandbox cannot be reached. It is tried again.";
      pause = EVERY_MS * 5;
    }
  }
  if (pause !== null) {
    clearTimeout(timer);
    timer = setTimeout(keep, pause);
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  turn += 1;
  token = at("token").value.trim();
  sessionStorage.setItem(KEPT, token);
  after = null;
  at("requests").replaceChildren();
  keep();
});
at("token").value = token;
if (token) {
  keep();
}
