const regionNames = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'code' });
const ARTICLE = new Set(['US', 'GB', 'NL', 'PH', 'AE', 'CZ', 'DO', 'BS', 'GM', 'MV', 'CF', 'CD', 'CG']);

/** The name of a country by its two letters; as it is when it is not a country's code. */
export function countryName(code: string): string {
  try {
    return regionNames.of(code.toUpperCase()) ?? code;
  } catch {
    return code;
  }
}

/** The country as it stands after "from" or "in": "the United States", "India". */
export function inCountry(code: string): string {
  const name = countryName(code);
  return ARTICLE.has(code.toUpperCase()) ? `the ${name}` : name;
}

/** "a", "a and b", "a, b and c". */
export function listed(words: readonly string[], limit = 4): string {
  const shown = words.length > limit ? [...words.slice(0, limit - 1), `${words.length - limit + 1} more`] : words;
  if (shown.length < 2) return shown[0] ?? '';
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** "1 region", "3 regions". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
