import { join } from 'node:path';
import { runBlobStoreCompliance } from '../../../test/compliance/blob-store.ts';
import { runJournalCompliance } from '../../../test/compliance/journal.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { FileBlobStore, LevelJournal, MemoryBlobStore, MemoryJournal } from './index.ts';

const nothing = async (): Promise<void> => {};

runBlobStoreCompliance('memory', async () => ({ store: new MemoryBlobStore(), close: nothing }));
runBlobStoreCompliance('file', async () => ({
  store: await FileBlobStore.open(await temporaryDirectory()),
  close: nothing,
}));

runJournalCompliance('memory', async () => ({ journal: new MemoryJournal(), close: nothing }));
runJournalCompliance('level', async () => {
  const journal = await LevelJournal.open(join(await temporaryDirectory(), 'journal'));
  return { journal, close: () => journal.close() };
});
