/**
 * Where a process spends its time, from a CPU profile of V8: self time by kind of work, as shares of the whole.
 *
 * Invariant: shares sum to 1; what no rule names is 'other', never dropped. Time off the CPU is 'waiting' (V8 calls it idle).
 */

export const KINDS = ['decoding', 'encoding', 'sending', 'receiving', 'applying', 'garbage', 'start-up', 'other', 'waiting'] as const;
export type Kind = (typeof KINDS)[number];
export type Shares = Readonly<Record<Kind, number>>;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The first rule that fits the file of a function, or else that of its nearest caller that has one, says what kind of work it is. */
const RULES: readonly (readonly [RegExp, Kind])[] = [
  [/cdc\/capture\/(binlog|row-values|transaction-assembler)/, 'decoding'],
  [/cdc\/transport\/change-producer|shared\/kafka\/producer|kafkajs\/src\/(producer|protocol\/requests\/produce|protocol\/(recordBatch|message))/, 'sending'],
  [/shared\/kafka\/(consumer|group-member)|kafkajs\/src\/(consumer|protocol\/requests\/fetch)|cdc\/apply\/pending/, 'receiving'],
  [/node:internal\/(?:modules|bootstrap|deps)|^wasm:/, 'start-up'],
  [/mysql2|cdc\/(apply|resolve)|shared\/mysql/, 'applying'],
];

const CODEC = /cdc\/change\//;

/**
 * What parents do is what natives, JSON and buffers are called for.
 *
 * @param codec what this process does with envelopes: capture encodes them, apply decodes them
 */
export function sharesOf(profile: CpuProfile, codec: 'encoding' | 'decoding'): Shares {
  const parents = new Map<number, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const kinds = new Map<number, Kind>();
  const kindOf = (id: number): Kind => {
    const known = kinds.get(id);
    if (known !== undefined) return known;
    const { functionName, url } = nodes.get(id)?.callFrame ?? { functionName: '', url: '' };
    const parent = parents.get(id);
    const kind = functionName === '(idle)' ? 'waiting'
      : functionName === '(garbage collector)' ? 'garbage'
      : CODEC.test(url) ? codec
      : RULES.find(([file]) => file.test(url))?.[1] ?? (parent === undefined ? 'other' : kindOf(parent));
    kinds.set(id, kind);
    return kind;
  };
  const sums = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  let total = 0;
  for (const [i, id] of profile.samples.entries()) {
    const us = Math.max(0, profile.timeDeltas[i] ?? 0);
    sums[kindOf(id)] += us;
    total += us;
  }
  return Object.fromEntries(KINDS.map((kind) => [kind, total === 0 ? 0 : sums[kind] / total])) as Shares;
}
