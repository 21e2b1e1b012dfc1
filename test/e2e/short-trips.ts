/**
 * Trips of a few minutes within a few blocks of Midtown, so that whole rides fit into a test. Pure.
 * Invariant: the same file every time; pick-ups fall into units of both regions.
 */
const CORNER = { lat: 40.744, lon: -73.992 };
/** About 1.1 km each way. */
const SPAN = { lat: 0.01, lon: 0.013 };
const EVERY_S = 8;

/** CSV as --trips takes it. */
export function shortTrips(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => `${i + 1},${i * EVERY_S},${place(i, 0)},${place(i, 0.37)}`);
  return ['request_id,t_sec,o_lat,o_lon,d_lat,d_lon', ...rows, ''].join('\n');
}

/** Multiples of irrational numbers spread evenly, without chance. */
function place(i: number, salt: number): string {
  const [a, b] = [((i + salt) * Math.SQRT2) % 1, ((i + salt) * Math.sqrt(3)) % 1];
  return `${(CORNER.lat + a * SPAN.lat).toFixed(6)},${(CORNER.lon + b * SPAN.lon).toFixed(6)}`;
}
