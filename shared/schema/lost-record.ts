/**
 * Tells whether a statement that failed because its work is there already was in truth run before, and only its record lost.
 *
 * A migrator can die between an ALTER and the row that records it. The next one then meets the column, or finds the one to
 * be dropped gone. An ALTER is atomic on both engines, so either all of its clauses were run, or none.
 *
 * Invariant: "done" is said only where the table is what the statement would have made of it: the server itself builds that
 * table, as a temporary one of the session, and prints both. A column of that name with another definition is not "done".
 */
import type { RawConnection } from '../mysql/raw-connection.ts';
import { isTandemError } from '../kernel/tandem-error.ts';
import { additionsOf, removalsOf, tableOf } from './statement-shape.ts';

/** ER_DUP_FIELDNAME, ER_DUP_KEYNAME; ER_CANT_DROP_FIELD_OR_KEY. */
const DUPLICATE = new Set([1060, 1061]);
const ABSENT = 1091;
const PROBE = '_migration_probe';

export async function wasRunBefore(connection: RawConnection, statement: string, error: unknown): Promise<boolean> {
  const table = tableOf(statement);
  const errno = isTandemError(error) ? Number(error.details['errno']) : Number.NaN;
  if (table === null) return false;
  if (errno === ABSENT) return await areAllGone(connection, statement);
  return DUPLICATE.has(errno) && (await isWhatItWouldMake(connection, table, statement));
}

async function areAllGone(connection: RawConnection, statement: string): Promise<boolean> {
  const removals = removalsOf(statement);
  for (const { table, column } of removals) {
    const found = await connection.query(
      'SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ?', [table, column],
    );
    if (found.length > 0) return false;
  }
  return removals.length > 0;
}

/** Takes the additions out of a copy of the table, lets the statement put them back, and compares. */
async function isWhatItWouldMake(connection: RawConnection, table: string, statement: string): Promise<boolean> {
  const { columns, keys } = additionsOf(statement);
  const drops = [...keys.map((key) => `DROP KEY \`${key}\``), ...columns.map((column) => `DROP COLUMN \`${column}\``)];
  if (drops.length === 0) return false;
  await connection.execute(`DROP TEMPORARY TABLE IF EXISTS ${PROBE}`);
  try {
    await connection.execute(`CREATE TEMPORARY TABLE ${PROBE} LIKE \`${table}\``);
    for (const drop of drops) await connection.execute(`ALTER TABLE ${PROBE} ${drop}`);
    await connection.execute(statement.replace(/^(ALTER\s+TABLE\s+)`?\w+`?/i, `$1${PROBE}`));
    const [stands, would] = [await shapeOf(connection, table), await shapeOf(connection, PROBE)];
    return stands === would;
  } catch {
    // What cannot be taken out and put back is not what the statement adds.
    return false;
  } finally {
    await connection.execute(`DROP TEMPORARY TABLE IF EXISTS ${PROBE}`);
  }
}

/** Columns in their order, then keys by name: a key that was put back stands last. */
async function shapeOf(connection: RawConnection, table: string): Promise<string> {
  const [row] = await connection.query<Record<string, string>>(`SHOW CREATE TABLE \`${table}\``);
  const lines = String(row?.['Create Table']).split('\n').slice(1, -1).map((line) => line.trim().replace(/,$/, ''));
  return [...lines.filter(isColumn), ...lines.filter((line) => !isColumn(line)).toSorted()].join('\n');
}

function isColumn(line: string): boolean {
  return line.startsWith('`');
}
