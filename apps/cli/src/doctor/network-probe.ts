import { createServer } from 'node:net';
import { controlSocket, createControlClient, type NetworkView } from '@starling/control';
import { ConfigError } from '@starling/core';
import { type Config, openOwnProbe } from '@starling/daemon';

/** Why an address does not lead into the swarm. */
export interface DialFault {
  readonly code: string;
  readonly detail: string;
}

/** Where the network's checks look; tests show them broken ones. */
export interface NetworkProbe {
  /** What the running daemon sees; undefined while none runs. */
  report(): Promise<NetworkView | undefined>;
  /** What the owner should know about who may enter the swarm. */
  warnings(): Promise<readonly string[]>;
  /** Addresses to enter the swarm by, each with what a dial of our own ran into. */
  bootstrap(): Promise<readonly { readonly address: string; readonly fault?: DialFault }[]>;
  /** Code of the error of listening at an address; undefined when it works. */
  listenFault(address: string): Promise<string | undefined>;
}

/** Asks the daemon of a state directory, and the network itself where none runs. */
export function openNetworkProbe(config: Config, stateDirectory: string): NetworkProbe {
  const client = createControlClient(controlSocket(stateDirectory));
  let report: Promise<NetworkView | undefined> | undefined;
  return {
    report: () => {
      report ??= ifRunning(client.network());
      return report;
    },
    warnings: async () => {
      const status = await ifRunning(client.status());
      return status?.warnings ?? (await openOwnProbe(config, stateDirectory)).warnings;
    },
    bootstrap: async () => {
      const { bootstrap, dial } = await openOwnProbe(config, stateDirectory);
      return Promise.all(
        bootstrap.map(async (address) => {
          const fault = await dial(address);
          return { address, ...(fault && { fault }) };
        }),
      );
    },
    listenFault,
  };
}

/** What a daemon answers; undefined while none runs. */
async function ifRunning<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ConfigError && error.key === 'daemon') return undefined;
    throw error;
  }
}

/** A port 0 always works; others are tried, and given back at once. */
export async function listenFault(address: string): Promise<string | undefined> {
  const found = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)/.exec(address);
  if (found === null) return undefined;
  const [, host, port] = found;
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: host!, port: Number(port) }, () =>
      server.close(() => resolve(undefined)),
    );
  });
}
