
// The selected image, large.

const viewer = $("#viewer");
const view = $("#picture");
const narrow = matchMedia("(max-width: 56rem)");
const KINDS = ["original", "overlay", "map"];
let kind = null;

const available = (name) =>
  name === "original" || (name === "overlay" && (run.maps || run.overlays)) || (name === "map" && run.maps);
const currentKind = () => (kind !== null && available(kind) ? kind : available("overlay") ? "overlay" : "original");
const thumbnailKind = () => currentKind();

const showPicture = () => {
  const image = selected;
  const source = image && image.score !== null ? picture(image, currentKind(), "large") : "";
  const problem = $("#problem");
  if (!image || image.score === null) {
    view.hidden = true;
    view.removeAttribute("src");
    view.dataset.source = "";
    problem.hidden = !image;
    problem.textContent = image ? image.error : "";
    return;
  }
  if (view.dataset.source === source) return;
  view.dataset.source = source;
  view.src = source;
  view.alt = currentKind() === "overlay" ? words.overlay_of.replace("{}", image.path) : image.path;
  problem.hidden = true;
};

view.addEventListener("load", () => {
  view.hidden = false;
  const next = wanted[at(selected) + 1];
  if (next && next.score !== null) new Image().src = picture(next, currentKind(), "large");
});
view.addEventListener("error", async () => {
  const source = view.dataset.source;
  if (!source) return;
  view.hidden = true;
  let text = words.no_picture;
  try {
    await ask(source);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) text = error.message;
  }
  if (view.dataset.source !== source) return;
  $("#problem").textContent = text;
  $("#problem").hidden = false;
});

const showNote = () => {
  const note = $("#note");
  const own = decimals(run.threshold, 3);
  note.textContent = run.maps ? "" : run.overlays ? fill(words.no_maps, { t: own }) : words.no_pictures;
  note.hidden = !note.textContent;
};

const showViewer = () => {
  const image = selected;
  for (const button of all("[data-kind]")) {
    button.disabled = !image || !available(button.dataset.kind);
    button.setAttribute("aria-pressed", String(button.dataset.kind === currentKind()));
  }
  for (const button of all("[data-label]")) {
    button.disabled = !image;
    button.setAttribute("aria-pressed", String(image !== null && image.label === button.dataset.label));
  }
  showNote();
  showPicture();
  const full = $("#full");
  full.hidden = !image || image.score === null;
  if (!full.hidden) full.href = picture(image, currentKind(), "full");
  const now = image ? verdictOf(image) : "";
  $("#path").textContent = image ? shownPath(image.path) : "";
  $("#verdict").className = `verdict ${now}`;
  $("#verdict").textContent = words.verdicts[now] ?? now;
  $("#facts").textContent = image && image.score !== null
    ? fill(words.facts, {
        s: decimals(image.score, 3), k: decimals(image.peak ?? 0, 3), g: image.regions ?? "–",
        w: image.width, h: image.height,
      })
    : "";
};

const select = (image) => {
  if (!image) return;
  selected = image;
  reveal();
  drawList();
  showViewer();
  const label = words.labels[image.label] ?? "";
  $("#said").textContent = [$("#path").textContent, $("#verdict").textContent, $("#facts").textContent, label]
    .filter(Boolean).join(", ");
};

const step = (by) => {
  const now = at(selected);
  select(wanted[now < 0 ? 0 : Math.min(Math.max(now + by, 0), wanted.length - 1)]);
};

const enlarge = (wide) => {
  document.body.classList.toggle("enlarged", wide);
  if (!wide) list.focus();
};

const choose = (name) => {
  kind = name;
  drawList();
  showViewer();
};

const label = (given) => {
  const image = selected;
  if (!image) return;
  const index = at(image);
  const next = wanted[index + 1];
  give(image, given);
  changed();
  if (given && $("#advance").checked) select(next);
  // It may have left the list, as it does not fit the filters any more.
  else if (at(image) < 0) select(wanted[Math.min(index, wanted.length - 1)]);
};

const takeBack = () => {
  const image = undo();
  changed();
  if (!image) {
    say(words.nothing_to_undo);
    return;
  }
  select(image);
  $("#said").textContent = fill(words.undone, { p: shownPath(image.path) });
};

const actions = {
  previous: () => step(-1),
  next: () => step(1),
  undo: takeBack,
  enlarge: () => enlarge(true),
  close: () => enlarge(false),
};

viewer.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { do: action, kind: name, label: given } = button.dataset;
  if (action) actions[action]();
  else if (name) choose(name);
  else if (given) label(selected?.label === given ? "" : given);
});
view.addEventListener("click", () => enlarge(!document.body.classList.contains("enlarged")));
