/**
 * What a node keeps: content-addressed blobs and a journal, on disk and in memory, and the state
 * directory that holds the disk ones. Whatever `put` resolved survives a kill or a power cut.
 */
export { BlobRoom, type RoomOptions, type RoomStatus } from './blob-room.ts';
export { FileBlobStore } from './file-blob-store.ts';
export { unlessMissing, writeDurably } from './files.ts';
export { LevelJournal } from './level-journal.ts';
export { MemoryBlobStore, MemoryJournal } from './memory.ts';
export { openStateDirectory, type SecretFile, type StateDirectory } from './state-directory.ts';
