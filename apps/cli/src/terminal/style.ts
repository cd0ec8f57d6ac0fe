type Environment = Readonly<Record<string, string | undefined>>;

/** What colours and screens need to know of where they are written to. */
export interface Outlet {
  readonly isTTY?: boolean | undefined;
}

/**
 * Codes that begin and end each style. Not `styleText` of Node: from version 22 on it looks at
 * standard output by itself, whatever the text is for.
 */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  inverse: [7, 27],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const;
export type Style = keyof typeof CODES;

export function styled(style: Style, text: string): string {
  const [begin, end] = CODES[style];
  return text === '' ? '' : `\x1b[${begin}m${text}\x1b[${end}m`;
}

/**
 * FORCE_COLOR goes before all, as in Node itself; then NO_COLOR (no-color.org), then what the
 * terminal can.
 */
export function wantsColour({ isTTY }: Outlet, environment: Environment): boolean {
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined) return !/^(0|false)$/.test(forced);
  if (environment['NO_COLOR']) return false;
  return isTTY === true && environment['TERM'] !== 'dumb';
}

/** Whether lines can be replaced: a dumb terminal and a file only take more of them. */
export const canRedraw = ({ isTTY }: Outlet, environment: Environment): boolean =>
  isTTY === true && environment['TERM'] !== 'dumb';

/** Whether the locale's characters are UTF-8; Windows' terminals know it whatever the locale. */
export function isUnicode(environment: Environment, platform: string = process.platform): boolean {
  if (platform === 'win32') return true;
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  return /utf-?8/i.test(locale);
}
