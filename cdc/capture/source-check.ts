/**
 * Everything a database must be before its binlog is read: settings, rights, tables and triggers. Asked at boot, at the beginning of
 * each session, and every few seconds while one streams.
 *
 * Invariant: what is refused here is named in full with what mends it; once it is mended, capture goes on by itself unless the
 * binlog meanwhile holds what cannot be read.
 */
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { TandemError } from '../../shared/kernel/tandem-error.ts';
import type { Sql } from '../../shared/mysql/database.ts';
import { checkMarkerSchema } from './marker-schema.ts';
import { checkPrivileges } from './privileges.ts';
import { checkServerSettings } from './server-settings.ts';
import type { ServerFacts } from './server-settings.ts';

/** Throws capture-unsafe-settings, capture-privilege-missing, capture-schema-missing, db-*. */
export async function checkSource(sql: Sql, tables: readonly string[], log: LogSink | null): Promise<ServerFacts> {
  const facts = await checkServerSettings(sql, log);
  await checkPrivileges(sql, tables);
  await checkMarkerSchema(sql, tables);
  return facts;
}

/** A database that is away is waited for; one that is unfit is refused. */
export function isRefusal(error: unknown): error is TandemError {
  return isTandemError(error) && (error.code === 'capture-unsafe-settings' || error.code === 'capture-privilege-missing' || error.code === 'capture-schema-missing');
}
