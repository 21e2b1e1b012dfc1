/**
 * Which contract migrations of this version a deployment has not run: those that a start leaves alone, as the databases hold data.
 *
 * Invariant: it only reads, as the operator. A version without contract migrations asks nobody.
 */
import type { Topology } from '../../shared/config/topology.ts';
import { openRawConnection } from '../../shared/mysql/raw-connection.ts';
import { loadMigrations } from '../../shared/schema/migrations.ts';
import type { Migration } from '../../shared/schema/migrations.ts';

/** By region, the names of migrations that have not run to their end there; a region without any is left out. Throws db-*. */
export async function contractLeft({ regions }: Topology, migrations?: readonly Migration[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const contract = (migrations ?? (await loadMigrations())).filter(({ phase }) => phase === 'contract');
  const left = new Map<string, readonly string[]>();
  if (contract.length === 0) return left;
  for (const [region, { endpoints }] of Object.entries(regions)) {
    const connection = await openRawConnection(endpoints.mysql, { role: 'contract-left' });
    try {
      const rows = await connection.query<{ migration: string; n: string }>('SELECT migration, COUNT(*) AS n FROM _migrations GROUP BY migration');
      const done = new Map(rows.map(({ migration, n }) => [migration, Number(n)]));
      const names = contract.filter(({ name, statements }) => (done.get(name) ?? 0) < statements.length).map(({ name }) => name);
      if (names.length > 0) left.set(region, names);
    } finally {
      await connection.close();
    }
  }
  return left;
}
