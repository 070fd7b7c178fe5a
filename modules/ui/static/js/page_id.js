// The id of this tab of the browser, which a reload keeps, before the other inputs of a listener.
(...values) => {
  window.studioAsked?.('');
  let id = '';
  try { id = sessionStorage.getItem('studio-page') || ''; } catch (error) { /* storage is off */ }
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
    try { sessionStorage.setItem('studio-page', id); } catch (error) { /* a new one each time */ }
  }
  return [id, ...values.slice(1, COUNT)];
}
