
// Keys, and what the server tells every second.

const redraw = () => {
  drawList();
  showViewer();
};

const changed = () => {
  $("#state").textContent = fill(words[run.state] ?? "", { n: grouped(images.length) });
  listFolders();
  arrange();
  showThreshold();
  if (!selected && wanted.length) select(wanted[0]);
  else showViewer();
};

const keys = {
  ArrowDown: () => step(1), j: () => step(1), ArrowRight: () => step(1),
  ArrowUp: () => step(-1), k: () => step(-1), ArrowLeft: () => step(-1),
  PageDown: () => step(Math.max(1, Math.floor(list.clientHeight / HEIGHT))),
  PageUp: () => step(-Math.max(1, Math.floor(list.clientHeight / HEIGHT))),
  Home: () => step(-wanted.length), End: () => step(wanted.length),
  g: () => label("good"), b: () => label("bad"), u: () => label("unsure"), x: () => label(""),
  z: takeBack,
  " ": () => {
    const usable = KINDS.filter(available);
    choose(usable[(usable.indexOf(currentKind()) + 1) % usable.length]);
  },
  Enter: () => enlarge(true),
  Escape: () => enlarge(false),
};

// What an element does with keys of its own.
const ownKeys = (element, key) => {
  if (element.closest("input[type=search], input[type=number]")) return key !== "Escape";
  if (element.closest("input[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  if (element.closest("select")) return true;
  return element.closest("button, a, summary, input") !== null && [" ", "Enter"].includes(key);
};

document.addEventListener("keydown", (event) => {
  if (event.altKey || ownKeys(event.target, event.key)) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!keys[key] || (command && key !== "z") || (event.repeat && "gbuxz".includes(key))) return;
  event.preventDefault();
  keys[key]();
});

const poll = async () => {
  try {
    const told = await ask(`state?epoch=${run.epoch}&images=${images.length}&labels=${run.revision}`);
    if (document.body.classList.contains("stopped")) say("");
    document.body.classList.remove("stopped");
    if (take(told)) {
      if (selected) selected = byNumber.get(selected.number) ?? null;
      changed();
    }
  } catch (error) {
    document.body.classList.add("stopped");
    say(error instanceof TypeError ? words.stopped : error.message);
  }
  setTimeout(poll, document.hidden ? 5000 : 1000);
};

document.addEventListener("visibilitychange", () => { if (!document.hidden) redraw(); });
narrow.addEventListener("change", () => { $("#threshold").open = !narrow.matches; });
$("#threshold").open = !narrow.matches;
poll();
list.focus();
