
// The threshold that is tried, and what the labels say about it.

const counted = () => {
  const verdicts = { anomalous: 0, unsure: 0, normal: 0, unreadable: 0 };
  const labels = { good: 0, bad: 0, unsure: 0 };
  let [hits, alarms, defects] = [0, 0, 0];
  for (const image of images) {
    const verdict = verdictOf(image);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    if (image.label) labels[image.label] += 1;
    if (verdict === "unreadable" || !["good", "bad"].includes(image.label)) continue;
    defects += image.label === "bad";
    alarms += verdict === "anomalous";
    hits += verdict === "anomalous" && image.label === "bad";
  }
  return { verdicts, labels, hits, alarms, defects };
};

const share = (part, whole) =>
  whole ? fill(words.share, { p: decimals((100 * part) / whole, 1), n: grouped(part), m: grouped(whole) }) : "–";

const showThreshold = () => {
  const { verdicts, labels, hits, alarms, defects } = counted();
  $("#at").textContent = decimals(threshold(), 3);
  $("#counts").textContent = fill(run.unsure === null ? words.counts : words.counts_with_unsure, {
    a: grouped(verdicts.anomalous), u: grouped(verdicts.unsure), n: grouped(verdicts.normal),
    f: grouped(verdicts.unreadable),
  });
  $("[data-show=unsure]").hidden = run.unsure === null;
  $("#quality").textContent = fill(alarms + defects ? words.quality : words.no_quality, {
    g: grouped(labels.good), b: grouped(labels.bad), u: grouped(labels.unsure),
    p: share(hits, alarms), r: share(hits, defects),
  });
  $("#reset").hidden = tried === null;
  if (tried === null) $("#slider").value = run.threshold;
  if (document.activeElement !== $("#exact")) $("#exact").value = Number(threshold().toFixed(4));
  showCommand();
  showReferences(labels.good);
};

const showCommand = () => {
  const line = $("#recut");
  line.hidden = tried === null;
  const band = run.unsure !== null && run.unsure < threshold() ? ` --unsure ${run.unsure}` : "";
  const problem = run.recut.problem ? words.regions : run.state === "finished" ? "" : words.unfinished;
  $("code", line).textContent = problem
    ? ""
    : `${run.recut.command} --threshold ${Number(threshold().toFixed(6))}${band}${run.recut.options}`;
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
    const code = $("code", button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch { // not permitted: it is selected instead
      getSelection().selectAllChildren(code);
      return;
    }
    const before = button.textContent;
    button.textContent = words.copied;
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}
