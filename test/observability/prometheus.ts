import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { missingPrograms } from '../helpers/debian.ts';
import { freePort } from '../helpers/free-port.ts';
import { until } from '../helpers/until.ts';

/** What these tests need and cannot be had; undefined when all is there. */
export const missingPrometheus = (): string | undefined =>
  missingPrograms(['prometheus', 'promtool'], ['prometheus']);

export interface Told {
  readonly status: number | null;
  readonly output: string;
}

export function promtool(args: readonly string[], input = '', cwd?: string): Told {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, cwd, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

/** What a scrape of `/metrics` is answered with. */
export async function serveMetrics(text: () => Promise<string>) {
  const server = createServer((_request, response) => {
    text().then(
      (body) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { target: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

export interface Target {
  /** Host and port. */
  readonly address: string;
  readonly tokenFile?: string;
}

/** A real Prometheus on loopback, which scrapes every second. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #address: string;
  #errors = '';

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.#address = address;
    child.stderr!.on('data', (text: Buffer) => {
      this.#errors += text.toString();
    });
  }

  static async start(folder: string, target: Target, ruleFile: string): Promise<Prometheus> {
    const config = join(folder, 'prometheus.yml');
    const { address: scraped, tokenFile } = target;
    const scrape = {
      ...{ job_name: 'starling', static_configs: [{ targets: [scraped] }] },
      ...(tokenFile !== undefined && { authorization: { credentials_file: tokenFile } }),
    };
    const intervals = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
    // JSON is YAML.
    writeFileSync(
      config,
      JSON.stringify({ global: intervals, rule_files: [ruleFile], scrape_configs: [scrape] }),
    );
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const prometheus = new Prometheus(child, address);
    const isUp = async () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${prometheus.#errors}`);
      return fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    };
    await until(isUp, 60_000, 'prometheus');
    return prometheus;
  }

  /** Series that a query gives now. @throws with what Prometheus says against it */
  async query(expr: string): Promise<readonly object[]> {
    const { result } = await this.#get<{ result: object[] }>(
      `/api/v1/query?query=${encodeURIComponent(expr)}`,
    );
    return result;
  }

  /** Each rule with its health, and what its last evaluation failed with. */
  async rules(): Promise<readonly { name: string; health: string; lastError?: string }[]> {
    type Groups = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    const { groups } = await this.#get<Groups>('/api/v1/rules');
    return groups.flatMap(({ rules }) => rules);
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`http://${this.#address}${path}`);
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGTERM');
    await gone;
  }
}
