/**
 * Looks at every target once: its /metrics, and apply's lag samples.
 *
 * Invariant: a target that is slow, down or talks nonsense costs at most SCRAPE_DEADLINE_MS and never spoils another's look.
 */
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { withDeadline } from '../../../shared/kernel/deadline.ts';
import { parsePrometheus } from '../domain/prometheus-text.ts';
import type { MetricSample } from '../domain/prometheus-text.ts';

export const SCRAPE_DEADLINE_MS = 800;
/** More than any process of Tandem shows; what is longer is not read to its end. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

export type ScrapeResult = { readonly samples: readonly MetricSample[] } | { readonly error: string };

export async function scrapeAll(targets: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, ScrapeResult>> {
  const looks = [...targets].map(async ([name, url]): Promise<[string, ScrapeResult]> => {
    try {
      const { samples } = parsePrometheus(await fetchText(`${url}/metrics`));
      return [name, { samples }];
    } catch (e) {
      return [name, { error: reasonOf(e) }];
    }
  });
  return new Map(await Promise.all(looks));
}

/** The samples that an apply measured after `sinceMs`; none where it cannot be asked. */
export async function fetchLag(applyUrl: string, sinceMs: number): Promise<readonly { atMs: number; lagMs: number }[]> {
  try {
    const { samples } = JSON.parse(await fetchText(`${applyUrl}/lag?sinceMs=${sinceMs}`)) as { samples?: unknown };
    return Array.isArray(samples) ? samples.filter(isLagSample) : [];
  } catch {
    // The scrape of the same process tells that it is down; a missing sample is a gap in the chart.
    return [];
  }
}

/** Throws where the answer is not 200, too late or too long. */
export async function fetchText(url: string, deadlineMs = SCRAPE_DEADLINE_MS): Promise<string> {
  return withDeadline(url, deadlineMs, async (signal) => {
    const answer = await fetch(url, { signal });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) throw new Error(`more than ${BODY_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  });
}

/** A few words for a table cell: "connection refused", "no answer in 800 ms". */
function reasonOf(e: unknown): string {
  if (isTandemError(e, 'deadline-exceeded')) return `no answer in ${SCRAPE_DEADLINE_MS} ms`;
  const cause = e instanceof Error ? e.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (typeof code === 'string') return code;
  return e instanceof Error ? e.message : String(e);
}

function isLagSample(sample: unknown): sample is { atMs: number; lagMs: number } {
  const { atMs, lagMs } = (sample ?? {}) as Record<string, unknown>;
  return typeof atMs === 'number' && typeof lagMs === 'number' && Number.isFinite(atMs) && Number.isFinite(lagMs);
}
