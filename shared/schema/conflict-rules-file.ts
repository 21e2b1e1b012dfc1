/**
 * Reads the rules file and checks it against a database: what migrate, capture and apply do at their start.
 *
 * Both regions must be given the same file: a group that one of them does not know is merged as part of `rest` there.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { TandemError } from '../kernel/tandem-error.ts';
import type { RawConnection } from '../mysql/raw-connection.ts';
import type { ConflictRules } from './conflict-rules.ts';
import { checkedRules } from './conflict-rules-check.ts';
import { REPLICATED_TABLES } from './tables.ts';
import { readTableFacts } from './table-facts.ts';
import type { TableFacts } from './table-facts.ts';

/** The rules that come with Tandem; TANDEM_CONFLICT_RULES names another file. */
export const SHIPPED_RULES_FILE = fileURLToPath(new URL('./conflict-rules.yaml', import.meta.url));

export interface RulesFile {
  /** The shipped one by default. */
  readonly file?: string | undefined;
  readonly facts: ReadonlyMap<string, TableFacts>;
  /** The replicated tables; those of ./tables.ts by default. */
  readonly tables?: readonly string[] | undefined;
}

/** For those who have no facts yet. Throws conflict-rules-invalid with every problem, and what the connection throws. */
export async function loadConflictRules(connection: Pick<RawConnection, 'query'>, options: Omit<RulesFile, 'facts'> = {}): Promise<ConflictRules> {
  return await checkedRulesFile({ ...options, facts: await readTableFacts(connection) });
}

/** Throws conflict-rules-invalid with every problem, also where the file cannot be read. */
export async function checkedRulesFile({ file = SHIPPED_RULES_FILE, facts, tables = REPLICATED_TABLES }: RulesFile): Promise<ConflictRules> {
  return checkedRules({ file, text: await readRules(file), facts, tables });
}

async function readRules(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TandemError('conflict-rules-invalid', `${file} cannot be read: ${(cause as Error).message}`, { cause, details: { file } });
  }
}
