/** Reading the repository's own files, for tests of what is not code. Paths are relative to the repository's root. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';

export const REPO_ROOT = path.resolve(import.meta.dirname, '../../..');

export function readText(file: string): string {
  return readFileSync(path.join(REPO_ROOT, file), 'utf8');
}

export function isFile(file: string): boolean {
  return existsSync(path.join(REPO_ROOT, file));
}

/** Sorted; a pattern as of node:fs glob. */
export function filesLike(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: REPO_ROOT }).toSorted();
}

/** Every document of a YAML file; a warning (an unknown tag, a key twice) is an error here. */
export function readYaml<T>(file: string): readonly T[] {
  return parseAllDocuments(readText(file), { merge: true, uniqueKeys: true }).map((document) => {
    const faults = [...document.errors, ...document.warnings];
    if (faults.length > 0) throw new Error(`${file}: ${faults.map(String).join('; ')}`);
    return document.toJS() as T;
  });
}

/** NAME=value lines; comments and empty lines are left out. */
export function readEnvFile(file: string): Readonly<Record<string, string>> {
  const lines = readText(file).split('\n').filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
