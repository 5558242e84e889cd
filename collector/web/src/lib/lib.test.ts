import { expect, test } from 'vitest';
import { readEvidence } from './evidence';
import { aWorld, anOutage } from './fixture';
import { worstOf } from './health';
import { concerns, endedOutages, openOutages, places, subjectName, sureness } from './outages';
import { markPath } from './shapes';
import { nextSpot } from './steps';
import { span, utcTime } from './times';
import { HEALTHS } from './health';
import { counted, listed } from './words';

test('unknown neither hides a failure nor counts as one', () => {
  expect(worstOf(['unknown', 'ok'])).toBe('ok');
  expect(worstOf(['ok', 'unknown', 'degraded', 'suspected'])).toBe('degraded');
  expect(worstOf([])).toBe('unknown');
});

test('open outages come widest first, certain before suspected', () => {
  const narrow = anOutage({ id: 'narrow', scope: 'agent' });
  const unsure = anOutage({ id: 'unsure', state: 'suspected' });
  const ended = anOutage({ id: 'ended', state: 'resolved' });
  expect(openOutages([narrow, unsure, ended, anOutage()]).map((o) => o.id)).toEqual(['o1', 'unsure', 'narrow']);
});

test('outages that ended are shown for a day', () => {
  const ended = anOutage({ state: 'resolved', resolved_at: '2026-11-22T03:00:00.000+00:00' });
  const end = Date.parse('2026-11-22T03:00:00Z');
  expect(endedOutages([ended, anOutage({ id: 'open' })], end + 3_600_000)).toEqual([ended]);
  expect(endedOutages([ended], end + 25 * 3_600_000)).toEqual([]);
});

test('a provider’s outage concerns the services that stand on it', () => {
  const provider = anOutage({ scope: 'provider', subject: { kind: 'provider', id: 'fastly' } });
  expect(concerns(provider, 'github', aWorld())).toBe(true);
  expect(concerns(provider, 'signal', aWorld())).toBe(false);
});

test.each([
  ['service', 'twitter', 'Twitter'],
  ['service', 'unheard-of', 'unheard-of'],
  ['provider', 'fastly', 'Fastly'],
  ['region', 'in-west', 'West India'],
  ['asn', '55836', 'Jio (AS55836)'],
  ['asn', '1', 'AS1'],
  ['agent', 'a1', 'Agent a1'],
])('a subject of kind %s is named', (kind, id, name) => {
  expect(subjectName(kind, id, aWorld())).toBe(name);
});

test('all regions of a country are the country', () => {
  expect(places(['in-west', 'in-north'], aWorld())).toEqual(['India']);
  expect(places(['in-west', 'us-east'], aWorld())).toEqual(['West India', 'United States']);
});

test('nothing is ever a hundred per cent sure', () => {
  expect(sureness(1)).toBe('more than 99 % sure');
  expect(sureness(0.876)).toBe('87 % sure');
});

test('every health has a shape, and no two that need telling apart share one', () => {
  const shapes = HEALTHS.filter((h) => h !== 'unknown' && h !== 'learning').map((h) => markPath(h, 7));
  expect(new Set(shapes).size).toBe(shapes.length);
});

test('arrow keys find the nearest spot in their direction', () => {
  const spots = [[0, 0], [10, 1], [20, 0], [1, 10]] as const;
  expect(nextSpot(spots, 0, 'ArrowRight')).toBe(1);
  expect(nextSpot(spots, 0, 'ArrowDown')).toBe(3);
  expect(nextSpot(spots, 0, 'ArrowLeft')).toBeNull();
  expect(nextSpot(spots, 0, 'x')).toBeNull();
});

test('spans and lists read as a person would say them', () => {
  expect([5_000, 300_000, 3_600_000, 12_000_000, 200_000_000].map(span)).toEqual(['5 s', '5 min', '1 h', '3 h 20 min', '2 days']);
  expect(listed(['a', 'b', 'c'])).toBe('a, b and c');
  expect(listed(['a', 'b', 'c', 'd', 'e'], 3)).toBe('a, b and 3 more');
  expect(counted(1, 'agent')).toBe('1 agent');
  expect(utcTime('2026-11-22T02:14:05.120+00:00')).toBe('2026-11-22 02:14:05 UTC');
});

test('evidence is read as far as it is there', () => {
  const proof = readEvidence({
    failing: { regions: { a: 2 }, networks: {} },
    healthy: { regions: { a: 1, b: 3 } },
    layers: { timeout: 1, http: 5 },
    considered: [{ scope: 'agent', subject: { kind: 'agent', id: 'x' }, behind_nats: 4.25 }],
  });
  expect(proof.regions).toEqual([{ id: 'a', failing: 2, healthy: 1 }, { id: 'b', failing: 0, healthy: 3 }]);
  expect(proof.layers).toEqual([['http', 5], ['timeout', 1]]);
  expect(proof.rivals).toEqual([{ scope: 'agent', kind: 'agent', id: 'x', behind: 4.25 }]);
  expect(readEvidence({})).toEqual({ regions: [], networks: [], layers: [], silent: [], rivals: [] });
});
