// Two takes side by side: they come into view once they are drawn, and are closed with a button.
element.addEventListener('click', event => {
  if (event.target.closest('[data-act=close]')) trigger('select', {});
});
new MutationObserver(() => {
  element.querySelector('.studio-comparison')?.scrollIntoView({ block: 'nearest' });
}).observe(element, { childList: true });
