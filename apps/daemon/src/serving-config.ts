import { readFile } from 'node:fs/promises';
import { ConfigError, errorMessage } from '@starling/core';
import type { ClientToken } from '@starling/serving';
import { z } from 'zod';
import { listenFault, listenFields } from './api-config.ts';

/** What `serving.tokens` may have as a secret. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{16,512}$/;

/** @param memory schema of an amount of memory */
export const servingSchemaOf = <M extends z.ZodType>(memory: M) =>
  z
    .strictObject({
      ...listenFields('8600'),
      /** Clients by name, each with a file that has its bearer token. */
      tokens: z
        .array(
          z.strictObject({
            name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'use letters, digits, hyphen'),
            file: z.string(),
          }),
        )
        .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
          message: 'a name is there twice',
        })
        .default([]),
      /** Bytes of one served model's process, or with MiB or GiB; half of what is free. */
      memory: memory.optional(),
      cpuThreads: z.number().int().positive().max(256).default(1),
    })
    .superRefine((given, context) => {
      for (const message of listenFault(given, 'serving.tls')) {
        context.addIssue({ code: 'custom', path: ['listen'], message });
      }
    })
    .prefault({});

/** @throws ConfigError naming the client whose file cannot be read or holds no token */
export function clientTokens(
  tokens: readonly { readonly name: string; readonly file: string }[],
): Promise<readonly ClientToken[]> {
  return Promise.all(
    tokens.map(async ({ name, file }) => {
      const key = `serving.tokens, ${name}`;
      let text: string;
      try {
        text = (await readFile(file, 'utf8')).trim();
      } catch (error) {
        throw new ConfigError(key, `cannot read ${file} (${errorMessage(error)})`);
      }
      if (TOKEN.test(text)) return { name, token: text };
      const hint = 'Make one with `openssl rand -hex 32`';
      throw new ConfigError(key, `${file} holds no token of 16 to 512 characters`, hint);
    }),
  );
}
