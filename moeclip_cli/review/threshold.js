
// The threshold that is tried, and what the labels say about it.

const counted = () => {
  const found = { anomalous: 0, normal: 0, unreadable: 0, good: 0, bad: 0, unsure: 0, hits: 0, alarms: 0, defects: 0 };
  for (const image of images) {
    const verdict = verdictOf(image);
    found[verdict] = (found[verdict] ?? 0) + 1;
    if (image.label) found[image.label] += 1;
    if (verdict === "unreadable" || !["good", "bad"].includes(image.label)) continue;
    found.defects += image.label === "bad";
    found.alarms += verdict === "anomalous";
    found.hits += verdict === "anomalous" && image.label === "bad";
  }
  return found;
};

const share = (part, whole) =>
  whole ? fill(words.share, { p: decimals((100 * part) / whole, 1), n: grouped(part), m: grouped(whole) }) : "–";

const showThreshold = () => {
  const found = counted();
  $("#at").textContent = decimals(threshold(), 3);
  $("#counts").textContent = fill(words.counts, {
    a: grouped(found.anomalous), n: grouped(found.normal), f: grouped(found.unreadable),
  });
  $("#quality").textContent = fill(found.alarms + found.defects ? words.quality : words.no_quality, {
    g: grouped(found.good), b: grouped(found.bad), u: grouped(found.unsure),
    p: share(found.hits, found.alarms), r: share(found.hits, found.defects),
  });
  $("#reset").hidden = tried === null;
  if (tried === null) $("#slider").value = run.threshold;
  if (document.activeElement !== $("#exact")) $("#exact").value = Number(threshold().toFixed(4));
  showCommand();
  showReferences(found.good);
};

const showCommand = () => {
  const line = $("#recut");
  line.hidden = tried === null;
  const problem = run.recut.problem ? words.regions : run.state === "finished" ? "" : words.unfinished;
  $("code", line).textContent = problem
    ? ""
    : `${run.recut.command} --threshold ${Number(threshold().toFixed(6))}${run.recut.options}`;
  $(".copy", line).hidden = Boolean(problem);
  $("span", line).textContent = problem;
};

const showReferences = (good) => {
  const { state, done, total, profile, text, command } = run.references;
  const [line, use] = all("#references > span");
  $("#make").disabled = state === "working" || good < 2;
  use.hidden = state !== "done";
  $("code", use).textContent = command ?? "";
  if (state === "working") {
    line.textContent = fill(done < total ? words.reading : words.comparing, { d: grouped(done), n: grouped(total) });
  } else if (state === "done") {
    line.textContent = fill(words.made, { f: profile, t: text });
  } else {
    line.textContent = state === "failed" ? text : fill(words.references, { n: grouped(good) });
  }
};

let settled;
const attempt = (value) => {
  tried = value;
  changed();
  // Pictures follow when the threshold rests.
  clearTimeout(settled);
  settled = setTimeout(redraw, 250);
};

$("#slider").addEventListener("input", (event) => attempt(Number(event.target.value)));
$("#exact").addEventListener("input", (event) => {
  const value = event.target.valueAsNumber;
  if (value >= 0 && value <= 1) {
    $("#slider").value = value;
    attempt(value);
  }
});
$("#reset").addEventListener("click", () => attempt(null));

$("#make").addEventListener("click", async () => {
  try {
    run.references = await ask("references", {});
    changed();
  } catch (error) {
    say(error instanceof TypeError ? words.stopped : error.message);
  }
});

for (const button of all(".copy")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText($("code", button.parentElement).textContent);
    const before = button.textContent;
    button.textContent = words.copied;
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}
