/**
 * Reads the Prometheus text format (0.0.4): samples with their labels; comments, types and timestamps are skipped.
 *
 * Invariant: a line that is not a sample is left out and counted, never guessed at: one bad line of one process must not
 * blind the collector to the rest.
 */

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedMetrics {
  readonly samples: readonly MetricSample[];
  readonly badLines: number;
}

/** More lines than any process of Tandem has; what exceeds it is dropped and counted as bad. */
export const LINES_MAX = 20_000;

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*,?\s*/gy;

export function parsePrometheus(text: string): ParsedMetrics {
  const samples: MetricSample[] = [];
  let badLines = 0;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const sample = i < LINES_MAX ? parseLine(line) : null;
    if (sample === null) badLines += 1;
    else samples.push(sample);
  }
  return { samples, badLines };
}

/** The sum of a metric over all label sets that match; null where there is none. */
export function sumOf(samples: readonly MetricSample[], name: string, matches: Readonly<Record<string, string>> = {}): number | null {
  let sum: number | null = null;
  for (const sample of samples) {
    if (sample.name !== name) continue;
    if (Object.entries(matches).every(([label, value]) => sample.labels[label] === value)) sum = (sum ?? 0) + sample.value;
  }
  return sum;
}

function parseLine(line: string): MetricSample | null {
  const match = SAMPLE.exec(line);
  if (match === null) return null;
  const [, name = '', labelText, valueText = ''] = match;
  const labels = parseLabels(labelText ?? '');
  const value = parseValue(valueText);
  return labels === null || value === null ? null : { name, labels, value };
}

function parseLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let read = 0;
  for (let match = LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    labels[match[1] as string] = (match[2] as string).replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
    read = LABEL.lastIndex;
  }
  return read === text.length ? labels : null;
}

function parseValue(text: string): number | null {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  if (text === 'NaN') return Number.NaN;
  return /^[-+]?(\d|\.\d)/.test(text) && Number.isFinite(Number(text)) ? Number(text) : null;
}
