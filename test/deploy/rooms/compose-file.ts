/** deploy/compose/compose.yaml as Compose reads it: anchors merged, variables put in. Only the parts that the file uses. */
import { readText } from './repo-files.ts';
import { parse } from 'yaml';

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>> | readonly string[];
  readonly configs?: readonly { source: string; target: string }[];
  readonly read_only?: boolean;
  readonly profiles?: readonly string[];
  readonly build?: { readonly context: string; readonly dockerfile: string };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const COMPOSE_FILE = 'deploy/compose/compose.yaml';
/** ${NAME:?} (must be there) and ${NAME:-default}: the file uses no other form. */
const VARIABLE = /\$\{([A-Z_]+)(?::\?|:-([^}]*))\}/g;

/** Throws on a variable that is missing, as Compose does. */
export function readCompose(variables: Readonly<Record<string, string>>): ComposeFile {
  const text = readText(COMPOSE_FILE).replaceAll(VARIABLE, (_, name: string, fallback: string | undefined) => {
    const value = variables[name] ?? fallback;
    if (value === undefined || value === '') throw new Error(`${COMPOSE_FILE} wants ${name}`);
    return value;
  });
  return parse(text, { merge: true, maxAliasCount: -1 }) as ComposeFile;
}

/** Names of variables without which Compose refuses to begin. */
export function wantedVariables(): ReadonlySet<string> {
  return new Set([...readText(COMPOSE_FILE).matchAll(/\$\{([A-Z_]+):\?\}/g)].map((match) => match[1]!));
}

export function environmentOf({ environment = {} }: ComposeService): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]));
}

/** The .ts file that a service of ours runs; null for a database, a broker and the like. */
export function mainOf({ command = [] }: ComposeService): string | null {
  return command[0] === 'node' ? (command.at(-1) ?? null) : null;
}
