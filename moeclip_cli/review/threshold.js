
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
  showApplied();
  showReferences(labels.good);
};

// What the command takes, and the button sends.
const chosen = () => {
  const value = Number(threshold().toFixed(6));
  return { threshold: value, unsure: run.unsure !== null && run.unsure < value ? run.unsure : null };
};

const showCommand = () => {
  const line = $("#recut");
  line.hidden = tried === null;
  const { threshold: value, unsure } = chosen();
  const band = unsure === null ? "" : ` --unsure ${unsure}`;
  const problem = run.recut.problem ? words.regions : run.state === "finished" ? "" : words.unfinished;
  $("#why").textContent = problem || (run.maps ? "" : words.lossy);
  $("#apply").disabled = Boolean($("#why").textContent) || run.applying.state === "working";
  $("#why + span").hidden = Boolean(problem);
  $("code", line).textContent = problem
    ? ""
    : `${run.recut.command} --threshold ${value}${band}${run.recut.options}`;
};

const showApplied = () => {
  const { state, threshold: value, done, total, changed: others, text, before } = run.applying;
  const line = $("#applied");
  const t = decimals(value, 3);
  // Another command may have set another threshold since.
  line.hidden = state === "idle" || (state === "done" && value !== run.threshold);
  line.classList.toggle("failed", state === "failed");
  if (state === "working") {
    $("span", line).textContent = fill(words.applying, { t, d: grouped(done), n: grouped(total) });
  } else if (state === "failed") {
    $("span", line).textContent = fill(words.not_applied, { t: text });
  } else {
    $("span", line).textContent = fill(words.applied, { t, n: grouped(others) });
  }
  $("#back").hidden = state === "working" || before === null;
  if (before) $("#back").textContent = fill(words.back_to, { t: decimals(before.threshold, 3) });
};

const percent = (part) => String(Number((100 * part).toPrecision(3))).replace(".", words.decimal);

const showReferences = (good) => {
  const { state, done, total, profile, text, command, made } = run.references;
  const [line, use] = all("#references > span");
  $("#make").disabled = state === "working" || good < 2;
  use.hidden = state !== "done";
  $("code", use).textContent = command ?? "";
  if (state === "working") {
    line.textContent = fill(done < total ? words.reading : words.comparing, { d: grouped(done), n: grouped(total) });
  } else if (state === "done") {
    line.textContent = fill(made.left_out ? words.made_left_out : words.made_split, {
      f: profile, t: decimals(made.threshold, 4), r: percent(made.rate), n: grouped(made.images),
      w: percent(Math.min(1, 2 * made.rate)),
    });
  } else {
    line.textContent = state === "failed"
      ? fill(words.not_made, { t: text })
      : fill(words.references, { n: grouped(good) });
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

// Begins what goes on in the background; its state is told every second.
const begin = async (name, path, body) => {
  try {
    run[name] = await ask(path, body);
    say("");
    changed();
  } catch (error) {
    say(error instanceof TypeError ? words.stopped : error.message);
  }
};

$("#make").addEventListener("click", () => begin("references", "references", {}));
$("#apply").addEventListener("click", () => begin("applying", "apply", chosen()));
$("#back").addEventListener("click", () => begin("applying", "apply", run.applying.before));

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
