/** DECIMAL as both servers store it: groups of nine digits in four bytes, big-endian, all bits inverted below zero. */

const DIGITS_A_GROUP = 9;
const GROUP_BYTES = 4;
/** Bytes of a group of fewer digits. */
const PARTIAL_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;

export function decimalBytes(precision: number, scale: number): number {
  return bytesOf(precision - scale) + bytesOf(scale);
}

function bytesOf(digits: number): number {
  return Math.floor(digits / DIGITS_A_GROUP) * GROUP_BYTES + (PARTIAL_BYTES[digits % DIGITS_A_GROUP] as number);
}

/** As the server prints it: all decimals, no needless zero in front. */
export function decimalText(bytes: Uint8Array, start: number, precision: number, scale: number): string {
  const isNegative = ((bytes[start] as number) & 0x80) === 0;
  const mask = isNegative ? 0xff : 0;
  let at = start;
  const group = (digits: number): string => {
    let value = 0;
    for (const end = at + (PARTIAL_BYTES[digits] as number); at < end; at += 1) {
      const byte = (bytes[at] as number) ^ mask ^ (at === start ? 0x80 : 0);
      value = value * 256 + byte;
    }
    return String(value).padStart(digits, '0');
  };
  const whole = precision - scale;
  let text = whole % DIGITS_A_GROUP === 0 ? '' : group(whole % DIGITS_A_GROUP);
  for (let left = Math.floor(whole / DIGITS_A_GROUP); left > 0; left -= 1) text += group(DIGITS_A_GROUP);
  let fraction = '';
  for (let left = Math.floor(scale / DIGITS_A_GROUP); left > 0; left -= 1) fraction += group(DIGITS_A_GROUP);
  if (scale % DIGITS_A_GROUP > 0) fraction += group(scale % DIGITS_A_GROUP);
  const integer = text.replace(/^0+(?=\d)/, '') || '0';
  return `${isNegative ? '-' : ''}${integer}${scale === 0 ? '' : `.${fraction}`}`;
}
