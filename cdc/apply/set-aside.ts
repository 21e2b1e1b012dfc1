/**
 * Sets a row aside that wants a unique value another row has: a local delete, with its own version, that also travels.
 *
 * Invariant: it is a transaction of its own without the loop marker, so capture sends the delete to the peer; what one
 * region set aside, both lose, and both keep on record. It touches nothing if the loser has moved on in the meantime.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { Version } from '../../shared/clock/hlc.ts';
import type { RawConnection, RawRow } from '../../shared/mysql/raw-connection.ts';
import { MERGE_COLUMN } from '../../shared/schema/conflict-rules.ts';
import type { ConflictRules } from '../../shared/schema/conflict-rules.ts';
import type { Image } from '../change/envelope.ts';
import { collisionVersion, decideCollision, isEndedBy, setAsideVersion } from '../resolve/collision.ts';
import { conflictRow } from '../resolve/conflict-row.ts';
import type { ConflictRow } from '../resolve/conflict-row.ts';
import { resolve } from '../resolve/resolve.ts';
import { rulesOf } from '../resolve/table-rules.ts';
import type { TableRules } from '../resolve/table-rules.ts';
import type { UniqueCollision } from './batch-writer.ts';
import { imageOfRow } from './sql-values.ts';
import * as sql from './statements.ts';

interface Row { readonly id: string; readonly version: Version; readonly merge: string | null; readonly image: Image | null }

/** The conflict it recorded; null where the collision is gone, so that the batch simply runs again. */
export async function setAside(connection: RawConnection, rules: ConflictRules, collision: UniqueCollision): Promise<ConflictRow | null> {
  const columns = collision.table.uniqueKeys.get(collision.key);
  const { after } = collision.change;
  if (columns === undefined || after === null) return null;
  await connection.execute('START TRANSACTION');
  try {
    const conflict = await setAsideWithin(connection, rulesOf(rules, collision.table.name), collision, columns);
    await connection.execute('COMMIT');
    return conflict;
  } catch (e) {
    if (!connection.isLost) await connection.execute('ROLLBACK').catch(() => connection.destroy());
    throw e;
  }
}

async function setAsideWithin(
  connection: RawConnection, rules: TableRules, { change, table, image }: UniqueCollision, columns: readonly string[],
): Promise<ConflictRow | null> {
  const isMerged = rules.merge !== null;
  const [[holder] = []] = await rowsOf(connection, [sql.lockHolder(table, columns, image, isMerged)]);
  if (holder === undefined || String(holder['id']) === change.id) return null;
  const [[standingRow] = []] = await rowsOf(connection, sql.readImages(table, [String(holder['id'])]));
  const standing: Row = {
    id: String(holder['id']), version: sql.versionOfRow(holder), merge: textOf(holder['merge']),
    image: standingRow === undefined ? null : imageOfRow(standingRow as RawRow, table.floats),
  };
  const incoming: Row = { id: change.id, version: sql.versionOfRow({ hlc: image['_hlc'] ?? change.version.hlc, origin: image['_origin'] ?? change.version.origin }), merge: textOf(image[MERGE_COLUMN]), image };
  const { loser } = decideCollision(
    { id: incoming.id, version: collisionVersion(rules, incoming) }, { id: standing.id, version: collisionVersion(rules, standing) },
  );
  const lost = loser === 'incoming' ? incoming : standing;
  const version = setAsideVersion(collisionVersion(rules, lost));
  const unit = Number(lost.image?.['unit'] ?? change.unit);
  const [[row] = []] = await rowsOf(connection, sql.lockRows(table.name, [lost.id], isMerged));
  const [[grave] = []] = await rowsOf(connection, sql.lockTombstones(table.name, [lost.id]));
  // The incoming row's older self may stand here; one that the tombstone does not reach means that the change lost anyway.
  if (row !== undefined && !isEndedBy(version, rules, { version: sql.versionOfRow(row), merge: textOf(row['merge']) })) return null;
  const statements: string[] = [];
  if (grave === undefined || compareVersions(sql.versionOfRow(grave), version) < 0) statements.push(...sql.putTombstones([{ table: table.name, id: lost.id, unit, version }]));
  if (row !== undefined) statements.push(...sql.deleteRows(table.name, [lost.id]));
  const conflict = conflictRow({
    table: table.name, rowId: lost.id, otherRowId: loser === 'incoming' ? standing.id : change.id, unit, kind: 'unique', rule: 'unique',
    outcome: 'set-aside', local: standing.version, remote: change.version, localImage: standing.image, remoteImage: image,
  });
  const displaced = loser === 'incoming' && row !== undefined ? await displacedBy(connection, rules, { change, table }, row) : [];
  await connection.script([...statements, ...sql.noteConflicts([conflict, ...displaced])]);
  return conflict;
}

/**
 * A write made here that the incoming row's writer had not seen: the change beats it, and then loses to another row. As the row
 * is gone, the change will not be decided against it again; so it goes on record now, or its image would be nowhere.
 */
async function displacedBy(
  connection: RawConnection, rules: TableRules, { change, table }: Pick<UniqueCollision, 'change' | 'table'>, row: Record<string, unknown>,
): Promise<ConflictRow[]> {
  const [[standing] = []] = await rowsOf(connection, sql.readImages(table, [change.id]));
  const localImage = standing === undefined ? null : imageOfRow(standing as RawRow, table.floats);
  const resolution = resolve(rules, change, { version: sql.versionOfRow(row), tombstone: null, merge: textOf(row['merge']), image: localImage });
  if (resolution.kind !== 'conflict' || resolution.image === undefined) return [];
  const { conflict: kind, rule, outcome, local, remote } = resolution;
  return [conflictRow({ table: table.name, rowId: change.id, unit: change.unit, kind, rule, outcome, local, remote, localImage, remoteImage: change.after })];
}

async function rowsOf(connection: RawConnection, statements: readonly string[]): Promise<(readonly Record<string, unknown>[])[]> {
  return (await connection.script(statements)).map(({ rows }) => rows);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
