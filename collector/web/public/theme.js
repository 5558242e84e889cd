// Before the first paint: the theme that was chosen here, so that nobody is blinded at night.
try {
  const theme = localStorage.getItem('faultline.theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused: the system's preference stands.
}
