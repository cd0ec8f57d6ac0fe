import { z } from 'zod';

/** Here and not in the telemetry package: the command line reads schemas and must start fast. */
export const logFormatSchema = z.enum(['auto', 'text', 'json', 'ecs']).default('auto');

/** Its text goes to logs, so a password must not be in it. */
const endpoint = z
  .url({ protocol: /^https?$/, message: 'give an address such as http://127.0.0.1:4318' })
  .refine((text) => {
    // No address at all is the first rule's to refuse.
    if (!URL.canParse(text)) return true;
    const { username, password } = new URL(text);
    return username === '' && password === '';
  }, 'no user or password here: set OTEL_EXPORTER_OTLP_HEADERS in the environment');

export const telemetrySchema = z
  .strictObject({
    /** Sends each round as a trace to a receiver of OpenTelemetry; none unless told. */
    otlp: z.strictObject({ endpoint }).optional(),
  })
  .prefault({});
