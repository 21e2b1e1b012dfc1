/** Which metrics the sources register, with their labels, and which ones PromQL asks for. */
import { filesLike, readText } from './repo-files.ts';

/** A registration: its kind, its name in the first argument, and what follows it up to the end of the call's own arguments. */
const REGISTRATION = /\b(counter|gauge|histogram|observe|createObservableGauge|createObservableCounter)(?:<[^>]*>)?\(\s*'([a-z][a-z0-9_]*)',([\s\S]{0,400}?)(?:=>|\);|\{ description)/g;

/** What every line of a process carries, and what Prometheus adds. */
const LABELS_OF_ALL = ['service', 'region', 'instance', 'job', 'process'];

/** By name as Prometheus stores it; the labels a query may name. */
export function registeredMetrics(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>([['up', new Set(LABELS_OF_ALL)], ['ALERTS', new Set(['alertname', 'alertstate', 'severity'])]]);
  for (const file of filesLike('{services,cdc,shared}/**/*.ts')) {
    const text = readText(file);
    const named = /const labels = \[([^\]]*)\]/.exec(text)?.[1] ?? '';
    for (const [, kind, name = '', rest = ''] of text.matchAll(REGISTRATION)) {
      const list = /,\s*labels,/.test(`,${rest}`) ? named : (/\[([^\]]*)\]/.exec(rest)?.[1] ?? '');
      // Metrics of the runtime name their labels where they are observed.
      const observed = kind!.startsWith('create') ? ['quantile'] : [];
      const labels = [...LABELS_OF_ALL, ...observed, ...[...list.matchAll(/'([a-z_]+)'/g)].map((match) => match[1]!)];
      const names = kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name];
      for (const each of names) found.set(each, new Set(kind === 'histogram' ? [...labels, 'le'] : labels));
    }
  }
  return found;
}

export interface Asked {
  readonly metric: string;
  /** Labels of its matchers. */
  readonly labels: readonly string[];
}

const KEYWORDS = new Set(['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'offset', 'bool']);

/** The metrics of one expression. */
export function metricsOf(expression: string): readonly Asked[] {
  const bare = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\boffset\s+\w+/g, ' ');
  return [...bare.matchAll(/(?<![\w:.$])([a-zA-Z_:][\w:]*)(\s*\()?(?:\{([^}]*)\})?/g)]
    .filter(([, name = '', call]) => call === undefined && !KEYWORDS.has(name))
    .filter(({ index }) => !isInsideBraces(bare, index))
    .map(([, metric = '', , matchers = '']) => ({ metric, labels: [...matchers.matchAll(/([a-z_]+)\s*(?:=|!)/g)].map((match) => match[1]!) }));
}

/** What `by (…)` keeps. */
export function groupedBy(expression: string): readonly string[] {
  return [...expression.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap((match) => match[1]!.split(',').map((label) => label.trim()));
}

function isInsideBraces(text: string, at: number): boolean {
  return text.lastIndexOf('{', at) > text.lastIndexOf('}', at);
}
