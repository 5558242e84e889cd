import { expect, test } from 'vitest';
import { aWorld, anOutage } from './fixture';
import { headline } from './headline';
import type { Outage } from './wire';

const IN = ['in-west', 'in-north'];
const twitterIn = (regions: string[]): Outage => anOutage({ scope: 'regional', regions });
const downIn = (regions: string[]) => Object.fromEntries(regions.map((r) => [r, { twitter: 'down' as const }]));

test.each<[string, Partial<Outage>, string]>([
  ['global', {}, 'Twitter is failing for everyone.'],
  ['global, suspected', { state: 'suspected' }, 'Twitter may be failing for everyone. We are checking.'],
  ['global, partial', { severity: 'degraded' }, 'Twitter is partly failing for everyone.'],
  ['global, recovering', { state: 'recovering' }, 'Twitter is recovering for everyone.'],
  [
    'provider',
    { scope: 'provider', subject: { kind: 'provider', id: 'fastly' } },
    'Fastly is failing, and with it Twitter and GitHub.',
  ],
  [
    'network',
    { scope: 'network', subject: { kind: 'asn', id: '55836' } },
    'The network Jio (AS55836) is in trouble, not the services.',
  ],
  [
    'a region’s networks',
    { scope: 'network', subject: { kind: 'region', id: 'in-west' } },
    'The networks of West India are in trouble, not the services.',
  ],
  [
    'agent',
    { scope: 'agent', subject: { kind: 'agent', id: 'a1' } },
    'One of our agents is in trouble (a1). The services look fine.',
  ],
  [
    'collector',
    { scope: 'collector', subject: { kind: 'collector', id: 'collector' } },
    'We cannot see right now: the collector has lost contact with its agents.',
  ],
])('an outage of scope %s has its sentence', (_, changes, text) => {
  expect(headline(aWorld({}, [anOutage(changes)]), null).text).toBe(text);
});

test('a regional outage says where it fails and that it works elsewhere', () => {
  const world = aWorld(downIn(['in-west']), [twitterIn(['in-west'])]);
  expect(headline(world, null).text).toBe('Twitter fails from India (1 of 2 regions). Everywhere else it works.');
});

test('a component that fails alone is named', () => {
  const world = aWorld({}, [anOutage({ severity: 'degraded' })]);
  const components = [{ id: 'web', health: 'ok' as const }, { id: 'login', health: 'degraded' as const }];
  world.services = world.services.map((s) => ({ ...s, components }));
  expect(headline(world, null).text).toBe('Twitter (login) is partly failing for everyone.');
});

test('a whole country is named without its regions', () => {
  const world = aWorld(downIn(IN), [twitterIn(IN)]);
  expect(headline(world, null).text).toBe('Twitter fails from India. Everywhere else it works.');
});

test('it does not claim that it works where nothing is known', () => {
  const world = aWorld({ ...downIn(IN), 'us-east': { twitter: 'unknown' } }, [twitterIn(IN)]);
  expect(headline(world, null).text).toBe('Twitter fails from India. Elsewhere we cannot see.');
});

test('it does not claim that it works elsewhere while another region fails too', () => {
  const world = aWorld(downIn([...IN, 'us-east']), [twitterIn(IN)]);
  expect(headline(world, null).text).toBe('Twitter fails from India.');
});

test('the widest outage comes first and the others are counted, agents left out', () => {
  const agent = anOutage({ id: 'o3', scope: 'agent', subject: { kind: 'agent', id: 'a1' } });
  const network = anOutage({ id: 'o2', scope: 'network', subject: { kind: 'asn', id: '55836' } });
  const said = headline(aWorld({}, [agent, network, anOutage()]), null);
  expect(said).toMatchObject({ text: 'Twitter is failing for everyone.', health: 'down' });
  expect(said.rest).toContain('1 more outage');
});

test('without an outage all services look fine from every region that is seen', () => {
  expect(headline(aWorld(), null)).toMatchObject({ text: 'All services look fine from all 3 regions.', health: 'ok' });
  const world = aWorld();
  world.regions = world.regions.map((r, i) => (i ? r : { ...r, live: 0, health: 'unknown' as const }));
  expect(headline(world, null).text).toBe('All services look fine from 2 of 3 regions; the others give no data.');
});

test('regions that are all dark are no data, never fine', () => {
  const world = aWorld();
  world.regions = world.regions.map((r) => ({ ...r, live: 0, health: 'unknown' as const }));
  expect(headline(world, null)).toMatchObject({ health: 'unknown' });
  expect(headline(world, 'twitter')).toMatchObject({ health: 'unknown' });
});

test('no agents at all is said as such', () => {
  const world = aWorld();
  world.regions = world.regions.map((r) => ({ ...r, agents: 0, live: 0 }));
  expect(headline(world, null).text).toContain('no agents');
  expect(headline({ ...world, regions: [] }, null).text).toContain('no regions');
});

test('agents that have not reported yet say nothing', () => {
  const world = aWorld();
  world.regions = world.regions.map((r) => ({ ...r, health: 'unknown' as const }));
  expect(headline(world, null)).toMatchObject({ text: 'No results yet: we cannot say anything.', health: 'unknown' });
});

test('what is still learned is not called fine', () => {
  const learns = { twitter: 'learning' as const };
  const world = aWorld();
  world.regions = world.regions.map((r) => ({ ...r, health: 'learning' as const, services: { ...r.services, ...learns } }));
  const text = 'All services answer. We are still learning what is usual.';
  expect(headline(world, null)).toMatchObject({ text, health: 'learning' });
  expect(headline(world, 'twitter').text).toBe('Twitter answers. We are still learning what is usual.');
});

test('a failing service without an outage is only suspected', () => {
  const world = aWorld({ 'in-west': { twitter: 'suspected' } });
  world.services = world.services.map((s) => (s.id === 'twitter' ? { ...s, health: 'suspected' as const } : s));
  expect(headline(world, null).text).toBe('Twitter may be failing. We are checking.');
  expect(headline(world, 'twitter').text).toBe('Twitter may be failing from India (1 of 2 regions). We are checking.');
});

test('trouble of an agent never hides a service that fails', () => {
  const world = aWorld({}, [anOutage({ scope: 'agent', subject: { kind: 'agent', id: 'a1' } })]);
  world.services = world.services.map((s) => (s.id === 'signal' ? { ...s, health: 'down' as const } : s));
  expect(headline(world, null).text).toBe('Signal may be failing. We are checking.');
});

test('a chosen service speaks for itself', () => {
  const world = aWorld({}, [anOutage()]);
  expect(headline(world, 'signal')).toMatchObject({ text: 'Signal works from all 3 regions.', health: 'ok' });
  expect(headline(world, 'twitter')).toMatchObject({ text: 'Twitter is failing for everyone.', health: 'down' });
});

test('a chosen service is failing because its provider is', () => {
  const provider = anOutage({ scope: 'provider', subject: { kind: 'provider', id: 'fastly' } });
  const said = headline(aWorld({}, [provider]), 'github');
  expect(said.text).toBe('GitHub is failing: its provider Fastly is in trouble.');
});

test('a chosen service that nobody has results of has no data', () => {
  const unknown = { twitter: 'unknown' as const };
  const said = headline(aWorld({ 'in-west': unknown, 'in-north': unknown, 'us-east': unknown }), 'twitter');
  expect(said).toMatchObject({ text: 'We have no data about Twitter.', health: 'unknown' });
});
