import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, errorMessage, type Log, ProtocolError } from '@starling/core';
import { type CageSupport, cagedCommand, probeCage } from '../cage.ts';
import { acceleratorsOf, type Device, type DeviceChoice } from '../device.ts';
import { missingFor } from '../device-files.ts';
import { type GivenLimits, limitsOf, type TrainerLimits } from '../limits.ts';
import { restartDelay } from '../lives.ts';
import { InferenceChild } from './child.ts';
import {
  BODY_BYTES_MAX,
  type Frame,
  type InferenceAnswer,
  type InferenceRequest,
  type InferenceTrial,
  type LoadedModel,
  padded,
  type TensorHeader,
  tensorsOf,
} from './frames.ts';

export interface InferenceOptions {
  /** The bundled `inference/child-main`, for instance `dist/inference-child.js`. */
  readonly childEntry: URL;
  readonly log: Log;
  /** What one child may take. Its priority is a normal one unless told: others wait for it. */
  readonly limits?: GivenLimits;
  /** Milliseconds before the second restart of a child, doubled each time; 1000 unless told. */
  readonly backoffMs?: number;
  /** Of what cages are made here; found out unless told. */
  readonly support?: () => Promise<CageSupport>;
}

/** An input of a run: its elements lie in pieces, one behind the other, and are not copied. */
export interface RunInput extends TensorHeader {
  readonly pieces: readonly Uint8Array[];
}

export interface RunResult extends TensorHeader {
  readonly bytes: Uint8Array;
}

/** A model that is ready to run, in a process of its own. */
export interface InferenceEngine extends LoadedModel {
  readonly device: Device;
  /** False while its process is started again. */
  readonly isReady: boolean;
  /**
   * Runs are made one after another. One that comes while another goes on is sent already, so that
   * the process never waits.
   * @throws ProtocolError `model-crashed` where the process died of it, `model-restarting` while it
   *   may not be started again yet, `model-failed` with what ONNX Runtime said
   */
  run(inputs: readonly RunInput[]): Promise<readonly RunResult[]>;
  /** Ends the process; runs in flight are rejected. */
  close(): Promise<void>;
}

/** Owns the processes in which models run. */
export interface Inference {
  readonly pids: readonly number[];
  /**
   * Loads a model, which takes a second and more.
   * @throws ProtocolError for a model that does not load; ConfigError for a device not to be had
   */
  open(model: Uint8Array, device?: DeviceChoice): Promise<InferenceEngine>;
  close(): Promise<void>;
}

/** Shut in as trainers are: a foreign model is hostile input. */
export function createInference(options: InferenceOptions): Inference {
  return new ProcessInference(options);
}

const LOAD_MS = 120_000;
/** A run that takes longer is of no use to whoever waits for it. */
const RUN_MS = 30_000;
/** After so long in one life, earlier deaths are forgotten. */
const FORGET_MS = 600_000;
/** From then on its device is to blame: a driver may take the whole process down. */
const DEVICE_DEATHS = 2;
const PADDING = Buffer.alloc(8);

class ProcessInference implements Inference {
  readonly #options: InferenceOptions;
  readonly #limits: TrainerLimits;
  readonly #engines = new Set<ProcessEngine>();
  /** In which devices are tried. */
  readonly #trials = new Set<InferenceChild>();
  #support: Promise<CageSupport> | undefined;
  #closed = false;

  constructor(options: InferenceOptions) {
    this.#options = options;
    this.#limits = limitsOf({ nice: 0, ...options.limits });
  }

  get pids(): readonly number[] {
    return [...this.#engines].flatMap(({ pid }) => pid ?? []);
  }

  async open(model: Uint8Array, wanted: DeviceChoice = 'cpu'): Promise<InferenceEngine> {
    if (this.#closed) throw new ProtocolError('model-restarting', 'the daemon stops');
    const device = await this.#choose(model, wanted);
    return this.#started(model, device);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([
      ...[...this.#engines].map((engine) => engine.close()),
      ...[...this.#trials].map((child) => child.kill()),
    ]);
  }

  async #started(model: Uint8Array, device: Device): Promise<ProcessEngine> {
    const { log, backoffMs = 1000 } = this.#options;
    const engine = new ProcessEngine({
      ...{ model, device, log, backoffMs, threads: this.#limits.cpuThreads },
      child: (on, onDeath) => this.#child(on, onDeath),
      onClose: () => this.#engines.delete(engine),
    });
    this.#engines.add(engine);
    try {
      await engine.start();
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  async #child(device: Device, onDeath: () => void): Promise<InferenceChild> {
    const { childEntry: entry, log, support } = this.#options;
    this.#support ??= support?.() ?? probeCage(entry);
    const contents = { entry, readable: [], network: false, device };
    const command = cagedCommand(await this.#support, this.#limits, contents);
    return new InferenceChild({ command, limits: this.#limits, log, onDeath });
  }

  /** The first device that runs the model right; with `auto`, only one faster than the CPU. */
  async #choose(model: Uint8Array, wanted: DeviceChoice): Promise<Device> {
    if (wanted === 'cpu') return wanted;
    const { log } = this.#options;
    const isAuto = wanted === 'auto';
    for (const device of isAuto ? acceleratorsOf(process.platform) : [wanted]) {
      const outcome = await this.#try(model, device);
      if (typeof outcome !== 'string') {
        const { cpuMs, deviceMs } = outcome;
        const speed = `${deviceMs.toFixed(1)} ms a run, the CPU ${cpuMs.toFixed(1)} ms`;
        log.info('a model was tried on a device', { device, speed });
        if (!isAuto || deviceMs < cpuMs) return device;
      } else if (isAuto) {
        log.info(`the model is not served on ${device}`, { reason: outcome });
      } else {
        const hint = 'Choose cpu, or auto, which takes what works';
        throw new ConfigError('device', `no model runs on ${device} here (${outcome})`, hint);
      }
    }
    return 'cpu';
  }

  async #try(model: Uint8Array, device: Device): Promise<InferenceTrial | string> {
    const missing = missingFor(device);
    if (missing !== undefined) return missing;
    const child = await this.#child(device, () => {});
    this.#trials.add(child);
    const { cpuThreads: threads } = this.#limits;
    try {
      const { header } = await child.request({ kind: 'try', device, threads }, [model], LOAD_MS);
      return header.kind === 'tried' ? header.trial : 'it answered something else';
    } catch (error) {
      return errorMessage(error);
    } finally {
      await child.kill();
      this.#trials.delete(child);
    }
  }
}

interface EngineParts {
  readonly model: Uint8Array;
  readonly device: Device;
  readonly threads: number;
  readonly log: Log;
  readonly backoffMs: number;
  readonly child: (device: Device, onDeath: () => void) => Promise<InferenceChild>;
  readonly onClose: () => void;
}

/** The processes of one model, one after another. */
class ProcessEngine implements InferenceEngine {
  readonly #parts: EngineParts;
  readonly #closing = new AbortController();
  #loaded: LoadedModel | undefined;
  #child: InferenceChild | undefined;
  #starting: Promise<InferenceChild> | undefined;
  /** Of `#starting`, before it has loaded the model. */
  #loading: InferenceChild | undefined;
  #device: Device;
  #isHeld = false;
  #deaths = 0;
  #bornAt = 0;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#device = parts.device;
  }

  get device(): Device {
    return this.#device;
  }

  get inputs() {
    return this.#known().inputs;
  }

  get outputs() {
    return this.#known().outputs;
  }

  get unbatchable(): string | null {
    return this.#known().unbatchable;
  }

  get isReady(): boolean {
    return this.#child?.alive === true;
  }

  get pid(): number | undefined {
    const child = this.#loading ?? this.#child;
    return child?.alive ? child.pid : undefined;
  }

  /** Starts a process and loads the model into it. */
  start(): Promise<InferenceChild> {
    this.#starting ??= this.#load().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async run(inputs: readonly RunInput[]): Promise<readonly RunResult[]> {
    const headers = inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
    const pieces = inputs.flatMap((input) => paddedPieces(input.pieces));
    if (pieces.reduce((sum, { length }) => sum + length, 0) > BODY_BYTES_MAX) {
      throw new ProtocolError('too-large', `one run takes at most ${BODY_BYTES_MAX} bytes`);
    }
    const { header, body } = await this.#request({ kind: 'run', inputs: headers }, pieces);
    if (header.kind !== 'ran')
      throw new ProtocolError('model-failed', 'it answered something else');
    return tensorsOf(header.outputs, body);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#parts.onClose();
    // A load is not waited for: it may hang.
    await this.#loading?.kill();
    await this.#starting?.catch(() => {});
    await this.#child?.kill();
  }

  #known(): LoadedModel {
    if (this.#loaded === undefined) throw new ProtocolError('model-restarting', 'it is not loaded');
    return this.#loaded;
  }

  async #request(
    header: InferenceRequest,
    pieces: readonly Uint8Array[],
  ): Promise<Frame<InferenceAnswer>> {
    for (;;) {
      const child = await this.#living();
      try {
        return await child.request(header, pieces, RUN_MS);
      } catch (error) {
        // It waited behind the run that ended the process, and goes to the next one.
        if (!(error instanceof ProtocolError) || error.code !== 'not-begun') throw error;
      }
    }
  }

  #living(): Promise<InferenceChild> | InferenceChild {
    if (this.#closing.signal.aborted) throw ended();
    if (this.#child?.alive) return this.#child;
    if (this.#isHeld) {
      const words = 'its process died again and again, and is started anew in a while';
      throw new ProtocolError('model-restarting', words);
    }
    return this.start();
  }

  async #load(): Promise<InferenceChild> {
    const { model, threads, child: make } = this.#parts;
    const device = this.#device;
    const child = await make(device, () => this.#onDeath());
    this.#bornAt = performance.now();
    this.#loading = child;
    try {
      if (this.#closing.signal.aborted) throw ended();
      const { header } = await child.request({ kind: 'load', device, threads }, [model], LOAD_MS);
      if (header.kind !== 'loaded') throw new ProtocolError('model-failed', 'it did not load');
      this.#loaded = header.model;
      this.#child = child;
      return child;
    } catch (error) {
      await child.kill();
      throw error;
    } finally {
      this.#loading = undefined;
    }
  }

  /** The first restart is at once; the next ones wait longer and longer. */
  #onDeath(): void {
    // A model that did not even load is the caller's to tell.
    if (this.#loaded === undefined || this.#closing.signal.aborted) return;
    const { backoffMs, log } = this.#parts;
    const lasted = performance.now() - this.#bornAt;
    this.#deaths = lasted > FORGET_MS ? 1 : this.#deaths + 1;
    if (this.#device !== 'cpu' && this.#deaths >= DEVICE_DEATHS) {
      log.warn(`a model failed on ${this.#device} and is served on the CPU`);
      this.#device = 'cpu';
    }
    const wait = restartDelay(this.#deaths - 1, backoffMs);
    this.#isHeld = wait > 0;
    const again = async () => {
      await delay(wait, undefined, { signal: this.#closing.signal });
      this.#isHeld = false;
      await this.start();
    };
    again().catch((error: unknown) => {
      if (this.#closing.signal.aborted) return;
      log.warn('a served model does not start again', { error: errorMessage(error) });
    });
  }
}

const ended = (): ProtocolError =>
  new ProtocolError('model-restarting', 'the model is no longer served');

/** The pieces of one tensor, and what fills it up to eight bytes. */
function paddedPieces(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const rest = padded(bytes) - bytes;
  return rest === 0 ? pieces : [...pieces, PADDING.subarray(0, rest)];
}
