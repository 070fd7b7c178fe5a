// What the keyboard does on the whole page; stands in the head.
(() => {
  const MODIFIERS = ['Tab', 'Shift', 'Control', 'Alt', 'Meta'];
  const isMenu = node => node instanceof Element && node.getAttribute('role') === 'combobox';

  // The first place around a field that has a button for it.
  const buttonFor = field => {
    for (let place = field.parentElement; place; place = place.parentElement) {
      const shown = [...place.querySelectorAll('button.studio-go')].find(one => one.offsetParent);
      if (shown) return shown;
    }
    return null;
  };

  window.addEventListener('keydown', event => {
    if (!(event.target instanceof Element)) return;
    // Gradio opens the list of a menu at any key, also at the one by which the menu is left: it
    // would stay open, and no key would close it.
    if (isMenu(event.target) && MODIFIERS.includes(event.key)) event.stopImmediatePropagation();
    if (event.key === 'Escape') {
      event.target.closest('.studio-question')?.querySelector('button:last-of-type')?.click();
      // The list of tabs for which there is no room closes at a click elsewhere.
      if (event.target.closest('.overflow-menu')) document.body.click();
    }
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    const field = event.target;
    if (!field.matches('.studio-text textarea, .studio-text input')) return;
    const button = buttonFor(field);
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    // Gradio takes the text over when its box is left.
    field.blur();
    setTimeout(() => {
      button.click();
      field.focus();
    });
  }, true);

  // The second click of a double click asks for nothing more, where long work is begun.
  window.addEventListener('click', event => {
    if (event.detail < 2 || !(event.target instanceof Element)) return;
    if (event.target.closest('button.primary')) event.stopImmediatePropagation();
  }, true);

  // A menu that Escape has closed keeps the focus, and Gradio opens menus when they get it.
  window.addEventListener('mousedown', event => {
    const menu = event.target;
    if (!isMenu(menu) || menu !== document.activeElement) return;
    if (menu.getAttribute('aria-expanded') === 'true') return;
    menu.blur();
    menu.focus();
  }, true);
})();
