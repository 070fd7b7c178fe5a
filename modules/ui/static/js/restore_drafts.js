// What was kept by keep_draft.js, in the order of FIELDS: [view, name, choices or null].
() => {
  const drafts = {};
  const read = view => {
    const key = `studio-draft-${view}`;
    try { return JSON.parse(sessionStorage.getItem(key) || localStorage.getItem(key) || '{}'); } catch (error) { return {}; }
  };
  return FIELDS.map(([view, name, choices]) => {
    drafts[view] = drafts[view] || read(view);
    const value = drafts[view][name];
    const fits = value !== undefined && value !== null && (!choices || choices.includes(value));
    return fits ? value : { __type__: 'update' };
  });
}
