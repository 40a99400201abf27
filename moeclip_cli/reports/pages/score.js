
{
  const rows = [...document.querySelectorAll("tr[data-kind]")];
  const others = [...document.querySelectorAll("figure[data-kind]")];
  const images = [...rows, ...others];
  const number = (value, digits, point) => value.toFixed(digits).replace(".", point);

  const inGroups = (count, thousands) => String(count).replace(/\B(?=(\d{3})+$)/g, thousands);

  // The pages of the other images.

  const section = document.querySelector("#others");
  let wanted = others;
  let first = 0;

  const turn = (to) => {
    if (!section) return;
    const size = Number(section.dataset.perPage);
    first = to;
    const page = new Set(wanted.slice(first, first + size));
    for (const figure of others) figure.hidden = !page.has(figure);
    section.hidden = !wanted.length;
    const pages = section.querySelector(".pages");
    pages.hidden = wanted.length <= size;
    const shown = pages.querySelector("output");
    const { thousands } = document.querySelector(".histogram").dataset;
    const counts = { from: first + 1, to: Math.min(first + size, wanted.length), all: wanted.length };
    shown.textContent = shown.dataset.shown.replace(/{(\w+)}/g, (_, name) => inGroups(counts[name], thousands));
    for (const button of pages.querySelectorAll("button")) {
      const at = first + Number(button.dataset.by) * size;
      button.disabled = at < 0 || at >= wanted.length;
      button.onclick = () => turn(at);
    }
  };

  // Filters.

  const filters = document.querySelector(".filters");
  const folder = filters.querySelector("select");
  let shown = "all";

  const refilter = () => {
    const fits = ({ dataset }) =>
      (shown === "all" || dataset.kind === shown) && (!folder?.value || dataset.folder === folder.value);
    for (const row of rows) row.hidden = !fits(row);
    wanted = others.filter(fits);
    turn(0);
    for (const section of document.querySelectorAll("#images, #unreadable")) {
      section.hidden = !section.querySelector("tr[data-kind]:not([hidden])");
    }
  };

  filters.hidden = rows.length < 2;
  folder?.addEventListener("change", refilter);
  const chips = [...filters.querySelectorAll("[data-show]")];
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      shown = chip.dataset.show;
      for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
      refilter();
    });
  }

  turn(0);

  // The histogram, whose threshold can be dragged.

  const card = document.querySelector(".histogram");
  if (card) {
    const { threshold, unsure, label, decimal, thousands, counts } = card.dataset;
    const band = unsure !== undefined;
    const svg = card.querySelector("svg");
    const slider = card.querySelector("input");
    const reset = card.querySelector(".try button");
    const found = card.querySelector(".try p");
    const line = svg.querySelector(".threshold");
    const name = svg.querySelector(".at-threshold");
    const bins = card.dataset.bins.split(" ").map((bin) => bin.split(":").map(Number));
    const [left, right] = ["x1", "x2"].map((end) => Number(svg.querySelector(".axis").getAttribute(end)));
    const base = Number(svg.querySelector(".axis").getAttribute("y1"));
    const before = {
      bars: [...svg.querySelectorAll("rect")],
      x: line.getAttribute("x1"),
      name: name.textContent,
    };
    const verdicts = ["normal", "unsure", "anomalous"];
    const chip = Object.fromEntries(verdicts.map((verdict) => [verdict, undefined]));
    for (const item of card.querySelectorAll(".key li")) {
      const kind = item.querySelector("span")?.className;
      if (kind in chip) chip[kind] = item.textContent;
    }
    const place = (x, text) => {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      const end = (x - left) / (right - left) > 0.5;
      name.setAttribute("x", Number(x) + (end ? -6 : 6));
      name.setAttribute("text-anchor", end ? "end" : "start");
      name.textContent = text;
    };

    // How many images of a bin of 0.001 are normal, unsure and anomalous with the threshold `fine`.
    const lowest = Math.floor(Number(unsure) * 1000 + 1e-9);
    const split = ([bin, count], fine) => {
      if (bin >= fine) return [0, 0, count];
      if (!band || bin < lowest) return [count, 0, 0];
      const below = bin === lowest ? Number(card.dataset.belowUnsure) : 0;
      return [below, count - below, 0];
    };
    const add = (sums, more) => more.forEach((count, kind) => { sums[kind] += count; });

    const draw = (fine) => {
      const stacks = Array.from({ length: 50 }, () => [0, 0, 0]);
      for (const bin of bins) add(stacks[Math.floor(bin[0] / 20)], split(bin, fine));
      const highest = Math.max(...stacks.map(([a, b, c]) => a + b + c));
      const step = (right - left) / 50;
      return stacks.flatMap((stack, index) => {
        let top = base;
        return stack.flatMap((count, kind) => {
          if (!count) return [];
          const bar = document.createElementNS(svg.namespaceURI, "rect");
          const height = Math.max((count / highest) * (base - 40), 2);
          top -= height;
          bar.setAttribute("class", verdicts[kind]);
          bar.setAttribute("x", left + index * step + 0.5);
          bar.setAttribute("y", top);
          bar.setAttribute("width", step - 1);
          bar.setAttribute("height", height);
          return [bar];
        });
      });
    };

    const show = (bars) => {
      for (const bar of svg.querySelectorAll("rect")) bar.remove();
      svg.prepend(...bars);
    };

    // A score at or above `value` is anomalous; null for the threshold of the run.
    const apply = (value) => {
      const limit = value ?? Number(threshold);
      for (const image of images) {
        const score = image.dataset.score ?? image.querySelector(".score")?.dataset.value;
        if (score === undefined) continue;
        image.dataset.original ??= image.dataset.kind;
        const kind = value === null
          ? image.dataset.original
          : Number(score) >= limit ? "anomalous"
          : band && Number(score) >= Number(unsure) ? "unsure" : "normal";
        image.dataset.kind = kind;
        const shownVerdict = image.querySelector(".verdict");
        if (!shownVerdict) continue;
        shownVerdict.className = `verdict ${kind}${kind === image.dataset.original ? "" : " tried"}`;
        shownVerdict.textContent = chip[kind];
        shownVerdict.parentElement.dataset.value = kind;
      }
      refilter();
    };

    const move = (value) => {
      const fine = Math.round(value * 1000);
      slider.value = value;
      place(left + (fine / 1000) * (right - left), label.replace("{}", number(fine / 1000, 3, decimal)));
      show(draw(fine));
      const sums = [0, 0, 0];
      for (const bin of bins) add(sums, split(bin, fine));
      const [normal, doubtful, anomalous] = sums;
      found.hidden = reset.hidden = false;
      found.querySelector("output").textContent = counts
        .replace("{t}", number(fine / 1000, 3, decimal))
        .replace("{a}", inGroups(anomalous, thousands))
        .replace("{u}", inGroups(doubtful, thousands))
        .replace("{n}", inGroups(normal, thousands)) + ".";
      found.querySelector("code").textContent =
        `moeclip recut OUT --threshold ${(fine / 1000).toFixed(3)}`
        + (band && Number(unsure) < fine / 1000 ? ` --unsure ${unsure}` : "");
      apply(fine / 1000);
    };

    slider.value = threshold;
    card.querySelector(".try").hidden = false;
    slider.addEventListener("input", () => move(Number(slider.value)));
    reset.addEventListener("click", () => {
      slider.value = threshold;
      place(before.x, before.name);
      show(before.bars);
      found.hidden = reset.hidden = true;
      apply(null);
    });
    svg.classList.add("draggable");
    const drag = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      move(Math.min(Math.max((x - left) / (right - left), 0), 1));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      drag(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) drag(event);
    });
  }

  // The viewer.

  const viewer = document.querySelector("#viewer");
  if (viewer) {
    const picture = viewer.querySelector("img");
    const swap = viewer.querySelector('[data-do="switch"]');
    const link = viewer.querySelector("a");
    let current = null;
    let original = false;

    const thumbnails = () =>
      [...document.querySelectorAll("tr:not([hidden]) .enlarge")];

    const show = () => {
      const row = current.closest("tr");
      const overlay = current.querySelector("img");
      const source = original && current.dataset.original;
      picture.src = source || overlay.src;
      picture.alt = source ? row.querySelector("bdi").textContent : overlay.alt;
      swap.textContent = source ? swap.dataset.original : swap.dataset.overlay;
      swap.disabled = !current.dataset.original;
      link.hidden = !current.dataset.link;
      if (current.dataset.link) link.href = current.dataset.link;
      viewer.querySelector("bdi").textContent = row.querySelector("bdi").textContent;
      viewer.querySelector("span").textContent =
        `${row.querySelector(".verdict").textContent} ${row.querySelector(".score").firstChild.textContent}`;
    };

    const actions = {
      previous: () => step(-1),
      next: () => step(1),
      switch: () => { original = !original; show(); },
      close: () => viewer.close(),
    };

    const step = (by) => {
      const all = thumbnails();
      const to = all[all.indexOf(current) + by];
      if (to) { current = to; show(); }
    };

    document.addEventListener("click", (event) => {
      const thumbnail = event.target.closest(".enlarge");
      if (!thumbnail) return;
      current = thumbnail;
      original = false;
      show();
      viewer.showModal();
    });
    viewer.addEventListener("click", (event) => {
      const wanted = event.target.closest("[data-do]");
      if (wanted) actions[wanted.dataset.do]();
      else if (event.target === viewer) viewer.close();
    });
    viewer.addEventListener("keydown", (event) => {
      const action = { ArrowLeft: "previous", ArrowRight: "next", " ": "switch" }[event.key];
      if (!action) return;
      event.preventDefault();
      actions[action]();
    });
    viewer.addEventListener("close", () => {
      current.scrollIntoView({ block: "nearest" });
      current.focus();
    });
  }
}
