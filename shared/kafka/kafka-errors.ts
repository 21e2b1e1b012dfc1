/** Turns what kafkajs throws into TandemErrors with its error as cause. */
import { TandemError, isTandemError } from '../kernel/tandem-error.ts';

/** No broker was to be had, or it did not answer: another attempt may succeed. The rest is told by `retriable`. */
const UNAVAILABLE = new Set([
  'KafkaJSBrokerNotFound', 'KafkaJSConnectionClosedError', 'KafkaJSConnectionError', 'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError', 'KafkaJSRequestTimeoutError',
]);

/** A plain Error of kafkajs, of no name and no type, where a request meets a connection that was lost just before. */
const NOT_CONNECTED = 'Broker not connected';

interface KafkaJsError extends Error {
  readonly retriable?: boolean;
  readonly type?: string;
}

/** `what` names the call in the message. A TandemError passes unchanged. */
export function translateKafkaError(e: unknown, what: string): TandemError {
  if (isTandemError(e)) return e;
  const root = rootOf(e);
  const isUnavailable = UNAVAILABLE.has(root.name) || root.retriable === true || root.message === NOT_CONNECTED;
  const details = { what, ...(root.type === undefined ? {} : { type: root.type }) };
  return new TandemError(isUnavailable ? 'kafka-unavailable' : 'kafka-failed', `kafka ${what}: ${root.message}`, { cause: e, details });
}

export function isKafkaJsError(e: unknown): boolean {
  return e instanceof Error && e.name.startsWith('KafkaJS');
}

/** kafkajs wraps the error that made it give up in KafkaJSNumberOfRetriesExceeded, even where it was not retriable. */
function rootOf(e: unknown): KafkaJsError {
  let root = e instanceof Error ? e : new Error(String(e));
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
