/**
 * The command line's end of the control APIs: one call, one deadline, problems as TandemErrors.
 *
 * Invariant: it never retries: what was asked for may have happened. Only the bearer token leaves here, no database login.
 */
import type { Topology } from '../../shared/config/topology.ts';
import { withDeadline } from '../../shared/kernel/deadline.ts';
import { isErrorCode } from '../../shared/kernel/codes.ts';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Part } from './control-api.ts';

/** Longer than any transaction of the database; a retry of many letters is many of those. */
const CALL_DEADLINE_MS = 30_000;
const STATUS_DEADLINE_MS = 5_000;
const PREFIX = '/v1/cdc';

export interface ControlTarget { readonly region: string; readonly part: Part }

export class ControlClient {
  readonly #topology: Topology;
  readonly #token: string;

  constructor({ topology, token }: { readonly topology: Topology; readonly token: string }) {
    this.#topology = topology;
    this.#token = token;
  }

  get<T>(target: ControlTarget, path: string): Promise<T> {
    return this.#call<T>(target, path, { deadlineMs: STATUS_DEADLINE_MS });
  }

  post<T>(target: ControlTarget, path: string, body: unknown): Promise<T> {
    return this.#call<T>(target, path, { deadlineMs: CALL_DEADLINE_MS, body });
  }

  /** Throws upstream-unavailable where nobody answers, else what the problem says. */
  async #call<T>({ region, part }: ControlTarget, path: string, { deadlineMs, body }: { deadlineMs: number; body?: unknown }): Promise<T> {
    const url = `${this.#topology.regions[region]?.endpoints.cdc[part]}${PREFIX}${path}`;
    const who = `${part} of ${region}`;
    const headers = { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const { ok, status, text } = await withDeadline(`${who}: ${path}`, deadlineMs, async (signal) => {
      try {
        const response = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
        return { ok: response.ok, status: response.status, text: await response.text() };
      } catch (cause) {
        throw new TandemError('upstream-unavailable', `${who} does not answer at ${url}`, { cause, details: { region, part } });
      }
    });
    if (ok) return JSON.parse(text) as T;
    throw problem(who, status, text);
  }
}

function problem(who: string, status: number, text: string): TandemError {
  const { code, detail, ...details } = parsed(text);
  const known = typeof code === 'string' && isErrorCode(code) ? code : 'internal';
  return new TandemError(known, `${who}: ${typeof detail === 'string' ? detail : `answered ${status}`}`, { details });
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
