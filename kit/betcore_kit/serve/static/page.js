// The page of the slot. It asks for a spin by its number, so that a second click, or a click after
// a lost answer, gets what became of that spin, and bets nothing.
"use strict";

const SIGNS = { heart: "♥", clover: "♣", diamond: "♦", star: "★", seven: "7" };
// For so long the button stays off, so that a double click or two quick presses are one spin.
const PAUSE_MS = 600;
const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));
const at = (id) => document.getElementById(id);
let next = null; // the number of the next spin; null: not known
let busy = false;

function show(state, isSpin) {
  const amount = (text) => `${text} ${state.currency}`;
  next = state.next;
  at("balance").textContent = state.balance === null ? "not known" : amount(state.balance);
  at("mode").hidden = state.mode !== "demo";
  const chosen = at("stake").value;
  at("stake").replaceChildren(...state.stakes.map((one) => new Option(amount(one), one)));
  at("stake").value = state.stakes.includes(chosen) ? chosen : state.stakes[0];
  const last = state.last;
  if (last) {
    at("staked").textContent = amount(last.stake);
    at("won").textContent = amount(last.win);
    showReels(last.reels);
  }
  // Of a spin, what became of it matters most; at first, whether there can be one.
  const told = isSpin ? [last.told] : [state.told, last?.told];
  at("told").textContent = told.find(Boolean) ?? "Choose a stake, and press Spin.";
}

function showReels(reels) {
  [...at("reels").children].forEach((reel, place) => {
    reel.className = reels[place] ?? "";
    reel.textContent = SIGNS[reels[place]] ?? "";
  });
  at("reels").setAttribute("aria-label", reels.join(", ") || "The reels did not turn");
}

async function ask(what, body) {
  const options = { method: body ? "POST" : "GET" };
  if (body) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let answer;
  let said;
  try {
    answer = await fetch(`${location.pathname}/${what}`, options);
    said = await answer.json();
  } catch {
    return "The answer was lost. Press Spin to ask again: nothing is bet twice.";
  }
  if (answer.ok) {
    show(said, Boolean(body));
  } else if (answer.status === 409) {
    next = null; // another window played: ask anew
  }
  return answer.ok ? "" : said.error;
}

async function act(work) {
  if (busy) {
    return;
  }
  busy = true;
  at("spin").disabled = at("stake").disabled = true;
  at("told").textContent = "Asking the casino …";
  const [trouble] = await Promise.all([work(), pause()]);
  if (trouble) {
    at("told").textContent = trouble;
  }
  busy = false;
  at("spin").disabled = at("stake").disabled = false;
  at("spin").focus();
}

at("spin").addEventListener("click", () =>
  act(() => (next === null ? ask("state") : ask("spin", { spin: next, stake: at("stake").value }))),
);
at("spin").addEventListener("keydown", (event) => {
  if (event.repeat) {
    event.preventDefault(); // a key that is held down is one press
  }
});
act(() => ask("state"));
