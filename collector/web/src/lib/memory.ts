/** Reads what was chosen on this device; null when nothing was, or when storage is refused. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`faultline.${key}`);
  } catch {
    return null;
  }
}

/** Keeps what was chosen on this device, where that is allowed. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`faultline.${key}`);
    else localStorage.setItem(`faultline.${key}`, value);
  } catch {
    // Storage is refused: it holds for this visit only.
  }
}
