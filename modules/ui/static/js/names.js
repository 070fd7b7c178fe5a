// Gives Gradio's controls the names and states that can be seen; stands in the head.
(() => {
  const set = (node, name, value) => {
    if (node && node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const words = node => (node ? node.textContent.replace(/\s+/g, ' ').trim() : '');

  const MENDED = {
    // Their name leaves out what they show, and for which file they are.
    'button.upload-container': area => {
      const label = words(area.closest('.block')?.querySelector('[data-testid=block-label]'));
      const shown = words(area);
      if (shown) set(area, 'aria-label', label ? `${label}: ${shown}` : shown);
    },
    '.playback': speed => set(speed, 'aria-label', `Playback speed: ${words(speed)}`),
    // Whether they are open is told by an arrow alone.
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
      set(button, 'title', 'Ctrl+Enter in the text');
    },
  };
  const mendOne = node => {
    for (const [selector, mend] of Object.entries(MENDED)) if (node.matches(selector)) mend(node);
  };
  const EACH = Object.keys(MENDED).join();
  new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === 'attributes') mendOne(change.target);
      for (const node of change.addedNodes) {
        if (!(node instanceof Element)) continue;
        mendOne(node);
        node.querySelectorAll(EACH).forEach(mendOne);
      }
    }
  }).observe(document, {
    childList: true, subtree: true, attributes: true, attributeFilter: ['aria-label', 'class'],
  });
})();
