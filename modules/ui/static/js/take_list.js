const press = event => {
  const row = event.target.closest('[data-id]');
  const control = event.target.closest('[data-act]');
  const id = row ? row.dataset.id : '';
  if (!control && !row) return;
  if (!control) {
    element.querySelectorAll('[data-id]').forEach(other => other.classList.remove('chosen'));
    row.classList.add('chosen');
    const address = `#/${VIEW}/${encodeURIComponent(id)}`;
    if (VIEW && location.hash !== address) history.pushState(null, '', address);
    document.querySelector(`[data-take="${CSS.escape(id)}"]`)?.scrollIntoView();
    return trigger('select', { act: 'show', id });
  }
  const isPressed = control.getAttribute('aria-pressed') === 'true';
  const on = control.matches('input') ? control.checked : !isPressed;
  trigger('select', { act: control.dataset.act, id, on });
};
element.addEventListener('click', press);
element.addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.target.closest('[data-act]')) press(event);
});
// Back at the address of the list, the take that was open is closed.
window.addEventListener('hashchange', ({ oldURL }) => {
  const [, view, item] = location.hash.split('/');
  const [, left, opened] = new URL(oldURL).hash.split('/');
  if (!VIEW || view !== VIEW || item || left !== VIEW || !opened) return;
  const row = element.querySelector(`[data-id="${CSS.escape(decodeURIComponent(opened))}"]`);
  if (row) {
    row.classList.remove('chosen');
    row.scrollIntoView({ block: 'nearest' });
  }
  trigger('select', { act: 'close', id: '' });
});
// The answer draws the list anew: the control that was used keeps the focus.
let used = '';
element.addEventListener('focusin', event => {
  const control = event.target.closest('[data-act], [data-id]');
  const row = event.target.closest('[data-id]');
  used = [row ? `[data-id="${CSS.escape(row.dataset.id)}"]` : '', control?.dataset.act ? `[data-act=${control.dataset.act}]` : ''].join(' ');
});
let offered = null;
new MutationObserver(() => {
  // What was on show above may be gone with a deletion, and the list have moved away.
  const undo = element.querySelector('[data-act=undo]');
  if (undo && !offered) undo.scrollIntoView({ block: 'nearest' });
  offered = undo;
  if (used.trim() && document.activeElement === document.body) element.querySelector(used)?.focus();
}).observe(element, { childList: true, subtree: true });
