/** Each part of the page as elements, from the report alone. Colours repeat what the words say. */
import { element, table } from './elements.js';
import { bytes, clock, count, ms, percent, rate, span } from './format.js';

const PARTS = {
  lag: { label: 'Lag, p99 of 1 min', target: '≤ 2 s', show: ms },
  success: { label: 'API success, 1 min', target: '≥ 99.95 %', show: percent },
  offsetGap: { label: 'Stream offset gap', target: '≤ 100', show: count },
  config: { label: 'Config equal on both sides', target: 'equal', show: (value) => (value === null ? '–' : value === 1 ? 'equal' : 'DIFFERENT') },
};
const FRESH_MS = 5000;

export function alertBanners({ regions, report }) {
  const banners = regions.flatMap(({ name, report: region, isStale }) => (isStale ? [] : region.alerts.map((alert) =>
    element('p', { class: `banner ${alert.severity === 'P2' ? 'warn' : 'bad'}` },
      `${alert.severity} · ${name}: ${alert.meaning}`, element('span', { class: 'note' }, `since ${clock(alert.sinceMs)}`)))));
  if (!report.isPeerReachable) {
    banners.push(element('p', { class: 'banner warn' }, `${report.peer} does not answer: its figures below are old or missing`));
  }
  return banners;
}

export function scoreCard({ name, place, report: region, ageMs, isStale, lease }, { nowMs }) {
  const head = element('div', { class: `region-head ${place}` }, element('span', { class: 'dot' }), element('h2', { class: 'region-name' }, name));
  if (region === null) return element('article', { class: 'panel' }, head, element('p', { class: 'no-data' }, 'no data yet'));
  if (!isStale) head.append(stateChip(region.state));
  head.append(element('span', { class: `chip ${lease === 'held' ? '' : 'bad'}` }, `lease ${lease}`));
  if (isStale) {
    return element('article', { class: 'panel' }, head,
      element('p', { class: 'score' }, element('b', {}, '–'), element('span', { class: 'word bad-text' }, 'unknown')),
      element('p', { class: 'no-data' }, `no data since ${clock(nowMs - ageMs)} (${span(ageMs)})`));
  }
  const { score, parts } = region.health;
  const unknown = parts.filter((part) => part.value === null).length;
  const [level, verdict] = score >= 98 ? ['good', 'healthy'] : score >= 90 ? ['good', 'good'] : score >= 60 ? ['warn', 'degraded'] : ['bad', 'failing'];
  const word = unknown === 0 ? verdict : `no data for ${unknown} of ${parts.length} parts`;
  return element('article', { class: 'panel', 'data-region': name }, head,
    element('p', { class: 'score', title: 'health score, out of 100' },
      element('b', { class: `${level}-text` }, score.toFixed(score % 1 === 0 ? 0 : 1)), element('span', { class: `word ${level}-text` }, word),
      element('span', { class: 'muted of' }, 'of 100')),
    parts.map((part) => scorePart(part, region)));
}

function scorePart(part, region) {
  const { label, target, show } = PARTS[part.name];
  const share = part.points / part.weight;
  const level = share === 1 ? '' : share >= 0.5 ? 'warn' : 'bad';
  const isIdle = part.name === 'success' && part.value !== null && region.api.oneMinute.requests === 0;
  const value = part.value === null ? element('span', { class: 'value no-data' }, 'no data')
    : element('span', { class: 'value' }, isIdle ? 'no requests' : show(part.value));
  return element('div', { class: `part ${level}`, 'data-part': part.name },
    element('span', {}, label, ' ', element('span', { class: 'note' }, target)), value,
    element('span', { class: 'points' }, `${part.points} / ${part.weight}`),
    element('progress', { max: part.weight, value: part.points, 'aria-label': `${label}: ${part.points} of ${part.weight} points` }));
}

function stateChip(state) {
  if (state === null) return element('span', { class: 'chip bad' }, 'state unknown');
  return element('span', { class: `chip ${state === 'active' ? 'good' : 'warn'}` }, state);
}

export function lagKey({ regions, nowMs }) {
  return regions.map(({ place, report: region, name }) => {
    if (region === null) return element('span', {}, element('i', { class: `dot ${place}` }), `into ${name}: `, element('b', { class: 'no-data' }, 'no data'));
    const { from, to, lastMs, lastAtMs } = region.lag;
    const isFresh = lastAtMs !== null && nowMs - lastAtMs <= FRESH_MS;
    const value = isFresh ? element('b', {}, ms(lastMs))
      : element('b', { class: 'no-data' }, lastAtMs === null ? 'not measured yet' : `no data since ${clock(lastAtMs)}`);
    return element('span', {}, element('i', { class: `dot ${place}` }), `${from} → ${to}`, value);
  }).concat(element('span', { class: 'muted' }, 'solid: median · dashed: worst of 5 s'));
}

export function lagTable({ regions }) {
  const rows = regions.map(({ name, report: region, isStale }) => {
    if (isStale) return [region === null ? `into ${name}` : `${region.lag.from} → ${name}`, ...Array.from({ length: 8 }, () => '–')];
    const { from, to, oneMinute: one, tenMinutes: ten, heartbeat } = region.lag;
    return [`${from} → ${to}`, ms(one.p50), element('b', {}, ms(one.p99)), ms(one.p999), ms(ten.p50), ms(ten.p99), ms(ten.p999), ms(ten.max),
      heartbeat === null ? '–' : `${ms(heartbeat.ageMs)} ago`];
  });
  return table(['', '1 min p50', 'p99', 'p99.9', '10 min p50', 'p99', 'p99.9', 'worst', 'last heartbeat in database'], rows);
}

export function unitsKey({ regions, report, nowMs }) {
  const { readAtMs } = report.units;
  const isStale = readAtMs === null || nowMs - readAtMs > FRESH_MS;
  return regions.map(({ name, place }) => element('span', {}, element('i', { class: `dot ${place}` }),
    element('b', {}, count(report.units.byHome[name] ?? 0)), ` ${name} (${letter(name)})`))
    .concat(isStale ? element('b', { class: 'no-data' }, readAtMs === null ? 'etcd has not answered' : `as of ${clock(readAtMs)}: etcd is silent`) : []);
}

export function unitItems({ report, regions }) {
  const placeOf = Object.fromEntries(regions.map(({ name, place }) => [name, place]));
  return report.units.homes.map(({ unit, home, epoch }) => {
    const number = String(unit).padStart(2, '0');
    return element('li', {
      class: `${placeOf[home] ?? 'unknown'} ${epoch > 1 ? 'moved' : ''}`, title: `unit ${number}: home ${home}, epoch ${epoch}`,
      'aria-label': `unit ${number}, home ${home}, epoch ${epoch}`,
    }, number, element('small', {}, epoch > 1 ? `${letter(home)} e${epoch}` : letter(home)));
  });
}

export function figuresTable({ regions }) {
  const row = (label, read) => [label, ...regions.map(({ report: region, isStale }) => (isStale ? '–' : read(region)))];
  return table(['', ...regions.map(({ name }) => name)], [
    row('API success, 1 min', ({ api }) => element('b', {}, api.oneMinute.requests === 0 && api.oneMinute.successRate !== null ? 'no requests' : percent(api.oneMinute.successRate))),
    row('API success, 10 min', ({ api }) => percent(api.tenMinutes.successRate)),
    row('Requests a second', ({ api }) => (api.oneMinute.successRate === null ? '–' : (api.oneMinute.requests / 60).toFixed(1))),
    row('Failed, 10 min', ({ api }) => count(api.tenMinutes.failed)),
    row('Carried to the peer, 10 min', ({ api }) => count(api.tenMinutes.carried)),
    row('Config', ({ config }) => config.hash?.slice(0, 8) ?? '–'),
  ]);
}

const GUARD_LEVEL = { off: 'warn', clear: 'good', warning: 'warn', throttling: 'bad', pausing: 'bad' };

/** What is known to be well is plain; what waits for somebody stands out. */
export function replicationTable({ regions }) {
  const row = (label, read) => [label, ...regions.map(({ report: region, isStale }) => (isStale ? '–' : read(region.replication)))];
  return table(['', ...regions.map(({ name }) => name)], [
    row('RPO exposure', ({ guard }) => (guard === null ? '–' : element('b', {}, guard.exposureMs === null ? 'unknown' : ms(guard.exposureMs)))),
    row('RPO guard', ({ guard }) => (guard === null ? '–' : element('span', { class: `chip ${GUARD_LEVEL[guard.state]}` }, guard.state))),
    row('Rows captured', ({ rowsCaptured, rowsCapturedPerSecond }) => pair(count(rowsCaptured), rate(rowsCapturedPerSecond))),
    row('Rows applied', ({ rowsApplied, rowsAppliedPerSecond }) => pair(count(rowsApplied), rate(rowsAppliedPerSecond))),
    row('Queue of capture', ({ queue }) => (queue === null ? '–' : pair(bytes(queue.bytes), `of ${bytes(queue.limitBytes)}`))),
    row('Stream offset gap', ({ offsetGap }) => count(offsetGap)),
    row('Could not be written', ({ deadLetters }) => waiting(count(deadLetters?.poison), (deadLetters?.poison ?? 0) > 0)),
    row('Held behind those', ({ deadLetters }) => waiting(count(deadLetters?.held), (deadLetters?.held ?? 0) > 0)),
    row('Units parked', ({ parkedUnits }) => (parkedUnits === null ? '–' : waiting(parkedUnits.length === 0 ? '0' : parkedUnits.map(unitName).join(' '), parkedUnits.length > 0))),
    row('Waits for schema', ({ schemaWaits }) => (schemaWaits === null ? '–' : schemaWaits.length === 0 ? 'none' : schemaWaits.map((name) => element('b', { class: 'bad-text line' }, name)))),
    row('Snapshot', ({ snapshot, deadLetters }) => (snapshot === null ? (deadLetters === null ? '–' : 'none') : pair(`${snapshot.state}${snapshot.state === 'running' ? ` ${snapshot.table ?? ''}` : ''}`, `${count(snapshot.rowsDone)} rows`))),
    row('Conflicts kept', ({ conflicts }) => element('b', {}, conflicts === null ? '–' : count(conflicts.total))),
    ...conflictKinds(regions).map((kind) => row(`· ${kind}`, ({ conflicts }) => count(conflicts?.byKind[kind] ?? 0))),
  ]);
}

function waiting(text, isWaiting) {
  return isWaiting ? element('b', { class: 'bad-text' }, text) : text;
}

/** A figure, and a lesser one below it. */
function pair(figure, note) {
  return [figure, element('small', { class: 'line note' }, note)];
}

function unitName(unit) {
  return String(unit).padStart(2, '0');
}

function conflictKinds(regions) {
  return [...new Set(regions.flatMap(({ report: region }) => Object.keys(region?.replication.conflicts?.byKind ?? {})))].toSorted();
}

export function targetLists({ regions, nowMs }) {
  return regions.map(({ report: region, isStale }) => element('ul', {}, (region?.targets ?? []).map((target) => {
    const isKnown = !isStale && target.sinceMs !== null;
    const chip = !isKnown ? element('span', { class: 'chip' }, '?')
      : element('span', { class: `chip ${target.isUp ? 'good' : 'bad'}` }, target.isUp ? 'up' : 'down');
    const why = !isKnown ? 'no data' : target.isUp ? `for ${span(nowMs - target.sinceMs)}` : `${target.error} · ${target.lastSeenMs === null ? 'never seen' : `last seen ${clock(target.lastSeenMs)}`}`;
    return element('li', { 'data-target': target.name }, element('span', {}, chip), element('span', {}, target.name), element('span', { class: 'why' }, why));
  })));
}

export function targetsNote({ regions }) {
  const known = regions.filter(({ isStale }) => !isStale).flatMap(({ report: region }) => region.targets);
  return `${known.filter((target) => target.isUp).length} of ${known.length} up`;
}

function letter(name) {
  return name.slice(0, 1).toUpperCase();
}
