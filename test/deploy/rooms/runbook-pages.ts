/** The commands of deploy/runbooks/*.md, as somebody would copy them: lines of `sh` blocks, and commands in running text. */
import path from 'node:path';
import { filesLike, readText } from './repo-files.ts';

export interface Page { readonly file: string; readonly text: string; readonly commands: readonly string[] }

export function runbookPages(): readonly Page[] {
  return filesLike('deploy/runbooks/*.md').map((file) => {
    const text = readText(file);
    const blocks = [...text.matchAll(/^( *)```sh\n([\s\S]*?)^ *```$/gm)].flatMap((match) => match[2]!.split('\n').map((line) => line.trim()));
    const inline = [...text.matchAll(/(?<!`)`([^`\n]+)`/g)].map((match) => match[1]!).filter((code) => code.startsWith('./tandem '));
    return { file: path.basename(file), text, commands: [...blocks, ...inline].filter((line) => line !== '') };
  });
}

/** The statements that the pages hand to sql.ts. */
export function runbookStatements(): readonly { file: string; statement: string }[] {
  return runbookPages().flatMap(({ file, commands }) =>
    commands.flatMap((command) => {
      const statement = /deploy\/runbooks\/sql\.ts \w+ "(.+)"$/.exec(command)?.[1];
      return statement === undefined ? [] : [{ file, statement }];
    }));
}
