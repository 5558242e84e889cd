// A small world for the unit tests: two countries, three services, two of them behind one provider.
import type { Health, Outage, Region, World } from './wire';

function region(id: string, name: string, country: string, failing: Record<string, Health>): Region {
  const services: Record<string, Health> = { twitter: 'ok', github: 'ok', signal: 'ok', ...failing };
  return { id, name, country, latitude: 0, longitude: 0, agents: 3, live: 3, health: 'ok', services };
}

export function aWorld(failing: Record<string, Record<string, Health>> = {}, outages: Outage[] = []): World {
  return {
    version: 1,
    at: '2026-11-22T03:00:00.000+00:00',
    regions: [
      region('in-west', 'West India', 'IN', failing['in-west'] ?? {}),
      region('in-north', 'North India', 'IN', failing['in-north'] ?? {}),
      region('us-east', 'Eastern US', 'US', failing['us-east'] ?? {}),
    ],
    services: [
      { id: 'twitter', name: 'Twitter', provider: 'fastly', health: 'ok', components: [] },
      { id: 'github', name: 'GitHub', provider: 'fastly', health: 'ok', components: [] },
      { id: 'signal', name: 'Signal', provider: 'aws', health: 'ok', components: [] },
    ],
    networks: [{ asn: 55836, name: 'Jio', agents: 2, live: 2, health: 'ok' }],
    providers: [{ id: 'fastly', name: 'Fastly', health: 'ok' }],
    outages,
  };
}

export function anOutage(changes: Partial<Outage> = {}): Outage {
  return {
    id: 'o1',
    state: 'confirmed',
    scope: 'global',
    subject: { kind: 'service', id: 'twitter' },
    target_ids: ['twitter-web'],
    regions: ['in-west', 'in-north', 'us-east'],
    asns: [],
    family: null,
    layer: 'http',
    severity: 'down',
    confidence: 0.99,
    onset: '2026-11-22T02:50:00.000+00:00',
    onset_after: '2026-11-22T02:49:55.000+00:00',
    onset_before: '2026-11-22T02:50:00.000+00:00',
    detected_at: '2026-11-22T02:50:04.000+00:00',
    confirmed_at: '2026-11-22T02:50:08.000+00:00',
    resolved_at: null,
    changed_at: '2026-11-22T02:50:08.000+00:00',
    why: 'It fails.',
    ...changes,
  };
}
