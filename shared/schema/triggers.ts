/**
 * The triggers that give every row its version, whoever writes it.
 *
 * Invariant: a local write raises a row's `_hlc` above what it was, above its tombstone, above the database's
 * clock and above what the writing service has seen (`@tandem_hlc`), and sets `_origin` to this region.
 * The apply session sets `@tandem_apply` and is left alone: it writes the versions it received.
 * Deliberately absent: AFTER triggers (the tombstone must stand before its delete in the binlog, so that a reader
 * that streams knows the delete's version when the delete comes by).
 */
import { createHash } from 'node:crypto';
import { MERGE_COLUMN } from './conflict-rules.ts';
import { mergeBlock } from './merge-trigger.ts';
import type { MergedTable, MergedTables } from './merge-trigger.ts';
import { HEARTBEAT_TABLE, REPLICATED_TABLES, TOMBSTONE_TABLE } from './tables.ts';

export type Trigger = { readonly name: string; readonly table: string; readonly sql: string };

/** The database's wall clock as an hlc with counter 0 (48 bits of ms since 1970, 16 bits of counter). */
const CLOCK = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) << 16';
/**
 * HAZARD: without the CAST, an unset variable makes MariaDB's GREATEST compare as doubles, which drops the low bits
 * of every version beside it: a re-insert could then stand below its tombstone.
 */
const SEEN = 'CAST(IFNULL(@tandem_hlc, 0) AS UNSIGNED)';

/**
 * All triggers of a region whose origin number is `origin`, on `tables` and the heartbeats. A name ends in a hash of its body, so that a changed
 * trigger is a new one beside the old: the old can be dropped after the new one stands, and no write goes unstamped
 * in between (two stamps in a row leave one version). @param merged those of the tables that have rules (merge-trigger.ts); they name the
 * table's columns, so they are made anew whenever those change.
 */
export function triggersFor(origin: number, tables: readonly string[] = REPLICATED_TABLES, merged: MergedTables = new Map()): readonly Trigger[] {
  if (!Number.isInteger(origin) || origin < 1 || origin > 15) throw new RangeError(`origin ${origin} is not in 1..15`);
  return [...tables, HEARTBEAT_TABLE].flatMap((table) => [
    trigger(table, 'INSERT', insertBody(table, origin, merged.get(table))),
    trigger(table, 'UPDATE', updateBody(table, origin, merged.get(table))),
    trigger(table, 'DELETE', deleteBody(table, origin)),
  ]);
}

function trigger(table: string, event: 'INSERT' | 'UPDATE' | 'DELETE', body: string): Trigger {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 8);
  const name = `tandem_${table}_${event.toLowerCase()}_${hash}`;
  return { name, table, sql: `CREATE TRIGGER ${name} BEFORE ${event} ON ${table} FOR EACH ROW\nBEGIN\n${body}\nEND` };
}

/**
 * An insert with an `_hlc` stamped by hand and no `_origin` gets the region's: without it, two regions could stamp equal versions.
 *
 * HAZARD: REPLACE of a row that is ahead of the clock (written by a region whose clock is) stamps below what it replaces:
 * this trigger runs before the row's delete has left its tombstone. The peer applies the delete, drops the insert below
 * it, and lacks the row until a write of it here passes that version; `tandem diff` shows it. UPDATE, or DELETE and then INSERT,
 * have no such gap; the services use no REPLACE.
 * Looking the row up here would close it, and works on both engines, but costs too much: at REPEATABLE READ (the
 * engines' default; ours is READ COMMITTED, but a session may choose) a trigger's read locks the gap that it finds empty, and two sessions that insert side
 * by side would block each other. The look at the tombstones has that price already, yet only against others' deletes.
 */
function insertBody(table: string, origin: number, merged: MergedTable | undefined): string {
  // What a copied row brought along was another row's past.
  const born = merged === undefined ? '' : `
  IF @tandem_apply IS NULL THEN
    SET NEW.${MERGE_COLUMN} = NULL;
  END IF;`;
  return `  IF @tandem_apply IS NULL AND NEW._hlc = 0 THEN
    SET NEW._hlc = GREATEST(${CLOCK}, ${SEEN}, ${afterTombstone(table)}), NEW._origin = ${origin};
  ELSEIF @tandem_apply IS NULL AND NEW._origin = 0 THEN
    SET NEW._origin = ${origin};
  END IF;${born}`;
}

/** A changed id is a delete of the old row and an insert of a new one, and is stamped as both. */
function updateBody(table: string, origin: number, merged: MergedTable | undefined): string {
  return `  IF @tandem_apply IS NULL THEN
    IF NEW._hlc <= OLD._hlc THEN
      SET NEW._hlc = GREATEST(${CLOCK}, ${SEEN}, OLD._hlc + 1);
      IF NEW.id <> OLD.id THEN
        SET NEW._hlc = GREATEST(NEW._hlc, ${afterTombstone(table)});
      END IF;
    END IF;
    SET NEW._origin = ${origin};
    IF NEW.id <> OLD.id THEN
${tombstone(table, origin, 6)}
    END IF;${merged === undefined ? '' : `\n${mergeBlock(merged, origin)}`}
  END IF;`;
}

/** The lowest version above the tombstone of NEW.id; 0 where there is none. */
function afterTombstone(table: string): string {
  return `IFNULL((SELECT t._hlc + 1 FROM ${TOMBSTONE_TABLE} t WHERE t.table_name = '${table}' AND t.row_id = NEW.id), 0)`;
}

function deleteBody(table: string, origin: number): string {
  return `  IF @tandem_apply IS NULL THEN
${tombstone(table, origin, 4)}
  END IF;`;
}

function tombstone(table: string, origin: number, indent: number): string {
  const pad = ' '.repeat(indent);
  return [
    `INSERT INTO ${TOMBSTONE_TABLE} (table_name, row_id, unit, _hlc, _origin, deleted_at)`,
    `VALUES ('${table}', OLD.id, OLD.unit, GREATEST(${CLOCK}, ${SEEN}, OLD._hlc + 1), ${origin}, NOW(3))`,
    `ON DUPLICATE KEY UPDATE _hlc = GREATEST(_hlc + 1, VALUES(_hlc)), _origin = ${origin}, unit = OLD.unit, deleted_at = NOW(3);`,
  ]
    .map((line) => pad + line)
    .join('\n');
}
