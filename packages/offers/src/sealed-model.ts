import { type BlobHash, concatBytes, fromHex, ProtocolError, utf8 } from '@starling/core';
import { hashHex, open, Secret, seal } from '@starling/crypto';
import { MODELS_LABEL } from '@starling/protocol-models';

export const MODEL_KEY_BYTES = 32;

const associated = (model: BlobHash): Uint8Array =>
  concatBytes(utf8(`${MODELS_LABEL}/model`), fromHex(model));

/** The blob of a restricted model. @param key 32 random bytes, for this model alone */
export const sealModel = (model: Uint8Array, key: Uint8Array): Uint8Array =>
  seal(new Secret(key), model, associated(hashHex(model) as BlobHash));

/**
 * A restricted model in clear.
 * @param hash of the card's model
 * @throws ProtocolError `model-key` when key, blob and card do not belong together
 */
export function openModel(blob: Uint8Array, key: Uint8Array, hash: BlobHash): Uint8Array {
  const model = open(new Secret(key), blob, associated(hash));
  if (model !== undefined && hashHex(model) === hash) return model;
  throw new ProtocolError('model-key', 'the key does not open this model');
}
