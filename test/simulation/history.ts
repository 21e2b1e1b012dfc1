/**
 * A history: what people, clocks, crashes and the network do to two regions, step by step.
 *
 * Invariant: a history is a list of steps whose dice are cast beforehand, so that a step means something wherever it stands:
 * leaving steps out (minimise.ts) gives another valid history. Same seed, same history.
 */
import type { Image } from '../../cdc/change/envelope.ts';
import { Refused } from '../cdc/resolve/trigger-model.ts';
import { ApplyModel } from './apply-model.ts';
import type { CrashPoint } from './apply-model.ts';
import { checkOutcome } from './checks.ts';
import { Duplicate } from './model-database.ts';
import { PARTITIONS, Region } from './region.ts';
import type { Write } from './region.ts';
import { seededRandom } from './seeded-random.ts';
import { STATES, TABLES } from './tables.ts';

const ACTS = ['write', 'send', 'apply', 'clock', 'crash-capture', 'crash-apply', 'reset', 'snapshot', 'cut', 'heal'] as const;
export type Act = (typeof ACTS)[number];
/** How often each act is drawn. */
const WEIGHTS: Readonly<Record<Act, number>> = { 'write': 40, 'send': 14, 'apply': 26, 'clock': 6, 'crash-capture': 2, 'crash-apply': 4, 'reset': 1, 'snapshot': 1, 'cut': 3, 'heal': 3 };
const DRAWN = ACTS.flatMap((act) => Array.from({ length: WEIGHTS[act] }, () => act));

export interface Step {
  readonly act: Act;
  readonly region: 0 | 1;
  /** How far time has gone on since the step before. */
  readonly afterMs: number;
  /** Where people write. */
  readonly tables: readonly string[];
  readonly dice: readonly number[];
}

const STEPS = { min: 10, max: 90 } as const;
/** In some histories everything happens at once, and only origins tell versions apart. */
const TEMPOS_MS = [1, 2, 20] as const;
const DICE = 24;
const DIE_SIDES = 1 << 20;
const QUIET_ROUNDS_MAX = 500;
/** Few ids and few values: they have to meet. */
const IDS = 4;
const VALUES = 4;

export interface Outcome {
  readonly problems: readonly string[];
  readonly writes: number;
  readonly conflicts: number;
  readonly changes: number;
}

export function stepsOf(seed: number): readonly Step[] {
  const random = seededRandom(seed);
  const tempoMs = random.pick(TEMPOS_MS);
  const tables = random.pick([...TABLES.keys()].map((table) => [table]).concat([[...TABLES.keys()]]));
  return Array.from({ length: STEPS.min + random.integer(STEPS.max - STEPS.min) }, () => ({
    act: random.pick(DRAWN), region: random.integer(2) as 0 | 1, afterMs: random.chance(0.4) ? random.integer(tempoMs) : 0, tables, dice: Array.from({ length: DICE }, () => random.integer(DIE_SIDES)),
  }));
}

/** Plays the steps, lets everything settle, and says what is wrong with the outcome. */
export function play(steps: readonly Step[]): Outcome {
  const world = new World();
  try {
    for (const step of steps) world.take(step);
    world.settle();
    return { ...world.figures, problems: checkOutcome(world.regions, world.writes) };
  } catch (e) {
    return { ...world.figures, problems: [`it broke: ${(e as Error).stack ?? String(e)}`] };
  }
}

/** Numbers drawn from a step's dice, over and over. */
class Dice {
  #at = 0;
  readonly #dice: readonly number[];
  readonly tables: readonly string[];

  constructor(dice: readonly number[], tables: readonly string[]) {
    this.#dice = dice;
    this.tables = tables;
  }

  integer(bound: number): number {
    const die = this.#dice[this.#at % this.#dice.length]!;
    this.#at += 1;
    return die % bound;
  }

  pick<T>(all: readonly T[]): T {
    return all[this.integer(all.length)]!;
  }

  oneIn(n: number): boolean {
    return this.integer(n) === 0;
  }
}

class World {
  #nowMs = 0;
  readonly writes: Write[] = [];
  readonly regions: readonly [Region, Region];
  /** Per region and partition two applies, as while a group rebalances. */
  readonly #applies: ApplyModel[][][];
  readonly #isCut = [false, false];

  constructor() {
    const now = (): number => this.#nowMs;
    this.regions = [new Region('east', 1, now, this.writes), new Region('west', 2, now, this.writes)];
    this.#applies = this.regions.map((here, i) => Array.from({ length: PARTITIONS }, (_, partition) => [0, 1].map(() => new ApplyModel(here, this.regions[1 - i]!, partition))));
  }

  take({ act, region: number, afterMs, tables, dice: cast }: Step): void {
    const region = this.regions[number];
    const dice = new Dice(cast, tables);
    this.#nowMs += afterMs;
    if (act === 'write') this.#write(region, dice);
    if (act === 'send') for (let i = dice.integer(4); i >= 0; i -= 1) region.send();
    if (act === 'apply' || act === 'crash-apply') this.#apply(number, dice, act === 'crash-apply' ? dice.pick(['before-commit', 'after-commit'] as const) : 'none');
    if (act === 'clock') region.clock.step(dice.pick([-500, -40, -5, 3, 30, 700]));
    if (act === 'crash-capture') region.crashCapture(1 + dice.integer(3));
    if (act === 'reset') this.#reset(number, dice);
    if (act === 'snapshot') region.snapshot(dice.pick(tables));
    if (act === 'cut') this.#isCut[number] = true;
    if (act === 'heal') this.#isCut[number] = false;
  }

  /** The network is whole, people rest: everything reaches everybody. */
  settle(): void {
    for (let round = 0; round < QUIET_ROUNDS_MAX; round += 1) {
      for (const region of this.regions) region.sendAll();
      const behind = this.#applies.flat(2).filter((apply) => apply.isBehind);
      if (behind.length === 0) return;
      for (const apply of behind) {
        apply.restart();
        apply.step({ rows: 50, isBulk: round % 2 === 0, crash: 'none' });
      }
    }
    throw new Error('no quiet: the regions keep sending each other changes');
  }

  get figures(): Omit<Outcome, 'problems'> {
    return {
      writes: this.writes.length,
      conflicts: this.regions.reduce((sum, { database }) => sum + database.conflicts.size, 0),
      changes: this.regions.reduce((sum, { topic }) => sum + topic.reduce((n, log) => n + log.length, 0), 0),
    };
  }

  #apply(number: 0 | 1, dice: Dice, crash: CrashPoint): void {
    if (this.#isCut[number]) return;
    const apply = dice.pick(dice.pick(this.#applies[number]!));
    if (dice.oneIn(6)) apply.restart();
    const region = this.regions[number];
    // While a batch runs again, people write on; not for ever, or it would never end.
    let writes = 3;
    const onRetry = (): void => {
      writes -= 1;
      if (writes >= 0 && dice.oneIn(3)) this.#write(region, dice);
    };
    apply.step({ rows: 1 + dice.integer(6), isBulk: dice.oneIn(2), crash, onRetry });
  }

  /** An operator sends a partition back. */
  #reset(number: 0 | 1, dice: Dice): void {
    const partition = dice.integer(PARTITIONS);
    const { database } = this.regions[number];
    const reached = database.checkpoints.get(partition) ?? 0;
    database.checkpoint(partition, dice.integer(reached + 1));
    for (const apply of this.#applies[number]![partition]!) apply.restart();
  }

  #write(region: Region, dice: Dice): void {
    const statements = dice.oneIn(3) ? 2 + dice.integer(3) : 1;
    const isAllOrNothing = dice.oneIn(2);
    try {
      region.transaction(() => {
        for (let i = 0; i < statements; i += 1) {
          try {
            this.#statement(region, dice);
          } catch (e) {
            if (isAllOrNothing || !(e instanceof Duplicate || e instanceof Refused)) throw e;
          }
        }
      });
    } catch (e) {
      if (!(e instanceof Duplicate || e instanceof Refused)) throw e;
    }
  }

  #statement(region: Region, dice: Dice): void {
    const table = dice.pick(dice.tables);
    const id = String(1 + dice.integer(IDS));
    const stands = region.database.row(table, id) !== undefined;
    const kind = dice.integer(20);
    if (!stands) region.insert(table, { id, unit: unitOf(id, dice), text: null, code: null, ...newRow(table), ...someValues(table, dice) });
    else if (kind < 3) region.delete(table, id);
    else if (kind === 3) region.update(table, id, { id: String(1 + dice.integer(IDS)) });
    else if (kind === 4) this.#swap(region, table, dice);
    else if (kind === 5) for (const each of region.database.rows(table).keys()) region.update(table, each, { text: `all ${dice.integer(VALUES)}` });
    else if (kind === 6) region.update(table, id, {});
    else region.update(table, id, someValues(table, dice));
  }

  /** Two rows trade a unique value within one transaction. */
  #swap(region: Region, table: string, dice: Dice): void {
    const rows = [...region.database.rows(table)];
    const [[a, first] = [], [b, second] = []] = [dice.pick(rows), dice.pick(rows)];
    if (a === undefined || b === undefined || a === b) return;
    region.update(table, a, { code: null });
    region.update(table, b, { code: first?.image['code'] ?? null });
    region.update(table, a, { code: second?.image['code'] ?? null });
  }
}

/** Mostly a row's unit follows from its id; now and then somebody has another idea. */
function unitOf(id: string, dice: Dice): number {
  return dice.oneIn(12) ? dice.integer(4) : Number(id) % 4;
}

function newRow(table: string): Image {
  return table === 'people' ? {} : { status: 'new', driver: null, seq: null, cheapest: null, seen: 0, label: null, seat: null, updated_at: '0' };
}

function someValues(table: string, dice: Dice): Image {
  const value = (): string => `v${dice.integer(VALUES)}`;
  const all: Record<string, () => string | number | null> = {
    text: () => `t${dice.integer(100)}`,
    code: () => (dice.oneIn(4) ? null : value()),
    ...(table === 'people' ? {} : {
      status: () => dice.pick(STATES),
      driver: value,
      seq: () => dice.integer(30),
      cheapest: () => dice.integer(30),
      seen: () => dice.integer(20),
      label: () => `l${dice.integer(100)}`,
      seat: () => (dice.oneIn(4) ? null : value()),
    }),
  };
  const names = Object.keys(all);
  const chosen = [dice.pick(names), ...(dice.oneIn(2) ? [dice.pick(names)] : []), ...(dice.oneIn(4) ? [dice.pick(names)] : [])];
  return Object.fromEntries([...new Set(chosen)].map((name) => [name, all[name]!()]));
}
