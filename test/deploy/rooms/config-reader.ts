/**
 * Runs a process's own configuration reader over an environment, without starting the process.
 *
 * The reader is what config.ts beside the process's main.ts exports: a function read…Config, or a spec for readConfig.
 */
import path from 'node:path';
import { readConfig } from '../../../shared/config/config.ts';
import type { ConfigSpec, Env } from '../../../shared/config/config.ts';
import { isTandemError } from '../../../shared/kernel/tandem-error.ts';
import { REPO_ROOT } from './repo-files.ts';

export interface ConfigCheck {
  /** What the process would say before it exits 2; empty where it would start. */
  readonly complaint: string;
  /** TANDEM_* variables that were given and that nothing looks at. */
  readonly unread: readonly string[];
  readonly config: Readonly<Record<string, unknown>> | null;
}

/** @param main for example "services/router/main.ts" */
export async function checkConfig(main: string, env: Readonly<Record<string, string>>): Promise<ConfigCheck> {
  const read = await readerBeside(main);
  const seen = new Set<string>();
  const watched = new Proxy(env, {
    get: (target, key) => {
      seen.add(String(key));
      return target[String(key)];
    },
  });
  const given = Object.keys(env).filter((key) => key.startsWith('TANDEM_'));
  try {
    const config = read(watched);
    return { complaint: '', config, unread: given.filter((key) => !seen.has(key)) };
  } catch (e) {
    if (!isTandemError(e, 'config-invalid')) throw e;
    return { complaint: e.message, config: null, unread: given.filter((key) => !seen.has(key)) };
  }
}

async function readerBeside(main: string): Promise<(env: Env) => Record<string, unknown>> {
  const file = path.join(REPO_ROOT, path.dirname(main), 'config.ts');
  const exported = (await import(file)) as Record<string, unknown>;
  const [name, value] = Object.entries(exported).find(([key]) => /^(read\w+Config|\w+Config)$/.test(key)) ?? [];
  if (typeof value === 'function') return value as (env: Env) => Record<string, unknown>;
  if (typeof value === 'object' && value !== null) return (env) => readConfig(value as ConfigSpec, env);
  throw new Error(`${file} exports no configuration reader (found ${name ?? 'nothing'})`);
}
