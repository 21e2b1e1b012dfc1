/**
 * The fare cards in process: read from the table at start and again every REFRESH_EVERY_MS.
 * Invariant: a quote never waits for the database, and a failed read or a malformed card changes nothing: the last good
 * cards stay. Before the first good read there are none, and the process is not ready. It writes nothing.
 */
import { sleep } from '../../../shared/kernel/deadline.ts';
import type { LogSink } from '../../../shared/kernel/log-sink.ts';
import type { Sql } from '../../../shared/mysql/database.ts';
import { parseFareCard, pickCard } from '../domain/fare-card.ts';
import type { FareCard } from '../domain/fare-card.ts';

export const REFRESH_EVERY_MS = 30_000;
/** Until the first good read, and after a failed one. */
const RETRY_EVERY_MS = 1_000;
/** The newest so many; older ones are history. */
const CARDS_MAX = 1_000;

type Row = { version: number; effective_from: Date; body: unknown };

export class FareCardBook {
  readonly #db: Sql;
  readonly #log: LogSink;
  readonly #nowMs: () => number;
  readonly #stopping = new AbortController();
  #cards: readonly FareCard[] = [];
  #readAtMs: number | undefined;
  #running: Promise<void> | undefined;
  /** Versions already complained about: a bad card is reported once, not every 30 s. */
  readonly #reported = new Set<number>();

  constructor(options: { readonly db: Sql; readonly log: LogSink; readonly nowMs: () => number }) {
    this.#db = options.db;
    this.#log = options.log;
    this.#nowMs = options.nowMs;
  }

  /** The card effective at `atMs`; undefined where none is. */
  at(atMs: number): FareCard | undefined {
    return pickCard(this.#cards, atMs);
  }

  /** When the cards were last read well, ms since 1970; undefined before. */
  get readAtMs(): number | undefined {
    return this.#readAtMs;
  }

  /** Reads the cards now. Throws what the database throws; the last good cards then stay. */
  async refresh(): Promise<void> {
    const rows = await this.#db.query<Row>(
      'SELECT version, effective_from, body FROM fare_cards ORDER BY effective_from DESC, version DESC LIMIT ?',
      [CARDS_MAX],
    );
    const cards = rows.map((row) => this.#parse(row)).filter((card) => card !== undefined);
    // An empty table, or one of bad cards only, is an accident: prices do not vanish.
    if (cards.length > 0 || this.#cards.length === 0) this.#cards = cards;
    if (cards.length > 0) this.#readAtMs = this.#nowMs();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let isFailing = false;
    while (!signal.aborted) {
      let pauseMs = REFRESH_EVERY_MS;
      try {
        await this.refresh();
        if (this.#cards.length === 0) pauseMs = RETRY_EVERY_MS;
        if (isFailing) this.#log.info({ cards: this.#cards.length }, 'fare cards are read again');
        isFailing = false;
      } catch (err) {
        if (!isFailing) this.#log.warn({ err, cards: this.#cards.length }, 'fare cards cannot be read; the last good ones stay');
        isFailing = true;
        pauseMs = RETRY_EVERY_MS;
      }
      await sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** A bad card falls back to its own last good parse, if this process has one, else it is left out. */
  #parse(row: Row): FareCard | undefined {
    try {
      return parseFareCard({ version: row.version, effectiveFromMs: row.effective_from.getTime(), body: row.body });
    } catch (err) {
      if (!this.#reported.has(row.version)) this.#log.error({ err, version: row.version }, 'a fare card is malformed and not used');
      this.#reported.add(row.version);
      return this.#cards.find((card) => card.version === row.version);
    }
  }
}
