/**
 * The SLA page: asks for the figures each second and shows them.
 *
 * Invariant: what is shown is never older than it looks. When figures stop coming the page says since when and turns grey;
 * a region or a figure that has gone silent says so in its own place.
 */
import { element, fill } from './elements.js';
import { clock, span } from './format.js';
import { drawLag, resizeLag } from './lag-chart.js';
import { alertBanners, figuresTable, lagKey, lagTable, replicationTable, scoreCard, targetLists, targetsNote, unitItems, unitsKey } from './views.js';

const POLL_MS = 1000;
const POLL_DEADLINE_MS = 2500;
/** Five missed rounds. */
const STALE_MS = 5000;

let last = null;

async function poll() {
  try {
    const answer = await fetch('/api/sla', { signal: AbortSignal.timeout(POLL_DEADLINE_MS), cache: 'no-store' });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    last = { report: await answer.json(), seenMs: Date.now() };
    show(last.report);
  } catch {
    // The freshness line tells it, with the time since when.
  }
  showFreshness();
  setTimeout(poll, POLL_MS);
}

function show(report) {
  const names = Object.keys(report.regions);
  const nowMs = Date.parse(report.at);
  const regions = names.map((name, i) => ({
    name, place: i === 0 ? 'first' : 'second', report: report.regions[name],
    ageMs: report.regions[name] === null ? null : nowMs - report.regions[name].atMs, lease: report.leases[name],
  }));
  for (const region of regions) region.isStale = region.ageMs === null || region.ageMs > STALE_MS;
  const context = { report, regions, nowMs };
  document.title = `${regions.map(({ name, report: r, isStale }) => `${name} ${isStale ? '?' : r.health.score}`).join(' · ')} · Tandem SLA`;
  fill('self', report.region);
  fill('alerts', alertBanners(context));
  fill('scores', regions.map((region) => scoreCard(region, context)));
  fill('lag-key', lagKey(context));
  fill('lag-table', lagTable(context));
  fill('units-key', unitsKey(context));
  fill('units', unitItems(context));
  fill('replication', replicationTable(context));
  fill('figures', figuresTable(context));
  fill('targets', targetLists(context));
  fill('targets-note', targetsNote(context));
  const directions = regions.map((region) => ({ series: region.report?.lag.series ?? [] }));
  const container = document.getElementById('lag-chart');
  drawLag(container, directions, nowMs);
  document.getElementById('main').setAttribute('aria-busy', 'false');
}

function showFreshness() {
  const line = document.getElementById('freshness');
  const ageMs = last === null ? null : Date.now() - last.seenMs;
  const isStale = last !== null && ageMs > STALE_MS;
  document.body.classList.toggle('stale', isStale);
  line.classList.toggle('stale', isStale);
  if (last === null) line.textContent = 'no figures yet';
  else if (isStale) line.replaceChildren(`no data since ${clock(last.seenMs)} (${span(ageMs)})`);
  else line.replaceChildren('live · ', element('time', { datetime: last.report.at }, clock(last.seenMs)));
}

setInterval(showFreshness, POLL_MS);
addEventListener('resize', () => resizeLag(document.getElementById('lag-chart')));
poll();
