/**
 * Carries out a replay: one plain local write in the home region of the row's unit, by the operator's own login.
 *
 * Invariant: plan and write see the same row. It is locked and read again in the writing transaction, and where it is not what the
 * plan was made from, nothing is written. The audit row is part of that transaction. No session variable exempts the
 * write from triggers: it gets a version above all the row has had and travels like anybody's.
 */
import { formatHlc, parseHlc } from '../../../shared/clock/hlc.ts';
import type { Version } from '../../../shared/clock/hlc.ts';
import { TandemError, isTandemError } from '../../../shared/kernel/tandem-error.ts';
import type { RawConnection } from '../../../shared/mysql/raw-connection.ts';
import { quotedName } from '../../../shared/mysql/sql-text.ts';
import { REPLICATED_TABLES, TOMBSTONE_TABLE } from '../../../shared/schema/tables.ts';
import { imageOfRow } from '../../apply/sql-values.ts';
import type { Value } from '../../change/envelope.ts';
import type { AuditEntry } from '../audit.ts';
import { writeAudit } from '../audit.ts';
import type { Conflict } from './conflict.ts';
import { decideReplay } from './replay-plan.ts';
import type { ReplayPlan, RowNow } from './replay-plan.ts';

export interface ReplayOptions { readonly overNewer: boolean }

/** What would be written. Throws operation-refused for a table that is not replicated, and db-*. */
export async function planReplay(connection: RawConnection, conflict: Conflict, options: ReplayOptions): Promise<ReplayPlan> {
  const { writable, all } = await columnsOf(connection, conflict.table);
  return decideReplay({ conflict, writable, ...options, now: await rowNow(connection, conflict, all, '') });
}

/**
 * Writes the plan, which must be of planReplay() and of a kind that writes, and returns the row's new version.
 * Throws operation-refused where the row has changed since, or a trigger or a unique key forbids the write.
 */
export async function carryOut(
  connection: RawConnection, conflict: Conflict, { plan, audit, ...options }: ReplayOptions & { readonly plan: ReplayPlan; readonly audit: Pick<AuditEntry, 'actor' | 'reason'> },
): Promise<Version | null> {
  const { writable, all } = await columnsOf(connection, conflict.table);
  await connection.execute('START TRANSACTION');
  try {
    const now = await rowNow(connection, conflict, all, 'FOR UPDATE');
    const again = decideReplay({ conflict, now, writable, ...options });
    if (JSON.stringify(again) !== JSON.stringify(plan)) {
      throw new TandemError('operation-refused', `row ${conflict.rowId} of ${conflict.table} has changed since the plan was made: look again`);
    }
    await write(connection, conflict, plan);
    await writeAudit(connection, {
      ...audit, action: 'conflict.replay', subject: `${conflict.table}:${conflict.rowId}`,
      details: { conflict: conflict.id, plan: plan.kind, before: now.version === null ? null : formatHlc(now.version.hlc), columns: 'columns' in plan ? plan.columns.map(({ column }) => column) : [] },
    });
    const { version } = await rowNow(connection, conflict, all, '');
    await connection.execute('COMMIT');
    return version;
  } catch (e) {
    if (!connection.isLost) await connection.execute('ROLLBACK').catch(() => connection.destroy());
    throw refusalOf(e, conflict) ?? e;
  }
}

async function write(connection: RawConnection, { table, rowId }: Conflict, plan: ReplayPlan): Promise<void> {
  if (plan.kind === 'delete') {
    await connection.execute(`DELETE FROM ${quotedName(table)} WHERE id = ?`, [BigInt(rowId)]);
  } else if (plan.kind === 'insert') {
    const values = plan.columns.map(({ next }) => parameterOf(next));
    await connection.execute(`INSERT INTO ${quotedName(table)} (${plan.columns.map(({ column }) => quotedName(column)).join(', ')}) VALUES ?`, [[values]]);
  } else if (plan.kind === 'update') {
    const sets = plan.columns.map(({ column }) => `${quotedName(column)} = ?`).join(', ');
    await connection.execute(`UPDATE ${quotedName(table)} SET ${sets} WHERE id = ?`, [...plan.columns.map(({ next }) => parameterOf(next)), BigInt(rowId)]);
  }
}

function parameterOf(value: Value): null | string | number | Buffer {
  return typeof value === 'object' && value !== null ? Buffer.from(value.$b64, 'base64') : value;
}

/** A FLOAT compared in another precision differs from itself, and is then written as the loser had it: no harm. */
const NO_FLOATS: ReadonlySet<string> = new Set();

/** ER_SIGNAL_EXCEPTION: a trigger's own sentence. */
const SIGNALLED = 1644;

function refusalOf(e: unknown, { table, rowId }: Conflict): TandemError | undefined {
  if (isTandemError(e, 'db-duplicate')) {
    return new TandemError('operation-refused', `another row of ${table} has this value of the unique key ${String(e.details['key'] ?? '')} now: change or remove that one first`, { cause: e });
  }
  if (isTandemError(e, 'db-failed') && e.details['errno'] === SIGNALLED) {
    const sentence = e.cause instanceof Error ? e.cause.message : e.message;
    return new TandemError('operation-refused', `row ${rowId} cannot take the losing image: ${sentence}`, { cause: e });
  }
  return undefined;
}

async function columnsOf(connection: RawConnection, table: string): Promise<{ readonly all: readonly string[]; readonly writable: ReadonlySet<string> }> {
  const rows = await connection.query<{ name: string; expression: string | null }>(
    `SELECT COLUMN_NAME AS name, GENERATION_EXPRESSION AS expression FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`, [table],
  );
  const isVersioned = rows.some(({ name }) => name === '_hlc');
  if (!isVersioned) throw new TandemError('operation-refused', `${table} is no replicated table here; there are: ${REPLICATED_TABLES.join(', ')}`);
  return { all: rows.map(({ name }) => name), writable: new Set(rows.filter(({ expression }) => (expression ?? '') === '').map(({ name }) => name)) };
}

async function rowNow(connection: RawConnection, { table, rowId }: Conflict, columns: readonly string[], lock: '' | 'FOR UPDATE'): Promise<RowNow> {
  const id = BigInt(rowId);
  const [row] = await connection.query(`SELECT ${columns.map(quotedName).join(', ')} FROM ${quotedName(table)} WHERE id = ? ${lock}`, [id]);
  if (row !== undefined) return { image: imageOfRow(row, NO_FLOATS), version: { hlc: parseHlc(String(row['_hlc'])), origin: Number(row['_origin']) } };
  const [tombstone] = await connection.query<{ hlc: string; origin: number }>(
    `SELECT _hlc AS hlc, _origin AS origin FROM ${TOMBSTONE_TABLE} WHERE table_name = ? AND row_id = ?`, [table, id],
  );
  return { image: null, version: tombstone === undefined ? null : { hlc: parseHlc(tombstone.hlc), origin: tombstone.origin } };
}
