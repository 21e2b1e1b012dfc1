/** Figures as text. An unknown figure is a dash, never a zero. Pure. */

export function ms(value) {
  if (value === null || value === undefined) return '–';
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(1)} s`;
  return span(value);
}

export function count(value) {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en');
}

export function rate(perSecond) {
  return perSecond === null || perSecond === undefined ? '–' : `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} /s`;
}

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  return value < 1024 * 1024 ? `${Math.round(value / 1024)} KiB` : `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

/** Rounded down: 99.996 % is not 100 %. */
export function percent(share) {
  if (share === null || share === undefined) return '–';
  return share === 1 ? '100 %' : `${(Math.floor(share * 100_000) / 1000).toFixed(3)} %`;
}

export function clock(atMs) {
  return new Date(atMs).toLocaleTimeString('en-GB');
}

export function span(lengthMs) {
  const s = Math.max(0, Math.round(lengthMs / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return s < 86_400 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min` : `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
