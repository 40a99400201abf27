"use strict";

// What the page knows, and its questions to the server.

const $ = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const words = JSON.parse($("#words").dataset.words);

const run = { epoch: 0, revision: 0, threshold: 0.5, unsure: null, state: "", maps: false, overlays: false };
const TOLD = [
  "epoch", "revision", "threshold", "unsure", "state", "maps", "overlays", "recut", "applying", "references",
];
let images = [];
let byNumber = new Map();
// The threshold that is tried; null for that of the run.
let tried = null;

const fill = (text, values) => text.replace(/{(\w)}/g, (_, name) => values[name]);
const decimals = (value, digits) => value.toFixed(digits).replace(".", words.decimal);
const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, words.thousands);

const threshold = () => tried ?? run.threshold;

// The only place that decides about an image.
const verdictOf = (image) => {
  if (image.score === null) return "unreadable";
  if (tried === null) return image.verdict;
  if (image.score >= tried) return "anomalous";
  return run.unsure !== null && image.score >= run.unsure ? "unsure" : "normal";
};

const folderOf = (path) => path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"), 0));

// The folder that all images are in, which no line repeats.
let common = "";
const shownPath = (path) => (common ? path.slice(common.length).replace(/^[/\\]/, "") : path);

const commonOf = (folders) => {
  let found = folders[0] ?? "";
  for (const folder of folders) {
    while (found && folder !== found && !folder.startsWith(`${found}/`) && !folder.startsWith(`${found}\\`)) {
      found = folderOf(found);
    }
  }
  return found;
};

// Only what is drawn from a kept map depends on the threshold that is tried.
const picture = (image, kind, size) => {
  const drawn = kind !== "original" && run.maps ? threshold() : run.threshold;
  return `picture/${image.number}/${kind}/${size}?threshold=${drawn}&epoch=${run.epoch}`;
};

const say = (text) => {
  const message = $("#message");
  message.textContent = text;
  message.hidden = !text;
};

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

const ask = async (path, body) => {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  // The server may end a connection just when it is used again.
  const again = async () => {
    await pause(300);
    return fetch(path, options);
  };
  const answer = await fetch(path, { ...options, priority: "high" }).catch(again);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail);
  return content;
};

// Takes what the server tells; true if there is anything new.
const take = (told) => {
  const before = JSON.stringify(run);
  if (told.epoch !== run.epoch || told.after === 0) {
    images = [];
    byNumber = new Map();
  }
  const fresh = told.images.length > 0 || told.labels.length > 0;
  for (const values of told.images) {
    const image = Object.fromEntries(told.fields.map((name, index) => [name, values[index]]));
    image.order = images.length;
    images.push(image);
    byNumber.set(image.number, image);
  }
  for (const [number, label] of told.labels) {
    const image = byNumber.get(number);
    if (image && !image.waiting) image.label = label;
  }
  // What was tried has become the threshold of the run.
  if (tried !== null && told.threshold !== run.threshold && Number(tried.toFixed(6)) === told.threshold) tried = null;
  for (const name of TOLD) run[name] = told[name];
  return fresh || before !== JSON.stringify(run);
};

// Labels: shown at once, sent in order, taken back if they cannot be kept.

const undoable = JSON.parse(sessionStorage.getItem(location.pathname) ?? "[]");
let sent = Promise.resolve();

const remember = () => {
  try {
    sessionStorage.setItem(location.pathname, JSON.stringify(undoable.slice(-1000)));
  } catch {
    // Without storage, undoing ends with the page.
  }
};

const send = (image, label, was, undoing) => {
  const before = image.label;
  image.waiting = (image.waiting ?? 0) + 1;
  image.label = label;
  sent = sent.then(async () => {
    try {
      await ask("label", undoing ? { image: image.number, label, was } : { image: image.number, label });
      say("");
    } catch (error) {
      image.label = before;
      say(error instanceof TypeError ? words.stopped : error.message);
    }
    image.waiting -= 1;
    changed();
  });
  return sent;
};

const give = (image, label) => {
  if (image.label === label) return;
  undoable.push([image.number, label, image.label]);
  remember();
  send(image, label, image.label, false);
};

// The image whose latest label was taken back; undefined for none.
const undo = () => {
  let image;
  while (undoable.length && !image) {
    const [number, given, was] = undoable.pop();
    image = byNumber.get(number);
    if (image) send(image, was, given, true);
  }
  remember();
  return image;
};
