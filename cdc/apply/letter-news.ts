/** What is announced of dead letters: those that were just parked, and those that wait from before. */
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { DEAD_LETTER_TABLE } from '../../shared/schema/tables.ts';
import type { Announcement } from './announcer.ts';
import type { CheckpointKey } from './checkpoint.ts';
import { letterId } from './letters.ts';
import type { Letter } from './letters.ts';

/** Announced anew at a start; more than these are a fault that a list does not help with. */
const WAITING_MAX = 200;

/** Held ones are not announced: they follow from a poison one. */
export function announcementsOf(key: CheckpointKey, letters: readonly Letter[]): Announcement[] {
  return letters.filter(({ kind }) => kind === 'poison').map(({ offset, unit, table, rowId, code, cause, tries, message }) => ({
    id: String(letterId(key, offset)), source: key.source, partition: key.partition, offset: String(offset), unit, table, rowId, code, cause, tries,
    message: message.toString('base64'),
  }));
}

export async function waitingAnnouncements(connection: RawConnection, source: string): Promise<Announcement[]> {
  return await connection.query<Announcement>(
    `SELECT id, source, partition_no AS \`partition\`, CAST(message_offset AS CHAR) AS \`offset\`, unit, table_name AS \`table\`, CAST(row_id AS CHAR) AS rowId, code, cause, tries,
       REPLACE(TO_BASE64(message), '\\n', '') AS message
     FROM ${DEAD_LETTER_TABLE} WHERE state = 'waiting' AND source = ? AND kind = 'poison' ORDER BY parked_at LIMIT ${WAITING_MAX}`, [source],
  );
}
