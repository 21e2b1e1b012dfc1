/** The command line of the replication bench. */
import { parseArgs } from 'node:util';
import type { Engine } from '../../../deploy/local/servers/mysql-program.ts';

export const PEERS = ['mariadb', 'debezium'] as const;
export type Peer = (typeof PEERS)[number];

export interface Options {
  readonly json: boolean;
  readonly engine: Engine;
  readonly peers: readonly Peer[];
  /** Row changes of the backlog in transactions of a hundred; those in transactions of one are a third of it. */
  readonly rows: number;
  /** Of steady load, for each contender. */
  readonly seconds: number;
  /** Keep CPU profiles of both processes here. */
  readonly profiles: string | undefined;
}

/** Throws an Error that says what is wrong with the arguments. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false }, engine: { type: 'string', default: 'mariadb' }, peers: { type: 'string', default: PEERS.join(',') },
      rows: { type: 'string', default: '120000' }, seconds: { type: 'string', default: '60' }, profiles: { type: 'string' },
    },
  });
  const peers = values.peers.split(',').filter((name) => name !== '');
  const unknown = peers.filter((name) => !(PEERS as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`--peers knows ${PEERS.join(' and ')}, not ${unknown.join(', ')}`);
  if (values.engine !== 'mariadb' && values.engine !== 'mysql') throw new Error(`--engine is mariadb or mysql, not ${values.engine}`);
  return {
    json: values.json, engine: values.engine, peers: peers as Peer[], profiles: values.profiles,
    rows: count('--rows', values.rows, 1_000), seconds: count('--seconds', values.seconds, 0),
  };
}

function count(name: string, text: string, min: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min) return value;
  throw new Error(`${name} is a whole number from ${min} up, not ${text}`);
}
