const choose = event => {
  const row = event.target.closest('[data-id]');
  if (!row) return;
  element.querySelectorAll('[data-id]').forEach(other => other.classList.remove('chosen'));
  row.classList.add('chosen');
  if (VIEW) history.pushState(null, '', `#/${VIEW}/${encodeURIComponent(row.dataset.id)}`);
  trigger('select', { id: row.dataset.id });
};
element.addEventListener('click', choose);
element.addEventListener('keydown', event => { if (event.key === 'Enter') choose(event); });
