/**
 * The chart of the lag: both directions on one logarithmic scale, median as a line and the worst of each bucket above it.
 * A time without measurements is a gap. The lines of the promise (100 ms) and of the page (5 s) are drawn where they fall; their
 * names stand in a margin of their own at the right, where no line runs.
 */
/* global uPlot */

const FLOOR_MS = 1;
const MARKS = [{ atMs: 100, words: ['promise', '100 ms'] }, { atMs: 5000, words: ['page', '5 s'] }];
/** For the names of the marks, in CSS pixels; the top leaves room for half a label. */
const MARGIN = { top: 10, right: 66 };
const LINE_HEIGHT = 14;
const POWERS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
const SPAN_S = 600;
const HOLE_S = 12;

let chart = null;

export function drawLag(container, directions, nowMs) {
  const data = align(directions);
  const colours = getComputedStyle(document.documentElement);
  const theme = colours.getPropertyValue('--first') + colours.getPropertyValue('--text');
  if (chart !== null && chart.theme !== theme) {
    chart.plot.destroy();
    chart = null;
  }
  chart ??= { theme, plot: new uPlot(optionsFor(container, colours), data, container) };
  chart.nowS = nowMs / 1000;
  chart.plot.setData(data);
  const worst = Math.max(150, ...directions.flatMap(({ series }) => series.map((bucket) => bucket.max)));
  chart.plot.setScale('x', { min: chart.nowS - SPAN_S, max: chart.nowS });
  chart.plot.setScale('y', { min: FLOOR_MS, max: worst * 1.5 });
}

export function resizeLag(container) {
  chart?.plot.setSize(sizeOf(container));
}

/** One row of times for all series; null where a series has no bucket and across silences. */
function align(directions) {
  const times = new Set(directions.flatMap(({ series }) => series.map((bucket) => bucket.atMs / 1000)));
  const sorted = [...times].toSorted((a, b) => a - b);
  // A silence has no bucket at all: a time with nothing at it breaks the line.
  const holes = sorted.flatMap((at, i) => (i > 0 && at - sorted[i - 1] > HOLE_S ? [sorted[i - 1] + 1] : []));
  const x = [...sorted, ...holes].toSorted((a, b) => a - b);
  const lines = directions.flatMap(({ series }) => {
    const at = new Map(series.map((bucket) => [bucket.atMs / 1000, bucket]));
    const of = (figure) => x.map((time) => (at.has(time) ? Math.max(FLOOR_MS, at.get(time)[figure]) : null));
    return [of('p50'), of('max')];
  });
  return [x, ...lines];
}

function optionsFor(container, colours) {
  const colour = (name) => colours.getPropertyValue(`--${name}`).trim();
  const line = (name) => [
    { stroke: colour(name), width: 2.25, points: { show: false }, spanGaps: false },
    { stroke: colour(name), width: 1.5, dash: [4, 3], points: { show: false }, spanGaps: false },
  ];
  const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
  return {
    ...sizeOf(container),
    padding: [MARGIN.top, MARGIN.right, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: true, auto: false }, y: { distr: 3, log: 10, auto: false } },
    axes: [
      { ...axis, incrs: [60, 120, 300], space: 70, values: (_plot, times) => times.map((at) => new Date(at * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })) },
      {
        // Whole powers of ten only: the lines between them are noise at three in the morning.
        ...axis, size: 58, splits: (_plot, _axis, min, max) => POWERS.filter((value) => value >= min && value <= max),
        filter: (_plot, splits) => splits,
        values: (_plot, values) => values.map((value) => (value === null ? '' : value < 1000 ? `${value} ms` : `${value / 1000} s`)),
      },
    ],
    series: [{}, ...line('first'), ...line('second')],
    hooks: { draw: [(plot) => drawMarks(plot, colour)] },
  };
}

function drawMarks(plot, colour) {
  const { ctx, bbox } = plot;
  for (const { atMs, words } of MARKS) {
    if (atMs > plot.scales.y.max) continue;
    const y = Math.round(plot.valToPos(atMs, 'y', true));
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour(atMs > 1000 ? 'bad' : 'muted');
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    words.forEach((word, i) => ctx.fillText(word, bbox.left + bbox.width + 8 * devicePixelRatio, y + (i - 0.5) * LINE_HEIGHT * devicePixelRatio));
    ctx.restore();
  }
}

function sizeOf(container) {
  return { width: container.clientWidth, height: container.clientHeight };
}
