/**
 * The frames of a driver's stream: JSON texts, one object each.
 * Invariant: whatever arrives, parsing answers with a value; what goes down carries `type`, and events of dispatch their
 * `offset`, the text a client sends back as `?after=` to resume. Types it does not know are passed on unread.
 */
import type { Ping } from '../domain/ping-gate.ts';

/** Longer frames are refused by the WebSocket layer before they are read. */
export const FRAME_BYTES_MAX = 4_096;

export type UpFrame = ({ readonly kind: 'ping' } & { readonly ping: Ping }) | { readonly kind: 'malformed'; readonly detail: string };

export function parseUpFrame(text: string): UpFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return { kind: 'malformed', detail: 'a frame must be JSON' };
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return { kind: 'malformed', detail: 'a frame must be a JSON object' };
  const { type, lat, lon, at } = frame as { type?: unknown; lat?: unknown; lon?: unknown; at?: unknown };
  if (type !== 'ping') return { kind: 'malformed', detail: 'type must be "ping"' };
  return { kind: 'ping', ping: at === undefined ? { lat, lon } : { lat, lon, at } };
}

/** One event of dispatch's stream for a driver, as dispatch.proto has it. */
export type DriverEvent = { readonly seq: string; readonly type: string; readonly dataJson: string };

export function helloFrame(offset: string): string {
  return JSON.stringify({ type: 'hello', offset });
}

export function errorFrame(code: string, detail: string): string {
  return JSON.stringify({ type: 'error', code, detail });
}

/** `{type, offset, …data}`. The data is an object already in JSON: it is not parsed again, only put behind the head. */
export function eventFrame(event: DriverEvent): string {
  const head = `{"type":${JSON.stringify(event.type)},"offset":"${event.seq}"`;
  const body = event.dataJson.trim();
  return body.startsWith('{') && body !== '{}' ? `${head},${body.slice(1)}` : `${head}}`;
}
