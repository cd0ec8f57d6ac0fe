import { isIP } from 'node:net';

/** An address to listen on: an IP address, and a port or 0 for any. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Whether an IP address without brackets is the machine itself. */
export const isLoopback = (address: string): boolean =>
  address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);

/** `127.0.0.1:7380` or `[::1]:0`; undefined where it is neither. */
export function parseListen(text: string): ListenAddress | undefined {
  const [, v6, v4, digits] =
    /^(?:\[([0-9a-f:.]+)\]|([\d.]+|localhost)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  const host = v6 ?? (v4 === 'localhost' ? '127.0.0.1' : v4!);
  return isIP(host) === 0 ? undefined : { host, port };
}

export const isLoopbackAddress = ({ host }: ListenAddress): boolean => isLoopback(host);
