import type { Outage, Scope, World } from './wire';
import { countryName } from './words';

const DAY = 24 * 3600 * 1000;
const WIDTH: Record<Scope, number> = { collector: 6, global: 5, provider: 4, regional: 3, network: 2, agent: 1 };

export const SCOPE_WORD: Record<Scope, string> = {
  global: 'Global',
  provider: 'Provider',
  regional: 'Regional',
  network: 'Network',
  agent: 'Agent',
  collector: 'Collector',
};

const LAYER_WORD: Record<string, string> = {
  dns: 'names do not resolve',
  connect: 'no connection',
  tls: 'encryption fails',
  http: 'server errors',
  content: 'wrong content',
  timeout: 'no answer in time',
  latency: 'slow',
  silence: 'silence',
};

/** What fails, in words; a layer that has none is named as it is. */
export function layerWord(layer: string): string {
  return LAYER_WORD[layer] ?? layer;
}

/** "99 %"; never the certainty that no measurement has. */
export function sureness(confidence: number): string {
  return confidence >= 0.99 ? 'more than 99 % sure' : `${Math.floor(confidence * 100)} % sure`;
}

export function isOpen(outage: Outage): boolean {
  return outage.state !== 'resolved' && outage.state !== 'withdrawn';
}

/** Widest first, then the ones that are certain, then the newest. */
export function openOutages(outages: readonly Outage[]): Outage[] {
  return outages.filter(isOpen).sort((a, b) => weight(b) - weight(a) || b.onset.localeCompare(a.onset));
}

/** What ended within the last 24 hours, the newest first; what was withdrawn had never been an outage. */
export function endedOutages(outages: readonly Outage[], now: number): Outage[] {
  return outages
    .filter((o) => !isOpen(o) && o.resolved_at !== null && now - Date.parse(o.resolved_at) < DAY)
    .sort((a, b) => (b.resolved_at ?? '').localeCompare(a.resolved_at ?? ''));
}

/** Whether the outage is one that users of the service feel as that service's. */
export function concerns(outage: Outage, service: string, world: World): boolean {
  const { kind, id } = outage.subject;
  if (kind === 'provider') return world.services.some((s) => s.id === service && s.provider === id);
  return kind === 'service' && (id === service || id.startsWith(`${service}/`) || id.startsWith(`${service}:`));
}

/** The subject by the name that people know it by. */
export function subjectName(kind: string, id: string, world: World): string {
  if (kind === 'service') return serviceName(id, world);
  if (kind === 'provider') return world.providers.find((p) => p.id === id)?.name ?? id;
  if (kind === 'region') return world.regions.find((r) => r.id === id)?.name ?? id;
  if (kind === 'asn') return networkName(Number(id), world);
  if (kind === 'collector') return 'The collector';
  return kind === 'agent' ? `Agent ${id}` : id;
}

export function networkName(asn: number, world: World): string {
  const name = world.networks.find((n) => n.asn === asn)?.name;
  return name ? `${name} (AS${asn})` : `AS${asn}`;
}

/** "West India, South India" or, when every region of a country is meant, "India". */
export function places(regionIds: readonly string[], world: World): string[] {
  const wanted = new Set(regionIds);
  const countries = [...new Set(world.regions.filter((r) => wanted.has(r.id)).map((r) => r.country))];
  return countries.flatMap((country) => {
    const here = world.regions.filter((r) => r.country === country);
    const hit = here.filter((r) => wanted.has(r.id));
    return hit.length === here.length ? [countryName(country)] : hit.map((r) => r.name);
  });
}

function serviceName(id: string, world: World): string {
  const exact = world.services.find((s) => s.id === id);
  if (exact) return exact.name;
  const [service, component] = id.split(/[/:]/);
  const name = world.services.find((s) => s.id === service)?.name;
  return name && component ? `${name} (${component})` : id;
}

function weight(outage: Outage): number {
  return WIDTH[outage.scope] * 2 + (outage.state === 'suspected' ? 0 : 1);
}
