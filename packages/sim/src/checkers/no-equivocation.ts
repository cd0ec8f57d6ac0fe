import { slotOfEnvelope } from '@starling/rounds';
import { attemptName, type Checker } from './checker.ts';

/** An honest peer says one thing in a slot, also when it died and came back: two would ban it. */
export function noEquivocation(): Checker {
  const said = new Map<string, string>();
  return {
    name: 'no-equivocation',
    observe(observation) {
      if (observation.kind !== 'sent' || !observation.honest) return undefined;
      const { by, envelope } = observation;
      const slot = slotOfEnvelope(envelope);
      if (envelope.sender !== by || slot === undefined) return undefined;
      const key = `${attemptName(envelope)}/${slot}`;
      const before = said.get(`${by}/${key}`);
      said.set(`${by}/${key}`, before ?? envelope.hash);
      if (before === undefined || before === envelope.hash) return undefined;
      return `${by} sent two different messages in ${key}`;
    },
  };
}
