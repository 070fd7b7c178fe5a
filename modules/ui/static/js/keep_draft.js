// Keeps the values of a view's components: for this tab of the browser, and for the next new one.
(...values) => {
  if (!window.studioOpened) return [];
  const draft = {};
  NAMES.forEach((name, index) => { draft[name] = values[index]; });
  for (const storage of ['sessionStorage', 'localStorage']) {
    try { window[storage].setItem(`studio-draft-${VIEW}`, JSON.stringify(draft)); } catch (error) { /* off or full */ }
  }
  return [];
}
