/**
 * DATE, TIME, DATETIME and TIMESTAMP from the binlog's packed forms, as the text the server prints in UTC.
 *
 * Invariant: what the server can store is printed, zero dates and days that no calendar has included; nothing becomes a Date.
 */
import type { RowText } from './row-text.ts';

const [DASH, SPACE, COLON, DOT, QUOTE] = [0x2d, 0x20, 0x3a, 0x2e, 0x22];
const DAY_SECONDS = 86_400;
/** What the longest of them takes: quotes, "-838:59:59.000000" or a date and a time with six decimals. */
export const TEMPORAL_TEXT_BYTES = 32;

/** Bytes that hold a fraction of that many digits: two digits a byte. */
export function fractionBytes(decimals: number): number {
  return (decimals + 1) >> 1;
}

export function writeDate(row: RowText): void {
  const { src, pos } = row;
  const packed = (src[pos] as number) | ((src[pos + 1] as number) << 8) | ((src[pos + 2] as number) << 16);
  row.pos += 3;
  row.byte(QUOTE);
  writeDay(row, packed >> 9, (packed >> 5) & 15, packed & 31);
  row.byte(QUOTE);
}

export function writeDatetime(row: RowText, decimals: number): void {
  const { src, pos } = row;
  const [b0, b1, b2, b3, b4] = [src[pos] as number, src[pos + 1] as number, src[pos + 2] as number, src[pos + 3] as number, src[pos + 4] as number];
  row.pos += 5;
  // 22 bits of date, 17 of time of day; the highest bit says that it is not negative, which it never is.
  const date = ((b0 & 0x7f) << 15) | (b1 << 7) | (b2 >> 1);
  const months = date >> 5;
  row.byte(QUOTE);
  writeDay(row, Math.floor(months / 13), months % 13, date & 31);
  row.byte(SPACE);
  writeClock(row, ((b2 & 1) << 16) | (b3 << 8) | b4, 0x1f);
  writeFraction(row, readFraction(row, decimals), decimals);
  row.byte(QUOTE);
}

export function writeTimestamp(row: RowText, decimals: number): void {
  const seconds = row.src.readUInt32BE(row.pos);
  row.pos += 4;
  const fraction = readFraction(row, decimals);
  row.byte(QUOTE);
  if (seconds === 0 && fraction === 0) {
    writeDay(row, 0, 0, 0);
    row.byte(SPACE);
    writeClock(row, 0, 0x1f);
  } else {
    const day = Math.floor(seconds / DAY_SECONDS);
    const left = seconds - day * DAY_SECONDS;
    writeCivilDay(row, day);
    row.byte(SPACE);
    writeClock(row, (Math.floor(left / 3600) << 12) | (Math.floor((left % 3600) / 60) << 6) | left % 60, 0x1f);
  }
  writeFraction(row, fraction, decimals);
  row.byte(QUOTE);
}

/** Seconds and fraction are one number, offset so that negative times sort before positive ones. */
export function writeTime(row: RowText, decimals: number): void {
  const size = fractionBytes(decimals);
  const unit = 256 ** size;
  const value = row.src.readUIntBE(row.pos, 3 + size) - 0x80_0000 * unit;
  row.pos += 3 + size;
  row.byte(QUOTE);
  if (value < 0) row.byte(DASH);
  const positive = Math.abs(value);
  writeClock(row, Math.floor(positive / unit), 0x3ff);
  writeFraction(row, positive % unit, decimals);
  row.byte(QUOTE);
}

function writeDay(row: RowText, year: number, month: number, day: number): void {
  row.padded(year, 4);
  row.byte(DASH);
  row.padded(month, 2);
  row.byte(DASH);
  row.padded(day, 2);
}

/** Days since 1970 → year, month and day: years begin in March here, so that the leap day is the last one. */
function writeCivilDay(row: RowText, daysSince1970: number): void {
  const days = daysSince1970 + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  writeDay(row, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1);
}

/** Six bits each of seconds and minutes, above them the hours. */
function writeClock(row: RowText, packed: number, hoursMask: number): void {
  const hours = (packed >> 12) & hoursMask;
  row.padded(hours, hours > 99 ? 3 : 2);
  row.byte(COLON);
  row.padded((packed >> 6) & 63, 2);
  row.byte(COLON);
  row.padded(packed & 63, 2);
}

function readFraction(row: RowText, decimals: number): number {
  const size = fractionBytes(decimals);
  let value = 0;
  for (let i = 0; i < size; i += 1) value = value * 256 + (row.src[row.pos + i] as number);
  row.pos += size;
  return value;
}

/** `value` counts in the even number of digits that its bytes hold. */
function writeFraction(row: RowText, value: number, decimals: number): void {
  if (decimals === 0) return;
  row.byte(DOT);
  row.padded(decimals % 2 === 0 ? value : Math.floor(value / 10), decimals);
}
