/**
 * Carries the migrations through both regions: expand in each, one after the other, then contract, where that is proven safe.
 *
 * Invariant: both regions' locks are taken first, in the regions' order, and held to the end, so one rollout is at work at a time,
 * and what was planned is what is run. It goes on where an earlier one was interrupted, as each statement is recorded by
 * itself. Contract steps run only with every expand step in both regions and after ./contract-proof.ts has no objection.
 * HAZARD: between the two regions' turns, changes that name a new column wait in the peer's apply, and go on by
 * themselves; so expand the region that receives before new code writes there, or bear the wait.
 */
import type { LogSink } from '../kernel/log-sink.ts';
import { TandemError } from '../kernel/tandem-error.ts';
import type { MysqlConfig } from '../mysql/database.ts';
import { whyNotContract } from './contract-proof.ts';
import type { ProofOptions } from './contract-proof.ts';
import { namesOf } from './migrations.ts';
import type { Migration } from './migrations.ts';
import { openMigrator } from './migrator.ts';
import type { Migrator, Step } from './migrator.ts';

/** A person waits: another migrator is not waited for as long as at a region's start. */
const LOCK_WAIT_S_DEFAULT = 5;

export interface RolloutSide {
  readonly region: string;
  readonly origin: number;
  /** A user with DDL. */
  readonly database: MysqlConfig;
}

export interface RolloutOptions {
  readonly sides: readonly [RolloutSide, RolloutSide];
  readonly migrations: readonly Migration[];
  readonly tables?: readonly string[];
  /** Of conflict rules, see MigratorOptions. */
  readonly rulesFile?: string | undefined;
  /** Where steps are run; both regions if not given. Plans and proofs always look at both. */
  readonly only?: string | undefined;
  readonly log: LogSink;
  readonly lockWaitS?: number;
}

export interface PlannedStep extends Step {
  readonly region: string;
  /** The server's estimate of the table's rows; null where the table is yet to be made. */
  readonly rows: number | null;
}

export interface RolloutReport {
  readonly ran: readonly PlannedStep[];
  readonly left: readonly PlannedStep[];
}

/** Called before and after each statement. */
export type OnStep = (step: PlannedStep, event: 'begins' | 'done', at: { readonly no: number; readonly of: number }) => void;

/** Throws schema-busy where a migrator is at work in either region, schema-drift as a migrator does. */
export async function openRollout(options: RolloutOptions): Promise<Rollout> {
  const { sides, migrations, tables, rulesFile, log, lockWaitS = LOCK_WAIT_S_DEFAULT } = options;
  const migrators: Migrator[] = [];
  try {
    for (const { database, origin } of sides) migrators.push(await openMigrator({ database, origin, log, migrations, tables, rulesFile, lockWaitS }));
    return new Rollout(options, migrators as [Migrator, Migrator]);
  } catch (e) {
    await Promise.all(migrators.map((migrator) => migrator.close()));
    throw e;
  }
}

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #migrators: readonly [Migrator, Migrator];

  /** For openRollout. */
  constructor(options: RolloutOptions, migrators: readonly [Migrator, Migrator]) {
    this.#options = options;
    this.#migrators = migrators;
  }

  /** Everything that is missing, of both phases and regions, in the order in which it would run: expand everywhere first. */
  async plan(): Promise<readonly PlannedStep[]> {
    const plans = await Promise.all(this.#each(async (migrator, region) => {
      const steps = await migrator.pending();
      return await Promise.all(steps.map(async (step) => ({ ...step, region, rows: await migrator.estimatedRows(step.statement) })));
    }));
    const all = plans.flat();
    return [...all.filter(({ phase }) => phase === 'expand'), ...all.filter(({ phase }) => phase === 'contract')];
  }

  /** Runs the expand steps, then brings the triggers, region by region. Throws schema-failed; what was done stays recorded. */
  async expand(onStep: OnStep): Promise<RolloutReport> {
    const steps = (await this.plan()).filter(({ phase, region }) => phase === 'expand' && this.#isWanted(region));
    await this.#run(steps, onStep);
    for (const [index, { region }] of this.#options.sides.entries()) if (this.#isWanted(region)) await this.#migrators[index]!.bringTriggers();
    return { ran: steps, left: await this.plan() };
  }

  /** Throws operation-refused, with every reason, where it is not proven that the old shape is gone. */
  async contract(proof: Omit<ProofOptions, 'sides' | 'migration'>, onStep: OnStep): Promise<RolloutReport> {
    const plan = await this.plan();
    const steps = plan.filter(({ phase, region }) => phase === 'contract' && this.#isWanted(region));
    if (steps.length > 0) await this.#prove(plan, steps, proof);
    await this.#run(steps, onStep);
    return { ran: steps, left: await this.plan() };
  }

  async close(): Promise<void> {
    await Promise.all(this.#migrators.map((migrator) => migrator.close()));
  }

  async #prove(plan: readonly PlannedStep[], steps: readonly PlannedStep[], proof: Omit<ProofOptions, 'sides' | 'migration'>): Promise<void> {
    const behind = this.#options.sides
      .map(({ region }) => ({ region, names: namesOf(plan.filter((step) => step.phase === 'expand' && step.region === region)) }))
      .filter(({ names }) => names.length > 0);
    const reasons = behind.length > 0
      ? behind.map(({ region, names }) => `${region} lacks expand steps of ${names.join(', ')}`)
      : await whyNotContract({ ...proof, sides: this.#proofSides(), migration: Math.max(...steps.map(({ number }) => number)) });
    if (reasons.length === 0) return;
    throw new TandemError('operation-refused', `what ${namesOf(steps).join(', ')} removes may still be needed: ${reasons.join('; ')}`, {
      details: { reasons },
    });
  }

  async #run(steps: readonly PlannedStep[], onStep: OnStep): Promise<void> {
    for (const [index, step] of steps.entries()) {
      const at = { no: index + 1, of: steps.length };
      onStep(step, 'begins', at);
      await this.#migrators[this.#options.sides.findIndex(({ region }) => region === step.region)]!.run(step);
      onStep(step, 'done', at);
    }
  }

  #proofSides(): ProofOptions['sides'] {
    const [left, right] = this.#options.sides;
    const [leftMigrator, rightMigrator] = this.#migrators;
    return [{ ...left, connection: leftMigrator.connection }, { ...right, connection: rightMigrator.connection }];
  }

  #each<T>(look: (migrator: Migrator, region: string) => Promise<T>): Promise<T>[] {
    return this.#options.sides.map(({ region }, index) => look(this.#migrators[index]!, region));
  }

  #isWanted(region: string): boolean {
    return this.#options.only === undefined || this.#options.only === region;
  }
}
