/**
 * Writing files so that a crash leaves the old one or the new one, never half of one.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const PRIVATE_FILE = 0o600;
export const PRIVATE_DIR = 0o700;

/** Replaces `file`; its directory is made when missing. The default mode keeps secrets from other users. */
export async function writeAtomic(file: string, text: string, mode: number = PRIVATE_FILE): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: PRIVATE_DIR });
  const draft = `${file}.${process.pid}.draft`;
  await writeFile(draft, text, { mode });
  await rename(draft, file);
}
