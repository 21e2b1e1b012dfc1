/** `tandem cdc status`: one screen, or one again and again. */
import { sleep } from '../../../shared/kernel/deadline.ts';
import { ControlClient } from '../control-client.ts';
import { problemsOf } from '../status/problems.ts';
import { look, readOverview } from '../status/read-overview.ts';
import type { Overview } from '../status/read-overview.ts';
import { renderStatus } from '../status/render-status.ts';
import type { Answer, JsonFlag, OperateDeps } from './answer.ts';

export interface StatusFlags extends JsonFlag { readonly watch?: true }

const RATE_SPAN_MS = 1_000;
const WATCH_EVERY_MS = 1_000;
const EXIT_WRONG = 1;
/** Home, and clear to the end: no flicker, and the scroll-back stays. */
const REDRAW = '\u001b[H\u001b[J';

export async function showStatus(deps: OperateDeps): Promise<Answer> {
  const topology = deps.readTopology();
  const { token } = await deps.operator();
  return answerOf(await readOverview(new ControlClient({ topology, token }), topology, RATE_SPAN_MS), deps);
}

/** Writes a screen, or with --json a line, every second until the interrupt; the last one is the answer. */
export async function watchStatus({ json }: StatusFlags, deps: OperateDeps): Promise<Answer> {
  const interrupt = new AbortController();
  const onSigint = (): void => interrupt.abort();
  process.once('SIGINT', onSigint);
  const topology = deps.readTopology();
  const { token } = await deps.operator();
  const client = new ControlClient({ topology, token });
  try {
    let seen = await readOverview(client, topology, RATE_SPAN_MS);
    while (!interrupt.signal.aborted) {
      const { text, json: object } = answerOf(seen, deps);
      process.stdout.write(json === true ? `${JSON.stringify(object)}\n` : process.stdout.isTTY ? `${REDRAW}${text}` : `${text}\n`);
      await sleep(WATCH_EVERY_MS, interrupt.signal).catch(() => {});
      if (!interrupt.signal.aborted) seen = await look(client, topology, seen);
    }
    return answerOf(seen, deps);
  } finally {
    process.off('SIGINT', onSigint);
  }
}

function answerOf(overview: Overview, deps: Pick<OperateDeps, 'paint'>): Answer {
  const problems = problemsOf(overview);
  const regions = overview.regions.map(({ region, capture, apply }) => [region, {
    capture: capture.kind === 'seen' ? { ...capture.status, rates: capture.rates } : { part: 'capture', region, state: 'silent', trouble: capture.why },
    apply: apply.kind === 'seen' ? { ...apply.status, rates: apply.rates } : { part: 'apply', region, state: 'silent', trouble: apply.why },
  }] as const);
  return {
    text: renderStatus(overview, deps.paint),
    json: { at: new Date(overview.atMs).toISOString(), regions: Object.fromEntries(regions), problems },
    exitCode: problems.length === 0 ? 0 : EXIT_WRONG,
  };
}
