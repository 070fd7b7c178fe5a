// Gives Gradio's controls the names and states that can be seen; stands in the head.
(() => {
  const set = (node, name, value) => {
    if (node && node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const words = node => (node ? node.textContent.replace(/\s+/g, ' ').trim() : '');

  const label = node => words(node.closest('.block')?.querySelector('[data-testid=block-info]'));

  const CORRECTIONS = {
    // Their name leaves out what they show, and for which file they are.
    'button.upload-container': area => {
      const label = words(area.closest('.block')?.querySelector('[data-testid=block-label]'));
      const shown = words(area);
      if (shown) set(area, 'aria-label', label ? `${label}: ${shown}` : shown);
    },
    '.playback': speed => set(
      speed, 'aria-label', translate('Playback speed: {speed}', { speed: words(speed) })
    ),
    // One label stands at a slider, at its box for numbers, and at the button that resets both.
    'input[type=range][data-testid=range-input]': slider => set(slider, 'aria-label', label(slider)),
    '[data-testid=number-input]': box => set(
      box, 'aria-label', translate('{label}, as a number', { label: label(box) })
    ),
    '[data-testid=reset-button]': reset => set(
      reset, 'aria-label', translate('Reset {label}', { label: label(reset) })
    ),
    'fieldset.block': group => set(group, 'aria-label', label(group)),
    // In seconds, with seven decimals.
    ':is(.rewind, .skip)[aria-label]': skip => {
      const exact = skip.getAttribute('aria-label');
      const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
      const short = figure => Number(figure).toLocaleString(window.studioLanguage, digits);
      set(skip, 'aria-label', exact.replace(/\d+\.\d\d+/, short));
    },
    // Whether they are open is shown by an arrow alone.
    '.label-wrap': opener => {
      set(opener, 'aria-expanded', String(opener.classList.contains('open')));
      set(opener.querySelector('.icon'), 'aria-hidden', 'true');
    },
    // A button around the button that closes the message.
    '.toast-header': header => {
      header.removeAttribute('role');
      header.removeAttribute('tabindex');
    },
    'button.studio-go': button => {
      set(button, 'aria-keyshortcuts', 'Control+Enter');
      set(button, 'title', translate('Ctrl+Enter in the text'));
    },
  };
  const correct = node => {
    for (const [selector, change] of Object.entries(CORRECTIONS)) if (node.matches(selector)) change(node);
  };
  const EACH = Object.keys(CORRECTIONS).join();
  new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === 'attributes') correct(change.target);
      for (const node of change.addedNodes) {
        if (!(node instanceof Element)) continue;
        correct(node);
        node.querySelectorAll(EACH).forEach(correct);
      }
    }
  }).observe(document, {
    childList: true, subtree: true, attributes: true, attributeFilter: ['aria-label', 'class'],
  });
})();
