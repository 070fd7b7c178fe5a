// Shows an error at the field that it is about, or several at theirs; stands in the head. The message
// in the corner goes away; this stays until the field is changed, or its form is sent once more.
// Messages in the corner that are still there go with the next press of a button, and with the view.
(() => {
  const LABELS = FIELD_LABELS;
  const NAMES = '[data-testid=block-info], [data-testid=block-label], label span, .studio-options label';
  const words = node => (node.innerText ?? '').replace(/\s+/g, ' ').trim();
  const view = () => [...document.querySelectorAll('#views [role=tabpanel]')].find(one => one.offsetParent);
  const fieldOf = about => {
    const shown = [...(view()?.querySelectorAll(NAMES) ?? [])].filter(node => node.offsetParent);
    for (const label of LABELS[about] ?? []) {
      const fits = label.endsWith('…')
        ? node => words(node).startsWith(label.slice(0, -1))
        : node => words(node) === label;
      const found = shown.find(fits)?.closest('.option, .block');
      if (found) return found;
    }
    return null;
  };
  const inputs = field => field.querySelectorAll('input, textarea, select');
  const clear = field => {
    field.querySelector('.studio-field-error')?.remove();
    for (const input of inputs(field)) {
      if (input.dataset.refused) input.removeAttribute('aria-invalid');
      delete input.dataset.refused;
    }
  };
  const show = (field, message) => {
    clear(field);
    const note = document.createElement('p');
    note.className = 'studio-field-error';
    note.textContent = message;
    field.append(note);
    const input = inputs(field)[0];
    input?.setAttribute('aria-invalid', 'true');
    if (input) input.dataset.refused = 'yes';
    field.scrollIntoView({ block: 'nearest' });
  };

  new MutationObserver(changes => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (!(node instanceof Element)) continue;
        const all = node.matches('.studio-refused') ? [node] : [...node.querySelectorAll('.studio-refused')];
        // The first one last: the view scrolls to it.
        for (const error of all.reverse()) {
          const about = [...error.classList].find(name => name.startsWith('about-'));
          const field = about && fieldOf(about.slice('about-'.length));
          if (field) show(field, words(error));
        }
      }
    }
  }).observe(document, { childList: true, subtree: true });

  for (const event of ['input', 'change']) {
    window.addEventListener(event, ({ target }) => {
      const field = target instanceof Element && target.closest(':has(> .studio-field-error)');
      if (field) clear(field);
    }, true);
  }
  const closeMessages = () => {
    for (const one of document.querySelectorAll('.toast-body:is(.error, .warning) [data-testid=toast-close]')) one.click();
  };
  window.addEventListener('hashchange', closeMessages);
  window.addEventListener('click', ({ target, isTrusted }) => {
    // Hidden buttons are pressed by scripts, to keep what is typed.
    if (!(target instanceof Element) || !target.closest('button:not(.studio-hidden)')) return;
    if (isTrusted && !target.closest('.toast-wrap')) closeMessages();
    const own = target.closest(':has(> .studio-field-error)');
    if (own) clear(own);
    if (!target.closest('button.primary, button.lg')) return;
    view()?.querySelectorAll('.studio-field-error').forEach(note => clear(note.parentElement));
  }, true);
})();
