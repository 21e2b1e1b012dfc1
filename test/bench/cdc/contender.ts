/**
 * One way to bring a source's rows into a target: what the bench starts, stops and counts the cost of.
 *
 * Invariant: a contender that was stopped goes on from there when it is started again, so that each drains the same backlog.
 */
import type { TestMysql } from '../../harness/mysql.ts';

export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly target: TestMysql;
  /** How it was set up, for the report. */
  readonly settings: string;
  /** Starts what writes, then what reads the source; resolves when both were told to. Reading begins when the source has a new dump thread. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The processes whose CPU it costs, by role; while it runs. */
  pids(): Readonly<Record<string, number>>;
  /** Of those, the ones whose memory is reported. */
  readonly measured: readonly string[];
}

/** Where all contenders read. */
export interface Source {
  readonly mysql: TestMysql;
  /** Of the broker that the contenders share. */
  readonly broker: string;
  readonly kafkaPid: number;
}
