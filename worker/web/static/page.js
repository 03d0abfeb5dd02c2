// Sends images one after another, three at a time, and shows each answer in a row of its own.
const form = document.getElementById("drop");
const results = document.getElementById("results");
const status = document.getElementById("status");
const words = document.getElementById("words").dataset;
const waiting = [];
let running = 0;
let answered = 0;
let total = 0;

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  if (text) made.textContent = text;
  return made;
}

function hide(event) {
  event.target.hidden = true;
}

function add(image) {
  const row = element("li");
  const head = element("div", "", { className: "row" });
  if (image.file) head.append(element("img", "", { src: URL.createObjectURL(image.file), alt: "", onerror: hide }));
  const texts = element("div");
  const state = element("p", words.sending);
  texts.append(element("h2", image.name), state);
  head.append(texts);
  row.append(head);
  results.append(row);
  results.hidden = false;
  total += 1;
  waiting.push({ ...image, row, state });
  next();
}

function next() {
  while (running < 3 && waiting.length) {
    running += 1;
    const image = waiting.shift();
    judge(image).catch((error) => { image.state.textContent = `${words.failed}: ${error.message}`; }).finally(() => {
      running -= 1;
      answered += 1;
      status.textContent = `${answered} / ${total} ${words.done}`;
      next();
    });
  }
}

async function read(answer) {
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail || answer.statusText);
  return content;
}

// What the browser says of a lost connection is in its own language and means little to people.
async function ask(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new Error(words.unreachable);
  }
}

async function sent(image) {
  for (;;) {
    const body = image.file ? new FormData() : JSON.stringify({ image_url: image.url });
    if (image.file) body.append("file", image.file, image.name);
    const headers = image.file ? {} : { "Content-Type": "application/json" };
    const answer = await ask("/v1/verdicts?wait=20&maps=true", { method: "POST", body, headers });
    if (![429, 503].includes(answer.status)) return read(answer);
    const pause = Number(answer.headers.get("Retry-After")) || 5;
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
  }
}

async function judge(image) {
  let job = await sent(image);
  image.state.textContent = words.waiting;
  while (job.status === "waiting") job = await read(await ask(`/v1/verdicts/${job.job_id}?wait=20`));
  const fragment = await (await ask(`/verdicts/${job.job_id}?fragment=true`)).text();
  const shown = new DOMParser().parseFromString(fragment, "text/html").body;
  const answer = shown.querySelector(".answer");
  image.state.replaceWith(answer);
  if (job.status !== "done") {
    image.row.append(...shown.childNodes, actions(job));
    return;
  }
  const details = element("details", "", { open: total === 1 });
  details.append(element("summary", words.details), ...shown.childNodes);
  image.row.append(details, actions(job));
}

function actions(job) {
  const line = element("p", "", { className: "actions" });
  if (job.status === "done") {
    line.append(element("a", words.report, { href: `/verdicts/${job.job_id}/report`, download: "" }));
  }
  const copy = element("button", words.copy, { type: "button" });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(JSON.stringify(job.result, null, 2));
    copy.textContent = words.copied;
  });
  line.append(copy);
  return line;
}

function addAll(files) {
  for (const file of files) add({ file, name: file.name || "image" });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const files = document.getElementById("file");
  const url = document.getElementById("url");
  addAll(files.files);
  if (url.value) add({ url: url.value, name: url.value });
  form.reset();
});
for (const name of ["dragover", "dragenter"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
}
document.addEventListener("dragleave", () => form.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  addAll(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) addAll(event.clipboardData.files);
});
