import { z } from 'zod';

/** What a browser needs to be let in. */
export const listenViewSchema = z.object({
  /** Of the API and the dashboard; without the token. */
  url: z.string(),
  token: z.string(),
});
export type ListenView = z.infer<typeof listenViewSchema>;
