// Refreshes the tables every two seconds and tells how many results came a second.
const place = document.getElementById("queues");
const rate = document.getElementById("rate");
const results = () => [...place.querySelectorAll("[data-number=results]")].reduce((sum, cell) => sum + Number(cell.textContent), 0);
let before = { results: results(), at: performance.now() };

async function refresh() {
  const answer = await fetch("/queue?fragment=true");
  if (!answer.ok) return;
  const shown = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  place.replaceChildren(...shown.childNodes);
  const now = { results: results(), at: performance.now() };
  rate.textContent = `${((now.results - before.results) / (now.at - before.at) * 1000).toFixed(1)} / s`;
  before = now;
}
setInterval(() => refresh().catch(() => { rate.textContent = "-"; }), 2000);
