
// The list: only the lines that can be seen are in the page.

const list = $("#list");
const rows = $("#rows");
const HEIGHT = 76;
const MARGIN = 4;

const filters = { show: "all", label: "", folder: "", sort: "highest", text: "" };
let wanted = [];
let selected = null;
const lines = new Map();

const orders = {
  highest: (a, b) => (b.score ?? 2) - (a.score ?? 2) || a.order - b.order,
  lowest: (a, b) => (a.score ?? 2) - (b.score ?? 2) || a.order - b.order,
  order: (a, b) => a.order - b.order,
};

const differs = (image, verdict) =>
  (image.label === "good" && verdict === "anomalous") || (image.label === "bad" && verdict === "normal");

const fits = (image) => {
  const verdict = verdictOf(image);
  if (filters.show !== "all" && verdict !== filters.show) return false;
  if (filters.label === "none" ? image.label : filters.label === "differ" ? !differs(image, verdict)
    : filters.label && image.label !== filters.label) return false;
  if (filters.folder && folderOf(image.path) !== filters.folder) return false;
  return !filters.text || image.path.toLowerCase().includes(filters.text);
};

const at = (image) => wanted.indexOf(image);

// Chooses and sorts the images; the selected one stays where it is on the screen.
const arrange = () => {
  const before = at(selected);
  wanted = images.filter(fits).sort(orders[filters.sort]);
  const now = at(selected);
  rows.style.height = `${wanted.length * HEIGHT}px`;
  if (before >= 0 && now >= 0 && now !== before) list.scrollTop += (now - before) * HEIGHT;
  const none = $("#none");
  none.hidden = wanted.length > 0;
  none.textContent = images.length ? words.none : words.empty;
  $("#shown").textContent = fill(words.shown, { n: grouped(wanted.length), m: grouped(images.length) });
  drawList();
};

const newLine = () => {
  const line = document.createElement("div");
  line.className = "line";
  line.setAttribute("role", "option");
  const image = new Image();
  image.loading = "lazy";
  image.decoding = "async";
  image.fetchPriority = "low";
  image.alt = "";
  image.addEventListener("error", () => { image.hidden = true; });
  image.addEventListener("load", () => { image.hidden = false; });
  const middle = document.createElement("span");
  middle.append(document.createElement("bdi"), document.createElement("small"));
  const verdict = document.createElement("span");
  const label = document.createElement("span");
  const end = document.createElement("span");
  end.append(verdict, label);
  line.append(image, middle, end);
  return line;
};

const fillLine = (line, image, index) => {
  const [thumbnail, middle, end] = line.children;
  const [verdict, label] = end.children;
  line.id = `image-${image.number}`;
  line.style.top = `${index * HEIGHT}px`;
  line.setAttribute("aria-selected", String(image === selected));
  line.setAttribute("aria-posinset", index + 1);
  line.setAttribute("aria-setsize", wanted.length);
  line.title = image.path;
  const now = verdictOf(image);
  const source = image.score === null ? "" : picture(image, thumbnailKind(), "small");
  if ((thumbnail.dataset.source ?? "") !== source) {
    thumbnail.dataset.source = source;
    if (source) thumbnail.src = source;
    else thumbnail.removeAttribute("src");
  }
  thumbnail.hidden ||= !source;
  middle.firstChild.textContent = shownPath(image.path);
  middle.lastChild.textContent = image.score === null ? image.error : decimals(image.score, 3);
  verdict.className = `verdict ${now}${now === image.verdict || image.score === null ? "" : " tried"}`;
  verdict.textContent = words.verdicts[now] ?? now;
  label.className = `label ${image.label}`;
  label.textContent = words.labels[image.label] ?? "";
};

const release = (line) => {
  line.firstChild.removeAttribute("src"); // ends a download that nobody sees
  line.remove();
};

const drawList = () => {
  const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - MARGIN);
  const last = Math.min(wanted.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + MARGIN);
  const seen = new Map(wanted.slice(first, last).map((image, index) => [image.number, [image, first + index]]));
  for (const [number, line] of lines) {
    if (seen.has(number)) continue;
    release(line);
    lines.delete(number);
  }
  for (const [number, [image, index]] of seen) {
    if (!lines.has(number)) {
      lines.set(number, newLine());
      rows.append(lines.get(number));
    }
    fillLine(lines.get(number), image, index);
  }
  if (selected && lines.has(selected.number)) list.setAttribute("aria-activedescendant", `image-${selected.number}`);
  else list.removeAttribute("aria-activedescendant");
};

const reveal = () => {
  const top = at(selected) * HEIGHT;
  if (top < 0) return;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
};

let scrolled = false;
list.addEventListener("scroll", () => {
  if (scrolled) return;
  scrolled = true;
  requestAnimationFrame(() => {
    scrolled = false;
    drawList();
  });
});
new ResizeObserver(() => drawList()).observe(list);

rows.addEventListener("click", (event) => {
  const line = event.target.closest(".line");
  if (!line) return;
  select(byNumber.get(Number(line.id.slice("image-".length))));
  if (narrow.matches) enlarge(true);
});
rows.addEventListener("dblclick", () => enlarge(true));

// Filters.

const refilter = () => {
  list.scrollTop = 0;
  arrange();
};

for (const chip of all("[data-show]")) {
  chip.addEventListener("click", () => {
    filters.show = chip.dataset.show;
    for (const other of all("[data-show]")) other.setAttribute("aria-pressed", String(other === chip));
    refilter();
  });
}
for (const name of ["label", "folder", "sort"]) {
  $(`#${name}`).addEventListener("change", (event) => {
    filters[name] = event.target.value;
    refilter();
  });
}
$("#search").addEventListener("input", (event) => {
  filters.text = event.target.value.trim().toLowerCase();
  refilter();
});

let listed = "";
const listFolders = () => {
  const folders = [...new Set(images.map((image) => folderOf(image.path)))].sort();
  common = commonOf(folders);
  const choice = $("#folder");
  const now = folders.join("\n");
  if (now === listed) return;
  listed = now;
  choice.replaceChildren(choice.options[0], ...folders.map((folder) => new Option(shownPath(folder) || ".", folder)));
  choice.value = folders.includes(filters.folder) ? filters.folder : "";
  filters.folder = choice.value;
  choice.hidden = folders.length < 2;
};
