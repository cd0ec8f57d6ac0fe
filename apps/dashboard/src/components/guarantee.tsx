import { decimal, plural } from '../lib/format.ts';
import type { GuaranteeView } from '../lib/types.ts';
import { Facts, Notice, Section } from './basics.tsx';

export const guaranteeText = (privacy: GuaranteeView | null): string =>
  privacy === null
    ? 'masked sums, no noise'
    : `epsilon ${decimal(privacy.epsilon, 3)} at delta ${decimal(privacy.delta, 2)}`;

/** What the job promises to each who takes part. */
export function PrivacySection({ privacy }: { readonly privacy: GuaranteeView | null }) {
  return (
    <Section title="Privacy">
      {privacy === null ? (
        <Notice tone="warn">
          This job adds no noise. Nobody sees a single update, but the sums may give something away.
        </Notice>
      ) : (
        <>
          <p>
            All of a peer's updates together give away at most <b>{guaranteeText(privacy)}</b>.
          </p>
          <Facts
            facts={[
              ['Noise multiplier', decimal(privacy.noiseMultiplier)],
              ['Updates of one peer', `at most ${plural(privacy.updatesMax, 'update')}`],
              ['Rho of one update', decimal(privacy.rho)],
              ['Rho in all', decimal(privacy.rho * privacy.updatesMax)],
            ]}
          />
        </>
      )}
    </Section>
  );
}
