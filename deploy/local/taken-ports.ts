/**
 * Which of the ports we are about to use are taken, and by whom: read from /proc, so that the error can name the process.
 *
 * HAZARD: a port found free here can be taken a moment later; the server that then fails to bind says so in its own log.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { TandemError } from '../../shared/kernel/tandem-error.ts';
import { commandLineOf, listPids } from './supervisor/proc.ts';

const LISTEN = '0A';

export interface WantedPort {
  readonly name: string;
  /** The environment variable that moves it. */
  readonly variable: string;
  readonly port: number;
}

export interface PortHolder extends WantedPort {
  /** Null when it is another user's process, whose descriptors we may not read. */
  readonly pid: number | null;
  readonly command: string;
}

/** Throws port-taken, naming each port, its holder, and how to choose another. */
export function refuseTakenPorts(wanted: readonly WantedPort[]): void {
  const taken = findHolders(wanted);
  if (taken.length === 0) return;
  const lines = taken.map(({ name, port, pid, command, variable }) => {
    const holder = pid === null ? 'a process of another user' : `process ${pid} (${command})`;
    return `port ${port}, wanted for ${name}, is held by ${holder}; stop it, or set ${variable} or TANDEM_PORT_BASE`;
  });
  throw new TandemError('port-taken', lines.join('\n'), { details: { taken } });
}

export function findHolders(wanted: readonly WantedPort[]): PortHolder[] {
  const inodeByPort = listeningInodes();
  const taken = wanted.filter(({ port }) => inodeByPort.has(port));
  if (taken.length === 0) return [];
  const pidByInode = socketOwners(new Set(taken.map(({ port }) => inodeByPort.get(port) as string)));
  return taken.map((entry) => {
    const pid = pidByInode.get(inodeByPort.get(entry.port) as string) ?? null;
    return { ...entry, pid, command: pid === null ? '' : commandLineOf(pid) };
  });
}

/** Port -> inode of the socket that listens on it, on any address: a wildcard listener is in our way, too. */
function listeningInodes(): Map<number, string> {
  const byPort = new Map<number, string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(file).slice(1)) {
      // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
      const fields = line.trim().split(/\s+/);
      const [local, state, inode] = [fields[1], fields[3], fields[9]];
      if (state !== LISTEN || local === undefined || inode === undefined) continue;
      byPort.set(Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16), inode);
    }
  }
  return byPort;
}

function socketOwners(inodes: ReadonlySet<string>): Map<string, number> {
  const owners = new Map<string, number>();
  for (const pid of listPids()) {
    for (const fd of readNames(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) owners.set(inode, pid);
    }
  }
  return owners;
}

// Processes end while we look, and others' are closed to us: both read as nothing.
function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

function readNames(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
