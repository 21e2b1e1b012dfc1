/**
 * Whether a part of a region's replication is paused: the last word about it in _audit, `<part>.pause` or `<part>.resume`.
 *
 * Invariant: the pause is the region's, not a process's. It stands in the database that the part cannot work without, so it
 * outlives every restart and is one transaction with its audit row (it is that row); a second process of the same part, or one
 * that takes over, follows within LOOK_EVERY_MS. While the database cannot be asked, what was known last holds.
 * HAZARD a database that takes no writes (a fenced region) takes no pause either; its apply cannot write then anyway.
 */
import { sleep } from '../../shared/kernel/deadline.ts';
import type { LogSink } from '../../shared/kernel/log-sink.ts';
import { isTandemError } from '../../shared/kernel/tandem-error.ts';
import type { Database } from '../../shared/mysql/database.ts';
import { AUDIT_TABLE } from '../../shared/schema/tables.ts';
import { writeAudit } from './audit.ts';
import type { AuditEntry } from './audit.ts';
import type { Part, PauseNote, PauseReport } from './control-api.ts';

export const LOOK_EVERY_MS = 1_000;

/** Both are idempotent. pause() may resolve only once nothing is under way any more; whoever asked for it then waits for that. */
export interface Pausable {
  readonly isPaused: boolean;
  pause(): unknown;
  resume(): unknown;
}

export interface PauseKeeperOptions {
  readonly part: Part;
  readonly region: string;
  readonly database: Database;
  readonly log: LogSink;
  /** What runs here now; undefined for a process that waits for its turn. */
  readonly current: () => Pausable | undefined;
}

/** A part of a Lifecycle, to be started before what it holds. */
export class PauseKeeper {
  readonly name = 'pause';
  readonly #options: PauseKeeperOptions;
  readonly #stopping = new AbortController();
  #following: Promise<void> | undefined;
  /** undefined: nobody could be asked yet. */
  #paused: PauseNote | null | undefined;
  #isBlind = false;

  constructor(options: PauseKeeperOptions) {
    this.#options = options;
  }

  /** Looks once, then again and again until stop(). A database that is away is waited for, but not here. */
  async start(): Promise<void> {
    await this.look();
    this.#following = this.#follow(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the keeper of the pause stops'));
    await this.#following;
  }

  /** Null while it is to run. */
  get paused(): PauseNote | null {
    return this.#paused ?? null;
  }

  /** Makes what runs here agree with the database. Never throws. */
  async look(): Promise<void> {
    const { database, log } = this.#options;
    try {
      this.#paused = await this.#read(database);
      this.#isBlind = false;
    } catch (err) {
      if (!this.#isBlind) log.warn({ err }, 'whether replication is paused cannot be read: what was known last holds');
      this.#isBlind = true;
      // A database that answers, and has no _audit yet, was never told of a pause.
      if (isTandemError(err, 'db-failed')) this.#paused ??= null;
    }
    await this.#enforce();
  }

  /** What has just been started begins paused where it is to be, or where nobody knows yet. */
  hold<T extends Pausable>(started: T): T {
    if (this.#paused !== null) started.pause();
    return started;
  }

  async set(word: 'pause' | 'resume', { actor, reason }: Pick<AuditEntry, 'actor' | 'reason'>): Promise<PauseReport> {
    const { part, region, database } = this.#options;
    const report = await database.transaction(async (tx): Promise<PauseReport> => {
      const before = await this.#read(tx);
      if ((before !== null) === (word === 'pause')) return { paused: before, changed: false };
      await writeAudit(tx, { actor, action: `${part}.${word}`, subject: region, reason });
      return { paused: await this.#read(tx), changed: true };
    });
    this.#paused = report.paused;
    await this.#enforce();
    return report;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_EVERY_MS, signal).catch(() => {});
      if (!signal.aborted) await this.look();
    }
  }

  async #enforce(): Promise<void> {
    const { current, log, part } = this.#options;
    const running = current();
    if (running === undefined || this.#paused === undefined || running.isPaused === (this.#paused !== null)) return;
    log.info({ pause: this.#paused }, this.#paused === null ? `${part} goes on` : `${part} is paused`);
    if (this.#paused === null) running.resume();
    else await running.pause();
  }

  async #read(sql: Pick<Database, 'query'>): Promise<PauseNote | null> {
    const { part, region } = this.#options;
    const [last] = await sql.query<{ actor: string; action: string; reason: string; at: Date }>(
      `SELECT actor, action, reason, at FROM ${AUDIT_TABLE} WHERE action IN (?) AND subject = ? ORDER BY id DESC LIMIT 1`,
      [[`${part}.pause`, `${part}.resume`], region],
    );
    return last?.action === `${part}.pause` ? { by: last.actor, at: last.at.toISOString(), reason: last.reason } : null;
  }
}
