import { isFailing } from './health';
import { concerns, openOutages, subjectName } from './outages';
import type { Health, Outage, Region, Service, World } from './wire';
import { counted, inCountry, listed } from './words';

export interface Headline {
  text: string;
  health: Health;
  /** What else there is, for a smaller line; empty when there is nothing. */
  rest: string;
}

/** The one sentence on top: about the service that was chosen, or about everything. */
export function headline(world: World, serviceId: string | null): Headline {
  const blind = blindness(world);
  if (blind) return { text: blind, health: 'unknown', rest: '' };
  const service = world.services.find((s) => s.id === serviceId);
  return service ? ofService(world, service) : ofEverything(world);
}

/** Why nothing can be said at all; null when something can. */
function blindness(world: World): string | null {
  if (world.regions.length === 0) return 'Nobody is watching yet: no regions are set up.';
  const collector = world.outages.some((o) => o.scope === 'collector' && openOutages([o]).length > 0);
  const silent = world.regions.every((r) => r.live === 0);
  if (silent && world.regions.every((r) => r.agents === 0)) return 'Nobody is watching yet: no agents are set up.';
  if (collector || silent) return 'We cannot see right now: the collector has lost contact with its agents.';
  return null;
}

function ofEverything(world: World): Headline {
  const open = openOutages(world.outages).filter((o) => o.scope !== 'collector');
  const felt = open.filter((o) => o.scope !== 'agent');
  const first = felt[0];
  if (!first) return noneFelt(world, open[0]);
  const more = felt.length - 1;
  const rest = more > 0 ? `And ${counted(more, 'more outage')}, of smaller scope or later.` : '';
  return { text: sentence(world, first), health: healthOf(first), rest };
}

/** When no outage is open but, perhaps, one of our own agents. */
function noneFelt(world: World, own: Outage | undefined): Headline {
  const failing = world.services.filter((s) => isFailing(s.health));
  if (failing.length > 0) {
    return { text: `${listed(failing.map((s) => s.name))} may be failing. We are checking.`, health: 'suspected', rest: '' };
  }
  const seen = world.regions.filter((r) => r.health !== 'unknown');
  if (seen.length === 0) return { text: 'No results yet: we cannot say anything.', health: 'unknown', rest: '' };
  if (own) return { text: sentence(world, own), health: 'ok', rest: '' };
  if (seen.every((r) => r.health === 'learning')) return learning('All services answer');
  return { text: `All services look fine from ${regionsOf(seen.length, world.regions.length)}.`, health: 'ok', rest: '' };
}

/** Too little is known yet to say that all is well. */
function learning(answers: string): Headline {
  return { text: `${answers}. We are still learning what is usual.`, health: 'learning', rest: '' };
}

function ofService(world: World, service: Service): Headline {
  const felt = openOutages(world.outages).find((o) => concerns(o, service.id, world));
  if (felt) return { text: sentence(world, felt, service), health: healthOf(felt), rest: '' };
  const asked = world.regions.filter((r) => service.id in r.services);
  const seen = asked.filter((r) => r.services[service.id] !== 'unknown');
  const failing = seen.filter((r) => isFailing(r.services[service.id] ?? 'unknown'));
  if (failing.length > 0) {
    const from = failing.length === seen.length ? 'everywhere' : `from ${whence(failing, world)}`;
    return { text: `${service.name} may be failing ${from}. We are checking.`, health: 'suspected', rest: '' };
  }
  if (seen.length === 0) return { text: `We have no data about ${service.name}.`, health: 'unknown', rest: '' };
  if (seen.every((r) => r.services[service.id] === 'learning')) return learning(`${service.name} answers`);
  return { text: `${service.name} works from ${regionsOf(seen.length, asked.length)}.`, health: 'ok', rest: '' };
}

/** One outage in plain words; named by `service` where a provider takes that service down. */
export function sentence(world: World, outage: Outage, service?: Service): string {
  const name = subjectName(outage.subject.kind, outage.subject.id, world);
  const who = (service?.name ?? name) + troubledParts(world, outage);
  switch (outage.scope) {
    case 'global':
      return `${who} ${verb(outage)} for everyone.${checking(outage)}`;
    case 'provider':
      return service
        ? `${who} ${verb(outage)}: its provider ${name} is in trouble.${checking(outage)}`
        : `${name} ${verb(outage)}, and with it ${behind(world, outage)}.${checking(outage)}`;
    case 'regional':
      return `${who} ${verb(outage, 'fails')} from ${whence(hit(world, outage), world)}.${elsewhere(world, outage)}`;
    case 'network':
      return outage.subject.kind === 'region'
        ? `The networks of ${name} are in trouble, not the services.`
        : `The network ${name} is in trouble, not the services.`;
    case 'agent':
      return `One of our agents is in trouble (${outage.subject.id}). The services look fine.`;
    case 'collector':
      return 'We cannot see right now: the collector has lost contact with its agents.';
  }
}

/** " (login)": the components that fail, when others of the service do not. */
function troubledParts(world: World, outage: Outage): string {
  const service = outage.subject.kind === 'service' && world.services.find((s) => s.id === outage.subject.id);
  if (!service) return '';
  const failing = service.components.filter((c) => isFailing(c.health));
  const some = failing.length > 0 && failing.length < service.components.length;
  return some ? ` (${listed(failing.map((c) => c.id))})` : '';
}

function verb(outage: Outage, plain = 'is failing'): string {
  if (outage.state === 'suspected') return plain === 'fails' ? 'may fail' : 'may be failing';
  if (outage.state === 'recovering') return plain === 'fails' ? 'recovers' : 'is recovering';
  return outage.severity === 'degraded' ? (plain === 'fails' ? 'partly fails' : 'is partly failing') : plain;
}

function checking(outage: Outage): string {
  return outage.state === 'suspected' ? ' We are checking.' : '';
}

function elsewhere(world: World, outage: Outage): string {
  if (outage.state === 'suspected') return ' We are checking.';
  const others = world.regions.filter((r) => !outage.regions.includes(r.id));
  const healths = others.map((r) => (outage.subject.kind === 'service' ? r.services[outage.subject.id] : r.health));
  if (healths.some((h) => h === 'ok') && !healths.some((h) => h && isFailing(h))) return ' Everywhere else it works.';
  return others.length > 0 && healths.every((h) => !h || h === 'unknown') ? ' Elsewhere we cannot see.' : '';
}

function behind(world: World, outage: Outage): string {
  const names = world.services.filter((s) => s.provider === outage.subject.id).map((s) => s.name);
  return names.length > 0 ? listed(names) : 'what stands on it';
}

function hit(world: World, outage: Outage): Region[] {
  return world.regions.filter((r) => outage.regions.includes(r.id));
}

/** "India (2 of 3 regions)", "India and the United States". */
function whence(failing: readonly Region[], world: World): string {
  const countries = [...new Set(failing.map((r) => r.country))];
  const words = countries.map((country) => {
    const all = world.regions.filter((r) => r.country === country).length;
    const some = failing.filter((r) => r.country === country).length;
    return some === all ? inCountry(country) : `${inCountry(country)} (${some} of ${all} regions)`;
  });
  return listed(words) || 'some regions';
}

function regionsOf(seen: number, all: number): string {
  if (seen < all) return `${seen} of ${counted(all, 'region')}; the others give no data`;
  return all === 1 ? 'its one region' : `all ${counted(all, 'region')}`;
}

function healthOf(outage: Outage): Health {
  if (outage.state === 'suspected') return 'suspected';
  return outage.severity === 'degraded' || outage.state === 'recovering' ? 'degraded' : 'down';
}

