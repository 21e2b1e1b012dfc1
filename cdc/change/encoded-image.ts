/**
 * A row image that is JSON text already, in the bytes it will travel in.
 *
 * Why: capture passes millions of rows from the binlog to Kafka and looks at four of their columns. Making an object of
 * each row and text of each object costs more than everything else it does.
 * Invariant: `text` is one JSON object whose members are the columns in table order, each in its one wire form (Value);
 * id, unit, hlc and origin say what it says. What is undefined here is to be looked up in columns().
 */
import type { Image } from './envelope.ts';

export class EncodedImage {
  readonly text: Buffer;
  /** Decimal text. */
  readonly id: string | undefined;
  readonly unit: number | undefined;
  readonly hlc: bigint | undefined;
  readonly origin: number | undefined;

  constructor(text: Buffer, id?: string, unit?: number, hlc?: bigint, origin?: number) {
    this.text = text;
    this.id = id;
    this.unit = unit;
    this.hlc = hlc;
    this.origin = origin;
  }

  /** Parsed anew by each call. */
  columns(): Image {
    return JSON.parse(this.text.toString('utf8')) as Image;
  }
}

/** A row as capture has it: from the binlog as text, from a SELECT as an object. */
export type RowImage = Image | EncodedImage;

export function columnsOf(image: RowImage): Image {
  return image instanceof EncodedImage ? image.columns() : image;
}
