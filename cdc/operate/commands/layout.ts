/** Texts that fit a terminal of 80 columns. Pure. */

export const LINE_WIDTH = 80;

/** Cut with an ellipsis where it is too long, padded where it is too short. */
export function cell(text: string, width: number): string {
  return fit(text, width).padEnd(width);
}

export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Words in lines of at most `width`; a word that is longer stands alone, cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(fit(word, width));
  }
  return lines;
}

/** The first line after `first`, the others under it. */
export function hanging(first: string, text: string): string[] {
  const indent = ' '.repeat(first.length);
  return wrap(text, LINE_WIDTH - first.length).map((line, i) => `${i === 0 ? first : indent}${line}`);
}

export function count(n: number): string {
  return n.toLocaleString('en');
}

/** "3 rows", "1 row". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** 2026-11-21 08:02:11.123, UTC. */
export function utc(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

/** "3 s", "5 min", "2 h", "4 d". */
export function since(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000));
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

/** "0 B", "12 KiB", "3.4 MiB". */
export function bytes(n: number): string {
  if (n < 1_024) return `${Math.round(n)} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [n / 1_024, 0];
  while (value >= 1_024 && unit < units.length - 1) [value, unit] = [value / 1_024, unit + 1];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
