/**
 * Sets a row aside that wants a unique value another row has: a local delete, with its own version, that also travels.
 *
 * Invariant: it is a transaction of its own without the loop marker, so capture sends the delete to the peer; what one
 * region set aside, both lose, and both keep on record. It touches nothing if the loser has moved on in the meantime.
 */
import { compareVersions } from '../../shared/clock/hlc.ts';
import type { RawConnection } from '../../shared/mysql/raw-connection.ts';
import { conflictRow } from '../resolve/conflict-row.ts';
import type { ConflictRow } from '../resolve/conflict-row.ts';
import { decideCollision, setAsideVersion } from '../resolve/collision.ts';
import type { UniqueCollision } from './batch-writer.ts';
import * as store from './row-store.ts';

/** The conflict it recorded; null where the collision is gone, so that the batch simply runs again. */
export async function setAside(connection: RawConnection, { change, table, key }: UniqueCollision): Promise<ConflictRow | null> {
  const columns = table.uniqueKeys.get(key);
  if (columns === undefined || change.after === null) return null;
  await connection.execute('START TRANSACTION');
  try {
    const conflict = await setAsideWithin(connection, { change, table, columns, after: change.after });
    await connection.execute('COMMIT');
    return conflict;
  } catch (e) {
    if (!connection.isLost) await connection.execute('ROLLBACK').catch(() => connection.destroy());
    throw e;
  }
}

async function setAsideWithin(
  connection: RawConnection,
  { change, table, columns, after }: Pick<UniqueCollision, 'change' | 'table'> & { columns: readonly string[]; after: NonNullable<UniqueCollision['change']['after']> },
): Promise<ConflictRow | null> {
  const standing = await store.lockHolder(connection, table, columns, after);
  if (standing === null || standing.id === change.id) return null;
  const standingImage = (await store.readImages(connection, table, [standing.id])).get(standing.id) ?? null;
  const { loser } = decideCollision(change.version, standing.version);
  const lost = loser === 'incoming' ? { id: change.id, version: change.version, image: after } : { ...standing, image: standingImage };
  const version = setAsideVersion(lost.version);
  const unit = Number(lost.image?.['unit'] ?? change.unit);
  const versions = await store.lockVersions(connection, table.name, [lost.id]);
  const tombstones = await store.lockTombstones(connection, table.name, [lost.id]);
  const here = versions.get(lost.id);
  const before = tombstones.get(lost.id);
  // The incoming row's older self may stand here; a newer one means that the change lost anyway.
  if (here !== undefined && compareVersions(here, version) > 0) return null;
  if (before === undefined || compareVersions(before, version) < 0) {
    await store.putTombstones(connection, [{ table: table.name, id: lost.id, unit, version }]);
  }
  if (here !== undefined) await store.deleteRows(connection, table.name, [lost.id]);
  const conflict = conflictRow({
    table: table.name, rowId: lost.id, otherRowId: loser === 'incoming' ? standing.id : change.id, unit, kind: 'unique', rule: 'unique',
    outcome: 'set-aside', local: standing.version, remote: change.version, localImage: standingImage, remoteImage: after,
  });
  await store.noteConflicts(connection, [conflict]);
  return conflict;
}
