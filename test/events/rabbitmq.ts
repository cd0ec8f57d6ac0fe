import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { missingPrograms } from '../helpers/debian.ts';
import { freePort } from '../helpers/free-port.ts';
import { until } from '../helpers/until.ts';

const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** What a broker needs and cannot be had; undefined when all is there. */
export const missingRabbit = (): string | undefined =>
  missingPrograms(['rabbitmq-server', 'epmd'], ['rabbitmq-server']);

/** A real RabbitMQ on loopback with its files below a folder; it can be started again. */
export class Broker {
  readonly port: number;
  readonly #environment: NodeJS.ProcessEnv;
  /** Erlang's port mapper: without one of ours the broker would leave its own behind. */
  readonly #epmd: ChildProcess;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, dist: number, epmd: number) {
    this.port = port;
    mkdirSync(join(folder, 'log'), { recursive: true });
    writeFileSync(join(folder, 'enabled_plugins'), '[].\n');
    writeFileSync(join(folder, 'rabbitmq.conf'), 'loopback_users.guest = true\n');
    this.#environment = {
      ...process.env,
      HOME: folder,
      RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_NODENAME: `starling-${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(dist),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      ERL_EPMD_PORT: String(epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
    };
    this.#epmd = spawn('epmd', [], { env: this.#environment, stdio: 'ignore' });
  }

  static async start(folder: string): Promise<Broker> {
    const broker = new Broker(folder, await freePort(), await freePort(), await freePort());
    await broker.start();
    return broker;
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn(SERVER, [], { env: this.#environment, stdio: 'ignore', detached: true });
    this.#process = child;
    let isOver = false;
    child.once('exit', () => {
      isOver = true;
    });
    await until(
      async () => {
        if (isOver) throw new Error('the broker ended while it started');
        return answers(this.port);
      },
      120_000,
      'an answer of the broker',
    );
  }

  /** SIGTERM lets it end in order; SIGKILL for the whole group does not. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const over = once(child, 'exit');
    process.kill(-child.pid, signal);
    await over;
    await until(async () => !(await answers(this.port)), 60_000, 'the end of the broker');
  }

  /** The broker and its port mapper. */
  async end(): Promise<void> {
    await this.stop('SIGKILL');
    this.#epmd.kill();
  }
}

/** Whether it speaks AMQP: an unknown version is answered with its own header. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('connect', () => socket.write('AMQP\0\0\0\0'));
    socket.on('data', (data) => end(data.subarray(0, 4).toString() === 'AMQP'));
  });
}
