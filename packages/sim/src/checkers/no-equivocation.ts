import type { Envelope } from '@starling/protocol-rounds';
import { type SecaggMessage, slotOf } from '@starling/protocol-secagg';
import { attemptName, type Checker } from './checker.ts';

/**
 * An honest peer says one thing in a slot, also when it died and came back: two would convict it. A
 * proposer may say a second ROSTER, after JOINs that it had not seen.
 */
export function noEquivocation(): Checker {
  const said = new Map<string, string>();
  return {
    name: 'no-equivocation',
    observe(observation) {
      if (observation.kind !== 'sent' || !observation.honest) return undefined;
      const { by, envelope, message } = observation;
      const slot = slotName(envelope, message);
      if (envelope.sender !== by || slot === undefined) return undefined;
      const key = `${attemptName(envelope)}/${slot}`;
      const before = said.get(`${by}/${key}`);
      said.set(`${by}/${key}`, before ?? envelope.hash);
      if (before === undefined || before === envelope.hash) return undefined;
      return `${by} sent two different messages in ${key}`;
    },
  };
}

function slotName({ body }: Envelope, message: SecaggMessage | undefined): string | undefined {
  if (body.kind === 'roster') return undefined;
  return message === undefined ? body.kind : slotOf(message);
}
