/**
 * One etcd 3.4 member on loopback. Three of them (one a region, one the witness) are the only thing the regions share.
 *
 * HAZARD: the member list is fixed at first start; a changed port of one member needs a fresh data directory of all three.
 */
import { mkdir } from 'node:fs/promises';
import { PRIVATE_DIR } from './files.ts';
import { probeHttp } from './probes.ts';
import { LOOPBACK } from './server-spec.ts';
import type { ServerSpec } from './server-spec.ts';

/** Twice the defaults of etcd: on a small busy machine a slow disk must not look like a dead leader. */
const HEARTBEAT_MS = 200;
const ELECTION_MS = 2_000;
const QUOTA_BYTES = 256 * 1024 * 1024;

export interface EtcdMember {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

export interface EtcdOptions {
  readonly program: string;
  readonly dir: string;
  readonly member: EtcdMember;
  /** All members, this one included. */
  readonly members: readonly EtcdMember[];
  readonly token: string;
}

export function etcdServer({ program, dir, member, members, token }: EtcdOptions): ServerSpec {
  const client = `http://${LOOPBACK}:${member.clientPort}`;
  const peer = `http://${LOOPBACK}:${member.peerPort}`;
  return {
    command: program,
    args: [
      `--name=${member.name}`,
      `--data-dir=${dir}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${members.map((m) => `${m.name}=http://${LOOPBACK}:${m.peerPort}`).join(',')}`,
      '--initial-cluster-state=new',
      `--initial-cluster-token=${token}`,
      `--heartbeat-interval=${HEARTBEAT_MS}`,
      `--election-timeout=${ELECTION_MS}`,
      `--quota-backend-bytes=${QUOTA_BYTES}`,
      '--auto-compaction-mode=periodic',
      '--auto-compaction-retention=1h',
      '--logger=zap',
      '--log-level=warn',
    ],
    env: {},
    // etcd itself insists on 0700 for a data directory it finds.
    prepare: async () => void (await mkdir(dir, { recursive: true, mode: PRIVATE_DIR })),
    // Unhealthy until there is a leader.
    ready: () => probeHttp(member.clientPort, '/health'),
  };
}
