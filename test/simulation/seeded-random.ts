/** Chance that a seed repeats: mulberry32, fast, and the same on every machine. */
export interface SeededRandom {
  /** 0 to bound - 1. */
  integer(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(all: readonly T[]): T;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    integer: (bound) => Math.floor(next() * bound),
    chance: (probability) => next() < probability,
    pick: (all) => all[Math.floor(next() * all.length)]!,
  };
}
