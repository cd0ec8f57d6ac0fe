import { compareText, type Journal, utf8 } from '@starling/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

export interface JournalUnderTest {
  readonly journal: Journal;
  close(): Promise<void>;
}

/** What every `Journal` must do. */
export function runJournalCompliance(name: string, open: () => Promise<JournalUnderTest>): void {
  describe(`journal compliance: ${name}`, () => {
    let subject: JournalUnderTest;
    let journal: Journal;
    beforeEach(async () => {
      subject = await open();
      journal = subject.journal;
    });
    afterEach(() => subject.close());

    test('a value is read back; a second put replaces it', async () => {
      expect(await journal.get('key')).toBeUndefined();
      await journal.put('key', utf8('one'));
      await journal.put('key', utf8('two'));
      expect(await journal.get('key')).toEqual(utf8('two'));
    });

    test('an empty value is a value', async () => {
      await journal.put('empty', new Uint8Array(0));
      expect(await journal.get('empty')).toEqual(new Uint8Array(0));
      expect(await keys(journal, '')).toEqual(['empty']);
    });

    test('entries come in order of code units', async () => {
      // UTF-8 would put U+1F99C after U+FFFD; its first code unit, 0xD83E, comes before.
      const texts = ['a', 'b', 'a/1', 'a/10', 'a/2', 'ä', '\uFFFD', '\u{1F99C}', 'Z', '\uD800'];
      for (const text of texts) await journal.put(text, utf8('x'));
      expect(await keys(journal, '')).toEqual([...texts].sort(compareText));
    });

    test('entries and deletePrefix see the prefix and nothing beside it', async () => {
      const texts = ['job', 'job/', 'job/1', 'job/2', 'job0', 'jo', '\uFFFF', '\uFFFF\uFFFF'];
      for (const text of texts) await journal.put(text, utf8(text));
      expect(await keys(journal, 'job/')).toEqual(['job/', 'job/1', 'job/2']);
      expect(await keys(journal, '\uFFFF')).toEqual(['\uFFFF', '\uFFFF\uFFFF']);
      await journal.deletePrefix('job/');
      await journal.deletePrefix('nothing');
      expect(await keys(journal, '')).toEqual(['jo', 'job', 'job0', '\uFFFF', '\uFFFF\uFFFF']);
      await journal.deletePrefix('');
      expect(await keys(journal, '')).toEqual([]);
    });

    test('the caller and the journal do not share memory', async () => {
      const value = utf8('mine');
      await journal.put('key', value);
      value.fill(0);
      (await journal.get('key'))!.fill(1);
      expect(await journal.get('key')).toEqual(utf8('mine'));
    });
  });
}

async function keys(journal: Journal, prefix: string): Promise<string[]> {
  const out: string[] = [];
  for await (const [key] of journal.entries(prefix)) out.push(key);
  return out;
}
