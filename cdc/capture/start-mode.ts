/**
 * Where capture begins when the topic does not say: the text of TANDEM_CAPTURE_START and of `tandem cdc reset --to`.
 *
 * Invariant: a topic that holds a position outranks the start mode; only a reset outranks the topic.
 */
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import { parsePosition } from '../change/position.ts';

export type StartMode =
  /** The oldest binlog, where it reaches back to the beginning of the data; else it is refused. */
  | { readonly kind: 'resume' }
  /** The end of the binlog: what was written before is the peer's already, by other means. */
  | { readonly kind: 'now' }
  /** The end of the binlog, and every row that stands there by a snapshot. */
  | { readonly kind: 'snapshot' }
  /** After this GTID position, for example that of the backup which the peer was made from. */
  | { readonly kind: 'gtid'; readonly position: string };

/** What a reset may go to: 'earliest' sends the whole binlog again. */
export type ResetTarget = Exclude<StartMode, { kind: 'resume' }> | { readonly kind: 'earliest' };

export const START_MODES_EXPECTED = 'resume, now, snapshot or gtid:<position>';
export const RESET_TARGETS_EXPECTED = 'now, earliest, snapshot or gtid:<position>';

/** undefined for anything but the texts above. */
export function parseStartMode(text: string): StartMode | undefined {
  return text === 'resume' ? { kind: 'resume' } : parseNamed(text);
}

/** undefined for anything but the texts above. */
export function parseResetTarget(text: string): ResetTarget | undefined {
  return text === 'earliest' ? { kind: 'earliest' } : parseNamed(text);
}

function parseNamed(text: string): Exclude<StartMode, { kind: 'resume' }> | undefined {
  if (text === 'now' || text === 'snapshot') return { kind: text };
  if (!text.startsWith('gtid:')) return undefined;
  const position = text.slice('gtid:'.length).trim();
  try {
    return parsePosition(position).flavour === 'empty' ? undefined : { kind: 'gtid', position };
  } catch (error) {
    if (isTandemError(error, 'change-malformed')) return undefined;
    throw error;
  }
}
