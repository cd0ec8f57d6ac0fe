import { stat } from 'node:fs/promises';
import type { DataSetView } from '@starling/control';
import { ConfigError, errorMessage, type Journal, ProtocolError, utf8 } from '@starling/core';
import { type Dataset, type DatasetCatalog, inspectOffer } from '@starling/trainer';

/** A data set in the journal; before plans were kept there were only path and task. */
type Stored = Pick<Dataset, 'path'> & { readonly task: string } & Partial<
    Pick<Dataset, 'plan' | 'augment' | 'schema'>
  >;

const PREFIX = 'data/';

/** The volunteer's named data sets: names, paths and plans on disk, the data where they are. */
export class DataRegistry implements DatasetCatalog {
  readonly #journal: Journal;
  readonly #entries = new Map<string, Dataset>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Reads the names again; a data set whose files are gone is left out and named in the answer. */
  async load(): Promise<readonly string[]> {
    const problems: string[] = [];
    for await (const [key, value] of this.#journal.entries(PREFIX)) {
      const name = key.slice(PREFIX.length);
      const stored = JSON.parse(new TextDecoder().decode(value)) as Stored | null;
      if (stored === null) continue;
      try {
        this.#entries.set(name, await this.#opened(name, stored));
      } catch (error) {
        if (!(error instanceof ProtocolError || error instanceof ConfigError)) throw error;
        problems.push(`data set ${name}: ${error.message}`);
      }
    }
    return problems;
  }

  /** @throws ConfigError when the name is taken */
  async add(dataset: Dataset): Promise<DataSetView> {
    const { name } = dataset;
    if (this.#entries.has(name)) {
      const hint = 'Choose another name, or remove it first: `starling data remove`';
      throw new ConfigError('data', `there is a data set "${name}" already`, hint);
    }
    await this.#keep(dataset);
    this.#entries.set(name, dataset);
    return view(dataset);
  }

  /** Forgets a data set; its files stay. @throws ConfigError when there is none of the name */
  async remove(name: string): Promise<DataSetView> {
    const dataset = this.#entries.get(name);
    if (dataset === undefined) {
      throw new ConfigError('data', `there is no data set "${name}"`, '`starling data list`');
    }
    // A journal deletes by prefix, and one name may begin another.
    await this.#journal.put(`${PREFIX}${name}`, utf8(JSON.stringify(null)));
    this.#entries.delete(name);
    return view(dataset);
  }

  get(name: string): Dataset | undefined {
    return this.#entries.get(name);
  }

  list(): Iterable<Dataset> {
    return this.#entries.values();
  }

  views(): readonly DataSetView[] {
    return [...this.#entries.values()].map(view);
  }

  async #opened(name: string, stored: Stored): Promise<Dataset> {
    const { path, task, plan, augment, schema } = stored;
    if (plan === undefined || schema === undefined) {
      const dataset = await inspectOffer(name, path, { task });
      await this.#keep(dataset);
      return dataset;
    }
    if (!path.startsWith('s3://')) {
      await stat(path).catch((error) => {
        throw new ProtocolError('dataset-missing', `${path}: ${errorMessage(error)}`);
      });
    }
    return { name, path, plan, augment: augment ?? null, schema };
  }

  async #keep({ name, path, plan, augment, schema }: Dataset): Promise<void> {
    const stored: Stored = { path, task: schema.task, plan, augment, schema };
    await this.#journal.put(`${PREFIX}${name}`, utf8(JSON.stringify(stored)));
  }
}

const view = ({ name, path, plan, augment, schema }: Dataset): DataSetView => ({
  ...{ name, path, task: schema.task, format: plan.format, examples: plan.count },
  ...{ shape: [...plan.shape], dtype: schema.input.dtype, augment },
  ...{ target: schema.target, classes: schema.classes },
});
