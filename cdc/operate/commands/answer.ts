/**
 * What a command of this folder hands back, and what it is given: the launcher decides how answers are printed and how
 * failures are explained, so that all commands end alike.
 */
import type { Topology } from '../../../shared/config/topology.ts';
import { TandemError } from '../../../shared/kernel/tandem-error.ts';

/** Text for people, one object for programs; exit code 0 unless it says otherwise. */
export interface Answer {
  readonly text: string;
  readonly json: unknown;
  readonly exitCode?: number;
}

export type Tone = 'green' | 'red' | 'yellow' | 'dim' | 'bold';
/** Colours a text, or gives it back as it is where nobody would see the colour. */
export type PaintText = (text: string, tone: Tone) => string;
export const plain: PaintText = (text) => text;

export interface JsonFlag { readonly json?: true | undefined }
type Run<Flags> = (flags: Flags) => Promise<void>;

export interface OperateDeps {
  readonly readTopology: () => Topology;
  /** Who is at the keyboard, and a token in their name. */
  readonly operator: () => Promise<{ readonly name: string; readonly token: string }>;
  readonly paint: PaintText;
  /** Puts a question to the person at the terminal; null where there is none. */
  readonly ask: (question: string) => Promise<string | null>;
  /** Shows progress beside the answer; nothing where nobody looks. */
  readonly say: (line: string) => void;
  /** Sets the exit code and explains failures. */
  readonly outcome: <Flags extends JsonFlag>(action: (flags: Flags) => Promise<number | void>) => Run<Flags>;
}

/** A command's action: runs it with commander's arguments and prints the answer, as text or as one line of JSON. */
export function answering<Flags extends JsonFlag>(deps: OperateDeps, flags: Flags, run: () => Promise<Answer>): Promise<void> {
  return deps.outcome<Flags>(async () => {
    const { text, json, exitCode = 0 } = await run();
    process.stdout.write(flags.json === undefined ? text : `${JSON.stringify(json)}\n`);
    return exitCode;
  })(flags);
}

export function badUsage(message: string): TandemError {
  return new TandemError('usage-invalid', message);
}

/** By origin, which is how people list them. */
export function regionNames({ regions }: Topology): string[] {
  return Object.entries(regions).toSorted(([, a], [, b]) => a.origin - b.origin).map(([name]) => name);
}

/** Throws usage-invalid, which names those that there are. */
export function knownRegion(topology: Topology, name: string): string {
  if (Object.hasOwn(topology.regions, name)) return name;
  throw badUsage(`there is no region ${name}; there are: ${regionNames(topology).join(', ')}`);
}

/** One of a list, for flags. Throws usage-invalid, which names them all. */
export function oneOf<T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw badUsage(`${flag} ${value}: say one of ${choices.join(', ')}`);
  return found;
}

/** A whole number for a flag. Throws usage-invalid. */
export function wholeNumber(flag: string, value: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const number = /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw badUsage(`${flag} ${value} is not a whole number from ${min} to ${max}`);
}

const ID = /^[1-9][0-9]{0,18}$/;

/** An id as it was printed. Throws usage-invalid. */
export function printedId(what: string, text: string): string {
  if (ID.test(text)) return text;
  throw badUsage(`${text} is not the id of a ${what}: those are numbers of up to 19 digits, as the list prints them`);
}

/** The flag's text. Throws usage-invalid where it is missing or blank. */
export function givenReason(reason: string | undefined): string {
  const text = reason?.trim() ?? '';
  if (text === '') throw badUsage('--reason "…" is needed: it stands in _audit beside your name, for whoever asks later why');
  return text;
}
