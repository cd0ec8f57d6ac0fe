/** Numbers, sizes and times as people read them; `–` stands for what is not known. */
const NOTHING = '–';

const grouped = new Intl.NumberFormat('en-GB');

/** 1234567 as 1,234,567. */
export const count = (value: number): string => grouped.format(value);

export const percent = (part: number | null | undefined, digits = 1): string =>
  part === null || part === undefined ? NOTHING : `${(100 * part).toFixed(digits)} %`;

/** At most `digits` significant digits, without an exponent where that can be. */
export const decimal = (value: number | null | undefined, digits = 4): string => {
  if (value === null || value === undefined) return NOTHING;
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(digits - 2);
  return String(Number(value.toPrecision(digits)));
};

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1536 as 1.5 KiB. */
export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** 3725 seconds as 1 h 2 min; the two greatest units. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return join([minutes, 'min'], [whole % 60, 's']);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return join([hours, 'h'], [minutes % 60, 'min']);
  return join([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

const join = (...parts: readonly (readonly [number, string])[]): string =>
  parts
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');

/** The first twelve digits, as the command line shows and takes them. */
export const shortHash = (hash: string): string => hash.slice(0, 12);

/** All peer ids begin alike, so their end tells them apart. */
export const shortPeer = (peer: string): string => (peer.length > 12 ? `…${peer.slice(-8)}` : peer);

/** `1 peer`, `2 peers`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** Words of the API with spaces: `waiting-for-approval` as `waiting for approval`. */
export const words = (name: string): string => name.replaceAll('-', ' ');

export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** What may stand in a file name everywhere. */
export const fileName = (name: string): string =>
  name.replace(/[^a-z0-9._-]+/gi, '-').replace(/^[.-]+|-+$/g, '') || 'model';
