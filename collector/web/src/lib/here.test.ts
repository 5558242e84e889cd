import { expect, test } from 'vitest';
import { aWorld } from './fixture';
import { fromHere, guessCountry } from './here';

const down = { twitter: 'down' as const };

test('the country is guessed by the time zone, then by the language', () => {
  const zone = new Intl.DateTimeFormat('en', { timeZone: 'Asia/Kolkata' }).resolvedOptions().timeZone;
  expect(guessCountry(['US', 'IN'], zone, 'en-US')).toBe('IN');
  expect(guessCountry(['US', 'IN'], 'UTC', 'en-US')).toBe('US');
  expect(guessCountry(['US', 'IN'], 'UTC', 'en')).toBeNull();
});

test('where it works, the trouble is probably the viewer’s own', () => {
  expect(fromHere(aWorld(), 'IN', 'twitter')).toContain('it works. If it does not for you');
  expect(fromHere(aWorld(), 'IN', null)).toContain('everything works');
});

test('where it works while it fails elsewhere, nobody’s connection is blamed', () => {
  expect(fromHere(aWorld({ 'us-east': down }), 'IN', 'twitter')).toBe('From India it works so far.');
});

test('where it fails everywhere, it is not the viewer', () => {
  expect(fromHere(aWorld({ 'in-west': down, 'in-north': down }), 'IN', 'twitter')).toContain('It is not you.');
});

test('where it fails in part, the regions are named', () => {
  const said = fromHere(aWorld({ 'in-west': down }), 'IN', 'twitter');
  expect(said).toBe('In India it fails from West India and works from North India.');
});

test('a country in the dark is no data, not fine', () => {
  const dark = { twitter: 'unknown' as const };
  const world = aWorld({ 'in-west': dark, 'in-north': dark });
  expect(fromHere(world, 'IN', 'twitter')).toBe('From India we have no data right now.');
});

test('all services are counted from the viewer’s country', () => {
  const said = fromHere(aWorld({ 'us-east': down }), 'US', null);
  expect(said).toBe('From the United States: trouble with Twitter; 2 other services work.');
});
