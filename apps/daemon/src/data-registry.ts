import type { DataSetView } from '@starling/control';
import { ConfigError, type Journal, ProtocolError, utf8 } from '@starling/core';
import { type Dataset, type DatasetCatalog, inspectDataset } from '@starling/trainer';

interface Entry {
  readonly dataset: Dataset;
  readonly examples: number;
}

/** The volunteer's named data sets: names and paths on disk, the data where they are. */
export class DataRegistry implements DatasetCatalog {
  readonly #journal: Journal;
  readonly #entries = new Map<string, Entry>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Reads the names again; a data set whose files are gone is left out and named in the answer. */
  async load(): Promise<readonly string[]> {
    const problems: string[] = [];
    for await (const [key, value] of this.#journal.entries('data/')) {
      const { path, task } = JSON.parse(new TextDecoder().decode(value)) as {
        path: string;
        task: string;
      };
      const name = key.slice('data/'.length);
      try {
        this.#entries.set(name, await inspect(name, path, task));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        problems.push(`data set ${name}: ${error.message}`);
      }
    }
    return problems;
  }

  async add(name: string, path: string, task: string): Promise<DataSetView> {
    if (this.#entries.has(name)) {
      throw new ConfigError('data', `there is a data set "${name}" already`, 'Choose another name');
    }
    const entry = await inspect(name, path, task);
    await this.#journal.put(`data/${name}`, utf8(JSON.stringify({ path, task })));
    this.#entries.set(name, entry);
    return view(entry);
  }

  get(name: string): Dataset | undefined {
    return this.#entries.get(name)?.dataset;
  }

  *list(): Iterable<Dataset> {
    for (const { dataset } of this.#entries.values()) yield dataset;
  }

  views(): readonly DataSetView[] {
    return [...this.#entries.values()].map(view);
  }
}

async function inspect(name: string, path: string, task: string): Promise<Entry> {
  const { schema, examples } = await inspectDataset(path);
  return { dataset: { name, path, schema: { ...schema, task } }, examples };
}

const view = ({ dataset, examples }: Entry): DataSetView => ({
  name: dataset.name,
  path: dataset.path,
  task: dataset.schema.task,
  examples,
  shape: [...dataset.schema.input.shape],
  classes: dataset.schema.classes,
});
