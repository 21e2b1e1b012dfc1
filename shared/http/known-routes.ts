/**
 * Tells a wrong path (404) from a wrong method on a right path (405 with Allow).
 *
 * Invariant: it only decides between two refusals, after the router found nothing; it never routes.
 */
import { TandemError } from '../kernel/tandem-error.ts';

export class KnownRoutes {
  readonly #methodsByPattern = new Map<string, Set<string>>();

  add(pattern: string, methods: string | readonly string[]): void {
    const known = this.#methodsByPattern.get(pattern) ?? new Set();
    for (const method of [methods].flat()) known.add(method);
    this.#methodsByPattern.set(pattern, known);
  }

  /** The refusal of a request that no route took: not-found, or method-not-allowed with details.allow. */
  refusal(method: string, path: string): TandemError {
    const allowed = new Set<string>();
    for (const [pattern, methods] of this.#methodsByPattern) {
      if (matchesPattern(pattern, path)) for (const name of methods) allowed.add(name);
    }
    if (allowed.size === 0 || allowed.has(method)) return new TandemError('not-found', `There is nothing at ${path}.`);
    const allow = [...allowed].toSorted().join(', ');
    return new TandemError('method-not-allowed', `${method} is not for ${path}; use ${allow}.`, { details: { allow } });
  }
}

/** `:name` stands for one segment, a final `*` for any rest. */
export function matchesPattern(pattern: string, path: string): boolean {
  const want = pattern.split('/');
  const have = path.split('/');
  for (const [index, step] of want.entries()) {
    if (step === '*' && index === want.length - 1) return true;
    const actual = have[index];
    if (actual === undefined || (step.startsWith(':') ? actual === '' : step !== actual)) return false;
  }
  return want.length === have.length;
}
